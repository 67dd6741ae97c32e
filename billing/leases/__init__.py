"""One worker per turn: leases, their renewal, and the checkpointer that checks them."""
