"""For every test: LangGraph decodes strictly, which it decides when it is first imported; processes
are started as in a plain installation (`tests/lean`); and an example of Hypothesis that is slow on
a busy machine is no failure.
"""

import os
import sys

from hypothesis import settings

from tests.paths import LEAN

settings.register_profile("unhurried", deadline=None, print_blob=True)
settings.load_profile("unhurried")

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(LEAN), os.getenv("PYTHONPATH"))))
sys.path.insert(0, str(LEAN))
