"""The scripted model: an OpenAI-compatible server on a loopback socket."""
