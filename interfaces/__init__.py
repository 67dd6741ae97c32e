"""What people meet: the command line, the gateway, the stepper, the graph that `langgraph dev`
serves.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
