"""Turns behind an OpenAI-compatible HTTP server: extra `server`."""
