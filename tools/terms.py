"""Do search terms occur in a text? Whatever their case, punctuation and camel case, and small typos forgiven.

Terms are literals, never patterns: nobody's manifest can make a search run for minutes.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["find_term", "words_of"]

MAX_TEXT: Final = 20_000
"""Characters of a text that are looked at."""
CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")
WORD: Final = re.compile(r"[^\W_]+")


def words_of(text: str) -> list[str]:
    """The words of `text`, folded: `"EverlastingGobstopper's café"` is everlasting, gobstopper, s, cafe.

    >>> words_of("EverlastingGobstopper, e-mail")
    ['everlasting', 'gobstopper', 'e', 'mail']
    """
    apart = CAMEL.sub(" ", text[:MAX_TEXT].replace("\u2019", "'").replace("'s", " "))
    folded = unicodedata.normalize("NFKD", apart.casefold())
    return WORD.findall("".join(character for character in folded if not unicodedata.combining(character)))


def find_term(terms: Iterable[str], text: str) -> str | None:
    """The first of `terms` that occurs in `text`, or `None`.

    >>> find_term(["refund policy", "Gobstopper"], "what's an everlasting gobstoper?")
    'Gobstopper'
    """
    words = words_of(text)
    joined = _joined(words)
    for term in terms:
        wanted = words_of(term)
        if wanted and _occurs(wanted, words, joined):
            return term
    return None


def _occurs(wanted: Sequence[str], words: Sequence[str], joined: frozenset[str]) -> bool:
    """Is the term there, as so many words, or run together, or broken up?"""
    whole = "".join(wanted)
    if len(wanted) == 1 and whole in joined:
        return True
    return any(
        _same(wanted, words[at : at + length])
        for length in {len(wanted) - 1, len(wanted), len(wanted) + 1} - {0}
        for at in range(len(words) - length + 1)
    )


def _joined(words: Sequence[str]) -> frozenset[str]:
    return frozenset(words)


def _same(wanted: Sequence[str], found: Sequence[str]) -> bool:
    """Word for word where there are as many, else letter for letter without the gaps."""
    if len(wanted) == len(found):
        return all(_alike(one, other) for one, other in zip(wanted, found, strict=True))
    return "".join(wanted) == "".join(found) and len("".join(wanted)) > 3


def _alike(wanted: str, found: str) -> bool:
    """The same word, its plural, or a small typo of it that keeps its first letter."""
    if wanted == found or _stem(wanted) == _stem(found):
        return True
    allowed = 0 if len(wanted) < 5 or not wanted.isalpha() else 1 if len(wanted) < 9 else 2
    if allowed == 0 or wanted[0] != found[0] or abs(len(wanted) - len(found)) > allowed:
        return False
    from rapidfuzz.distance import OSA

    return OSA.distance(wanted, found, score_cutoff=allowed) <= allowed and not _other_word(wanted, found)


def _other_word(wanted: str, found: str) -> bool:
    """A short word with one letter exchanged is more often another word than a typo: price, prize; stock, stack."""
    return len(wanted) == len(found) < 7 and sorted(wanted) != sorted(found)


def _stem(word: str) -> str:
    """Without the ending of an English plural; short words keep theirs."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
