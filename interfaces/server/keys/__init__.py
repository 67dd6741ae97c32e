"""The server's API keys: stored as hashes, checked for each request, kept by `turngraph keys`."""
