"""schemathesis on the server's own OpenAPI page: no 5xx and no hang. `make server-clients` runs it.

The page does not say which models there are; here the one that is served is put in, so that most
requests come as far as a turn.
"""

import json
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

url = sys.argv[1]
with urllib.request.urlopen(f"{url}/openapi.json") as answer:
    page = json.load(answer)
for path in ("/v1/chat/completions", "/v1/responses"):
    body = page["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    body["properties"]["model"] = {"enum": ["assistant"]}
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "openapi.json"
    file.write_text(json.dumps(page))
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "run", str(file), "--url", url),
        *("--checks", "not_a_server_error", "--max-examples", "60", "--request-timeout", "30"),
        *("-H", "Authorization: Bearer acme", "--no-color"),
    ]
    sys.exit(subprocess.run(command, check=False).returncode)
