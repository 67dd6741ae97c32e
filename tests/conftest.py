"""What holds for every test: LangGraph's strict decoding, which it reads when it is first imported."""

import os

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
