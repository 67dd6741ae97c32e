"""What a model may call: built-in functions, declarative plugins, any LangChain tool, MCP servers."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
