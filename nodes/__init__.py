"""The stages of a turn, one file each: a slice of the state goes in, an update of it comes out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
