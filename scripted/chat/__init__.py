"""Chat Completions, as the scripted model serves them."""
