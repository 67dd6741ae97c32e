"""What is done to a ledger from outside a turn: reports, exports, sweeps, corrections."""
