"""Estimates the tokens that a vendor did not report, from the text of the request and the answer.

A side without a count must not be charged as zero tokens. It is counted from the text, and the
charge is marked as an estimate.
"""

from typing import Final

from turngraph.billing.pricing.worst_case import prompt_bound
from turngraph.state.usage import Usage

__all__ = ["estimated_usage", "lacks_a_side"]

_BYTES_A_TOKEN: Final = 4
"""In English (https://help.openai.com/en/articles/4936856-what-are-tokens-and-how-to-count-them)."""
_DOUBTED_FROM: Final = 64
"""A report of zero tokens is doubted where the text is estimated at this many tokens or more."""


def estimated_usage(usage: Usage | None, *, request: bytes, answer: str) -> Usage | None:
    """Returns `usage` with the sides that it lacks estimated, or None if it lacks none.

    Args:
        usage: what the vendor reported; None where it reported nothing.
        request: the JSON that was sent.
        answer: all that the model wrote: text, reasoning, arguments of tool calls.

    One token is counted for four bytes. A count of zero beside a long text is estimated too:
    proxies report zero where they do not know the usage. A cost that the vendor itself reports
    needs no counts, so nothing is estimated then.

        >>> request = b'{"messages": [{"role": "user", "content": "Hi"}]}'
        >>> estimated_usage(Usage(output_tokens=5), request=request, answer="Hello!")
        Usage(input_tokens=13, output_tokens=5)
    """
    reported = usage or Usage()
    if reported.cost_usd is not None:
        return None
    into = prompt_bound(request) // _BYTES_A_TOKEN + 1
    out = len(answer.encode("utf-8", "surrogatepass")) // _BYTES_A_TOKEN + 1
    lacks = {
        "input_tokens": _is_missing(reported.input_tokens, reported, into),
        "output_tokens": _is_missing(reported.output_tokens, reported, out),
    }
    estimates = {"input_tokens": into, "output_tokens": out}
    filled = {name: estimates[name] for name, missing in lacks.items() if missing}
    # The reported total does not hold what was filled in.
    return reported.model_copy(update={**filled, "total_tokens": None}) if filled else None


def lacks_a_side(usage: Usage) -> bool:
    """Returns whether the prompt's or the completion's tokens are unknown.

    One side is the difference of the total and the other, unless nothing would be left for it.

    >>> lacks_a_side(Usage(output_tokens=5)), lacks_a_side(Usage(output_tokens=5, total_tokens=9))
    (True, False)
    """
    sides = (usage.input_tokens, usage.output_tokens)
    known = next((side for side in sides if side is not None), None)
    if None not in sides:
        return False
    return known is None or usage.total_tokens is None or usage.total_tokens <= known


def _is_missing(tokens: int | None, usage: Usage, estimate: int) -> bool:
    if tokens is None:
        return lacks_a_side(usage)
    return tokens == 0 and estimate >= _DOUBTED_FROM
