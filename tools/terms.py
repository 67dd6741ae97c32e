"""Finds search terms in a text, ignoring case, punctuation, camel case and small typos.

Terms are literals, never patterns, so no manifest can make a search run for minutes. A text is
split once and then searched for many terms.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final

__all__ = ["SearchableText", "find_term", "split_words"]

MAX_TEXT: Final = 20_000
"""Characters of a text that are searched."""
MIN_JOINED: Final = 4
"""Letters that a term needs before it is also found as parts of several words."""
CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")
WORD: Final = re.compile(r"[^\W_]+")


def split_words(text: str) -> list[str]:
    """Returns the words of `text` in lower case, without accents and possessive endings.

    >>> split_words("EverlastingGobstopper's café, e-mail")
    ['everlasting', 'gobstopper', 'cafe', 'e', 'mail']
    """
    spaced = CAMEL.sub(" ", text[:MAX_TEXT].replace("\u2019", "'").replace("'s", " "))
    # NFKD separates a letter from its accent, which is then dropped.
    folded = unicodedata.normalize("NFKD", spaced.casefold())
    return WORD.findall("".join(char for char in folded if not unicodedata.combining(char)))


def find_term(terms: Iterable[str], text: "str | SearchableText") -> str | None:
    """Returns the first of `terms` that occurs in `text`, or None.

    >>> find_term(["refund policy", "Gobstopper"], "what's an everlasting gobstoper?")
    'Gobstopper'
    """
    searchable = SearchableText(text) if isinstance(text, str) else text
    return next((term for term in terms if searchable.contains(split_words(term))), None)


class SearchableText:
    """A text split into words and indexed, so that each further term costs little.

    >>> SearchableText("Two gobstoppers, please").contains(["gobstopper"])
    True
    """

    def __init__(self, text: str) -> None:
        self.words = split_words(text)

    def contains(self, term: Sequence[str]) -> bool:
        """Whether the words of `term` occur in a row, or joined, or with one of them split."""
        if not term:
            return False
        similar = [self._similar_words(word) for word in term]
        if all(similar) and any(
            self._match_at(index, similar) for word in similar[0] for index in self._places[word]
        ):
            return True
        # "e mail" is found in "email", and "checkout" in "check out".
        joined = "".join(term)
        return len(joined) >= MIN_JOINED and any(
            joined in self._joined_runs(length) for length in (len(term) - 1, len(term) + 1)
        )

    def _match_at(self, index: int, similar: Sequence[set[str]]) -> bool:
        """Whether each word from `index` on is similar to the word of the term in its place."""
        words = self.words[index : index + len(similar)]
        return len(words) == len(similar) and all(
            word in candidates for word, candidates in zip(words, similar, strict=True)
        )

    def _similar_words(self, wanted: str) -> set[str]:
        """Returns the words of the text that equal `wanted`, up to a plural or a small typo."""
        same_stem = set(self._stems.get(_stem(wanted), ()))
        allowed = _allowed_typos(wanted)
        if allowed == 0:
            return same_stem
        from rapidfuzz.distance import OSA

        # Few people mistype the first letter, and this leaves few words to compare.
        near = (
            word
            for word in self._by_letter.get(wanted[0], ())
            if abs(len(word) - len(wanted)) <= allowed
        )
        typos = (
            word for word in near if OSA.distance(wanted, word, score_cutoff=allowed) <= allowed
        )
        return same_stem | {word for word in typos if not _is_other_word(wanted, word)}

    def _joined_runs(self, length: int) -> frozenset[str]:
        """Returns all runs of `length` words, each written as one word."""
        if length not in self._joined:
            count = len(self.words) - length + 1 if length > 0 else 0
            self._joined[length] = frozenset(
                "".join(self.words[index : index + length]) for index in range(count)
            )
        return self._joined[length]

    @cached_property
    def _joined(self) -> dict[int, frozenset[str]]:
        return {}

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        places = defaultdict(list)
        for index, word in enumerate(self.words):
            places[word].append(index)
        return places

    @cached_property
    def _stems(self) -> dict[str, set[str]]:
        stems = defaultdict(set)
        for word in self._places:
            stems[_stem(word)].add(word)
        return stems

    @cached_property
    def _by_letter(self) -> dict[str, list[str]]:
        letters = defaultdict(list)
        for word in self._places:
            letters[word[0]].append(word)
        return letters


def _allowed_typos(word: str) -> int:
    """Returns how many typos `word` may have: none if it is short or a code (`ipv4`, `ipv6`)."""
    if len(word) < 5 or not word.isalpha():
        return 0
    return 1 if len(word) < 9 else 2


def _is_other_word(wanted: str, word: str) -> bool:
    """Whether `word` is another word rather than a typo of `wanted`.

    A short word with one letter exchanged usually is: price and prize, stock and stack.
    """
    return len(wanted) == len(word) < 7 and sorted(wanted) != sorted(word)


def _stem(word: str) -> str:
    """Returns `word` without the ending of an English plural; short words keep theirs."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
