"""Reads the body of a response, decompressed while it arrives, up to a size limit."""

import zlib
from typing import TYPE_CHECKING, Final

from langchain_core.tools import ToolException

if TYPE_CHECKING:
    from aiohttp import ClientResponse

__all__ = ["ACCEPTED_ENCODINGS", "MAX_BYTES", "read_body"]

MAX_BYTES: Final = 2_000_000
"""Bytes of a body after decompression."""
CHUNK: Final = 65_536
ACCEPTED_ENCODINGS: Final = "gzip, deflate"
GZIP_OR_ZLIB: Final = 47
"""zlib's `wbits` for "detect gzip or zlib" (https://docs.python.org/3/library/zlib.html)."""


async def read_body(response: "ClientResponse") -> bytes:
    """Returns the body of `response`.

    Raises ToolException if it is longer than MAX_BYTES, or not compressed as its header says.
    """
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "deflate"):
        raise ToolException(
            f"The service compressed its answer as {encoding[:20]}, which was not requested."
        )
    unpack = zlib.decompressobj(GZIP_OR_ZLIB) if encoding in ("gzip", "deflate") else None
    body = bytearray()
    async for piece in response.content.iter_chunked(CHUNK):
        try:
            # The size is checked while decompressing: 1 MB of gzip can expand to 1 GB
            # (a decompression bomb, https://cwe.mitre.org/data/definitions/409.html).
            body += (
                unpack.decompress(piece, MAX_BYTES + 1 - len(body)) if unpack is not None else piece
            )
        except zlib.error:
            raise ToolException("The service's answer is not compressed as it says.") from None
        if len(body) > MAX_BYTES:
            raise ToolException(f"The service's answer is longer than {MAX_BYTES:,} bytes.")
    return bytes(body)
