"""The studio: a local page on which graphs are run, stepped through, edited and compared."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
