"""The HTTP exchange with a vendor: clients, transport, and looking up a stored answer."""
