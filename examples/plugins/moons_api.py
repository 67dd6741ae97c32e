"""A small web service for the example plugins: the moons of a planet, from the bundled database.

Started by `python moons_api.py [PORT]`; it prints its URL. Port 0 takes any free port. It answers
`GET /v1/planets/{planet}/moons?min_radius_km=…` with the header `X-API-Key: not-a-secret`.
"""

import json
import sqlite3
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

DATABASE = Path(__file__).with_name("planets.sqlite3")
QUERY = """
SELECT name, radius_km, discovered FROM moons WHERE planet = ? AND radius_km >= ? ORDER BY radius_km
"""


class Moons(BaseHTTPRequestHandler):
    """Answers the requests that the module describes."""

    def do_GET(self) -> None:
        """Answers a GET request: 200 with the moons, 401 without the key, 404 for other paths."""
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
        """Logs nothing."""


def serve(port: int = 8765) -> ThreadingHTTPServer:
    """The service, on 127.0.0.1, ready to `serve_forever()`."""
    return ThreadingHTTPServer(("127.0.0.1", port), Moons)


if __name__ == "__main__":
    server = serve(int(sys.argv[1]) if len(sys.argv) > 1 else 8765)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}/v1\n")
    sys.stdout.flush()  # a program that started this one waits for the line
    server.serve_forever()
