"""Turns, compiled: `chat_turn` and what is built around it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
