"""The tools a model may call: built-in functions, YAML plugins, LangChain tools, MCP servers."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
