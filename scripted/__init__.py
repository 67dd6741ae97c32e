"""The scripted model: an OpenAI-compatible server on a loopback socket, for tests, demos and
notebooks.

It answers by rules or from a script; no language model runs.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
