"""Prices, charges, budgets and the ledger."""
