"""The tables of the ledger and the transactions on them."""
