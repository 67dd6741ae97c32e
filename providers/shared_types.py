"""Types of `turngraph.state` that users look for here: a provider's errors, and the chunks of a
streamed answer.
"""

from turngraph.state.errors import ProviderError, ResponsesAPIError
from turngraph.state.reply import StreamChunk

__all__ = ["ProviderError", "ResponsesAPIError", "StreamChunk"]
