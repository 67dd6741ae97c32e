"""For every test: LangGraph decodes strictly, which it decides when it is first imported."""

import os

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
