"""llm-comply on the server at argv[1]: its suites for Chat Completions (9 tests) and for Open
Responses (13), which check every answer against the published schemas. `make server-clients` runs
it; none may fail, and none may be left out.

The model has the name of one of OpenAI's, because the suites ask no other for reasoning.
"""

import json
import subprocess
import sys
from pathlib import Path

tool = str(Path(sys.executable).with_name("llm-comply"))
failed = False
for suite in ("openai-chat", "open-responses"):
    place = ("--base-url", f"{sys.argv[1]}/v1", "--api-key", "acme", "--model", "gpt-5-mini")
    command = [tool, "--format", suite, *place, "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.stdout, done.stderr
    results = json.loads(done.stdout)["results"]
    print(f"llm-comply: {suite}, {len(results)} tests")
    for each in results:
        if each["status"] != "passed":
            failed = True
            print(f"  {each['id']} {each['status']}: {each['errors']}")
sys.exit(failed)
