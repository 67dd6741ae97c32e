"""What a call costs: prices, rates, overrides, charges, and the worst case before a call."""
