"""What the stages share: their context, the ledger calls, limits, plugins, repair of histories."""
