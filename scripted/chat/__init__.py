"""Chat Completions, as the scripted model serves it."""
