"""For every test: LangGraph decodes strictly, which it decides when it is first imported; and
processes are started as in a plain installation (`tests/lean`).
"""

import os
import sys

from tests.paths import LEAN

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(LEAN), os.getenv("PYTHONPATH"))))
sys.path.insert(0, str(LEAN))
