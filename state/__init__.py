"""What a turn is: its state, requests, usage, events and errors. Plain data, no input or output."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
