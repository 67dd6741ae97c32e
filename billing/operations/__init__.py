"""What is done with a ledger from outside: reports, exports, sweeping, corrections."""
