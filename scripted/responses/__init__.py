"""The Responses API, as the scripted model serves it."""
