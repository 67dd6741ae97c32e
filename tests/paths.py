"""Where things are, for every test: found from this file, so that a test may move to another
folder.
"""

from pathlib import Path

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
"""Recorded traffic and the vendor's schema, where they are at hand; tests that want them say so
when they skip.
"""
GALLERY = ROOT / "examples" / "plugins"
ROOMS = (
    "state",
    "providers",
    "scripted",
    "drawing",
    "tools",
    "billing",
    "nodes",
    "graphs",
    "interfaces",
)
LEAN = ROOT / "tests" / "lean"
