"""Reading: bytes from a vendor to a reply, an error or the pieces of a stream. Does no I/O."""
