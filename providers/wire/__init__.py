"""The HTTP exchange with a vendor: URLs, clients, transport, retry delays, and answer lookup."""
