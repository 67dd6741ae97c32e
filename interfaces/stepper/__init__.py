"""The stepper: steps through a turn, shows it, records it and replays the recording."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
