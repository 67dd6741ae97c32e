"""Recorded requests of other projects, sent to the server: accepted, or refused by a 4xx.

Never a 5xx. `make server-recorded` runs it: python -m tests.interfaces.server.recorded FOLDER
"""

import gzip
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2

from tests.interfaces.server.serving import Vendor, config_of, model_config, serving

PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses"}


def requests(folder: Path) -> Iterator[tuple[str, str, Any]]:
    """The id, path and body of each recorded request, the model replaced by the one served."""
    for file in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                exchange = json.loads(line)
                request = exchange.get("request") or {}
                body, path = request.get("body"), PATHS.get(exchange["api"])
                if isinstance(body, dict) and path is not None:
                    yield exchange["id"], path, {**body, "model": "assistant"}


def send(url: str, path: str, body: Any) -> tuple[int, str]:
    """The status, and why a request was refused."""
    headers = {"authorization": "Bearer acme"}
    answer = httpx2.post(f"{url}{path}", json=body, headers=headers, timeout=60)
    if answer.status_code == 200:
        text = answer.text
        is_stream = answer.headers["content-type"].startswith("text/event-stream")
        whole = "[DONE]" in text or "response.completed" in text or "response.incomplete" in text
        assert not is_stream or whole, text[-500:]
        return 200, ""
    error = answer.json()["error"]
    return answer.status_code, re.sub(r"[\d`][^ ]*|call_\w+", "…", error["message"])[:110]


def main(folder: Path) -> int:
    """Sends all, prints what came of it, and returns 1 if the server has failed on any."""
    statuses, reasons, failed = Counter[int](), Counter[tuple[int, str]](), list[str]()
    with Vendor() as vendor:
        config = config_of({"assistant": model_config(vendor)}, queue=10_000)
        with serving(config) as url, ThreadPoolExecutor(8) as threads:
            names, paths, bodies = zip(*requests(folder), strict=True)
            answers = threads.map(lambda each: send(url, *each), zip(paths, bodies, strict=True))
            for name, (status, reason) in zip(names, answers, strict=True):
                statuses[status] += 1
                reasons[status, reason] += 1
                if status >= 500:
                    failed.append(name)
    for (status, reason), count in reasons.most_common(40):
        print(f"{count:5} {status} {reason}")
    print(dict(statuses), f"{len(failed)} failed", *failed[:20])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
