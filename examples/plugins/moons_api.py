"""A small web service for the examples: the moons of a planet, from the bundled database.

Start it with `python moons_api.py [PORT]`. It serves one address:

GET /v1/planets/{planet}/moons?min_radius_km=…  with the header X-API-Key: not-a-secret
"""

import json
import sqlite3
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

DATABASE = Path(__file__).with_name("planets.sqlite3")
QUERY = """
    SELECT name, radius_km, discovered FROM moons
    WHERE planet = ? AND radius_km >= ? ORDER BY radius_km
"""


class Moons(BaseHTTPRequestHandler):
    """Answers as the module docstring says."""

    def do_GET(self) -> None:
        """Returns the moons of a planet, or an error."""
        url = urlsplit(self.path)
        parts = [unquote(part) for part in url.path.split("/")[1:]]
        if self.headers.get("X-API-Key") != "not-a-secret":
            return self.answer(401, {"error": "the header X-API-Key is missing or wrong"})
        if len(parts) != 4 or parts[:2] != ["v1", "planets"] or parts[3] != "moons":
            return self.answer(404, {"error": "there is only /v1/planets/{planet}/moons"})
        smallest = parse_qs(url.query).get("min_radius_km", ["0"])[0]
        connection = sqlite3.connect(f"{DATABASE.as_uri()}?mode=ro", uri=True)
        try:
            connection.row_factory = sqlite3.Row
            rows = connection.execute(QUERY, (parts[2].title(), float(smallest))).fetchall()
        finally:
            connection.close()
        return self.answer(200, {"planet": parts[2], "moons": [dict(row) for row in rows]})

    def answer(self, status: int, value: object) -> None:
        """Sends `value` as JSON."""
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Writes no log."""


def serve(port: int = 8765) -> ThreadingHTTPServer:
    """Returns the service, ready for `serve_forever()`."""
    return ThreadingHTTPServer(("127.0.0.1", port), Moons)


if __name__ == "__main__":
    server = serve(int(sys.argv[1]) if len(sys.argv) > 1 else 8765)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}/v1\n")
    server.serve_forever()
