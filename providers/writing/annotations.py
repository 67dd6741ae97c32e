"""Citations in a message, as LangChain has them."""

from collections.abc import Mapping

from turngraph.state.json_types import JsonObject

__all__ = ["langchain_annotation"]


def langchain_annotation(citation: Mapping[str, object]) -> JsonObject:
    """Returns LangChain's `citation` for a cited page; anything else is wrapped.

    >>> page = {"type": "url_citation", "url": "https://a.example", "title": "A"}
    >>> langchain_annotation(page)
    {'type': 'citation', 'url': 'https://a.example', 'title': 'A'}
    """
    # Chat Completions nests the page in a member, Responses does not.
    page = citation.get("url_citation", citation)
    if citation.get("type") != "url_citation" or not isinstance(page, Mapping):
        return {"type": "non_standard_annotation", "value": dict(citation)}
    names = ("url", "title", "start_index", "end_index")
    return {"type": "citation", **{name: page[name] for name in names if name in page}}
