"""Serves a configuration with one path more, `/inside`, which tells how many tasks there are and
how late the event loop is: python -m tests.interfaces.server.seen_from_inside FILE PORT
"""

import asyncio
import sys
import time
from pathlib import Path

import uvicorn
from fastapi.responses import JSONResponse

from turngraph.interfaces.server.app import create_app
from turngraph.interfaces.server.config import read_config
from turngraph.interfaces.server.event_stream import FAREWELL_S

PAUSE_S = 0.02


async def inside() -> JSONResponse:
    """The number of tasks, and by how much a short sleep was too long."""
    began = time.perf_counter()
    await asyncio.sleep(PAUSE_S)
    late = time.perf_counter() - began - PAUSE_S
    return JSONResponse({"tasks": len(asyncio.all_tasks()), "lag_ms": late * 1e3})


if __name__ == "__main__":
    config = read_config(Path(sys.argv[1]))
    app = create_app(config)
    app.get("/inside")(inside)
    ends = round(config.server.drain_seconds) + FAREWELL_S
    uvicorn.run(
        app, port=int(sys.argv[2]), log_config=None, timeout_graceful_shutdown=ends, lifespan="on"
    )
