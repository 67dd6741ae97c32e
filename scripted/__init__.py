"""The scripted model: an OpenAI-compatible server on this machine, for tests, demos and notebooks.

It answers from a script, or by simple rules. No language model runs, and no key is needed.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
