"""Responses, as the scripted model serves it."""
