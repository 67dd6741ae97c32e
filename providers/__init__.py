"""Requests to a model: how they are built, sent and read, and what each vendor does differently."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
