"""Types of `turngraph.state` that users look for in this room: errors, and pieces of an answer."""

from turngraph.state.errors import ProviderError, ResponsesAPIError
from turngraph.state.reply import StreamChunk

__all__ = ["ProviderError", "ResponsesAPIError", "StreamChunk"]
