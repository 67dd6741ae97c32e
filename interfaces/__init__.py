"""The interfaces: command line, HTTP gateway, stepper, and the graph for `langgraph dev`."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
