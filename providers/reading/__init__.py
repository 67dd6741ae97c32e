"""Reading: bytes of an answer, whole or streamed, to a `ProviderReply` or a `ProviderError`."""
