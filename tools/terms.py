"""Do search terms occur in a text? Whatever their case, punctuation and camel case, and small typos
forgiven.

Terms are literals, never patterns: nobody's manifest can make a search run for minutes. A text is
taken apart once, and asked for many terms.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final

__all__ = ["SearchedText", "find_term", "words_of"]

MAX_TEXT: Final = 20_000
"""Characters of a text that are looked at."""
CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")
WORD: Final = re.compile(r"[^\W_]+")


def words_of(text: str) -> list[str]:
    """The words of `text`, folded.

    >>> words_of("EverlastingGobstopper's café, e-mail")
    ['everlasting', 'gobstopper', 'cafe', 'e', 'mail']
    """
    apart = CAMEL.sub(" ", text[:MAX_TEXT].replace("\u2019", "'").replace("'s", " "))
    folded = unicodedata.normalize("NFKD", apart.casefold())
    return WORD.findall(
        "".join(character for character in folded if not unicodedata.combining(character))
    )


def find_term(terms: Iterable[str], text: "str | SearchedText") -> str | None:
    """The first of `terms` that occurs in `text`, or `None`.

    >>> find_term(["refund policy", "Gobstopper"], "what's an everlasting gobstoper?")
    'Gobstopper'
    """
    searched = SearchedText(text) if isinstance(text, str) else text
    return next((term for term in terms if searched.holds(words_of(term))), None)


class SearchedText:
    """A text taken apart, so that each term costs little.

    >>> SearchedText("Two gobstoppers, please").holds(["gobstopper"])
    True
    """

    def __init__(self, text: str) -> None:
        self.words = words_of(text)

    def holds(self, term: Sequence[str]) -> bool:
        """Are the words of `term` there: in a row, or run together, or one of them broken up?"""
        if not term:
            return False
        alike = [self._alike(word) for word in term]
        if all(alike) and any(
            self._follow(at, alike) for word in alike[0] for at in self._places[word]
        ):
            return True
        whole = "".join(term)
        return len(whole) > 3 and any(
            whole in self._runs(length) for length in (len(term) - 1, len(term) + 1)
        )

    def _follow(self, at: int, alike: Sequence[set[str]]) -> bool:
        """Do the words from `at` on fit, each one its place?"""
        found = self.words[at : at + len(alike)]
        return len(found) == len(alike) and all(
            word in fitting for word, fitting in zip(found, alike, strict=True)
        )

    def _alike(self, wanted: str) -> set[str]:
        """The words of the text that are this one: itself, its plural or singular, or a small typo."""
        found = set(self._stems.get(_stem(wanted), ()))
        allowed = _allowed_typos(wanted)
        if allowed == 0:
            return found
        from rapidfuzz.distance import OSA

        near = (
            word
            for word in self._by_letter.get(wanted[0], ())
            if abs(len(word) - len(wanted)) <= allowed
        )
        typos = (
            word for word in near if OSA.distance(wanted, word, score_cutoff=allowed) <= allowed
        )
        return found | {word for word in typos if not _other_word(wanted, word)}

    def _runs(self, length: int) -> frozenset[str]:
        """So many words in a row, written as one."""
        if length not in self._joined:
            count = len(self.words) - length + 1 if length > 0 else 0
            self._joined[length] = frozenset(
                "".join(self.words[at : at + length]) for at in range(count)
            )
        return self._joined[length]

    @cached_property
    def _joined(self) -> dict[int, frozenset[str]]:
        return {}

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        places = defaultdict(list)
        for at, word in enumerate(self.words):
            places[word].append(at)
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
    """None in short words, and in codes: `ipv4` is no typo of `ipv6`."""
    if len(word) < 5 or not word.isalpha():
        return 0
    return 1 if len(word) < 9 else 2


def _other_word(wanted: str, found: str) -> bool:
    """A short word with one letter exchanged is more often another word than a typo: price, prize;
    stock, stack.
    """
    return len(wanted) == len(found) < 7 and sorted(wanted) != sorted(found)


def _stem(word: str) -> str:
    """Without the ending of an English plural; short words keep theirs."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
