"""One sentence about each stage of a turn, for pictures of its graph."""

from turngraph.nodes.bill import bill
from turngraph.nodes.call_llm import call_llm
from turngraph.nodes.dispatch_tools import dispatch_tools
from turngraph.nodes.finalize import finalize
from turngraph.nodes.prep_first_request import prep_first_request
from turngraph.nodes.prep_second_request import prep_second_request

__all__ = ["stage_notes"]


def stage_notes() -> dict[str, str]:
    """Returns the first line of each stage's docstring, by the name of its node.

    >>> list(stage_notes())[-1]
    'finalize'
    """
    stages = (prep_first_request, call_llm, bill, dispatch_tools, prep_second_request, finalize)
    return {stage.__name__: (stage.__doc__ or "").split("\n")[0] for stage in stages}
