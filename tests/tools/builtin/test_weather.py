"""The weather tool, against a loopback server that speaks Open-Meteo's documented formats."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from langchain_core.tools import BaseTool

from turngraph.state.errors import TurnConfigurationError
from turngraph.tools.builtin.weather import HOURLY, weather_tool
from turngraph.tools.toolbox import Toolbox

# The shapes, names and units are those of https://open-meteo.com/en/docs/geocoding-api and
# /en/docs.
BERLIN = {
    "id": 2950159, "name": "Berlin", "latitude": 52.52437, "longitude": 13.41053,
    "elevation": 74.0, "feature_code": "PPLC", "country_code": "DE",
    "timezone": "Europe/Berlin", "population": 3426354, "country": "Germany",
    "admin1": "State of Berlin",
}  # fmt: skip
BERLIN_NH = BERLIN | {
    "latitude": 44.46867,
    "longitude": -71.18508,
    "country_code": "US",
    "country": "United States",
    "admin1": "New Hampshire",
}


class OpenMeteo:
    """Answers like Open-Meteo, and records the requests."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.forecast: tuple[int, bytes] | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                query = {key: values[0] for key, values in parse_qs(url.query).items()}
                outer.asked.append({"path": url.path} | query)
                status, body = outer.answer(url.path, query)
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/v1/elsewhere")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        base = f"http://127.0.0.1:{self.server.server_port}/v1"
        self.tool: BaseTool = weather_tool(
            geocoding_url=f"{base}/search", forecast_url=f"{base}/forecast", timeout_s=5
        )

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, bytes]:
        if path == "/v1/search":
            known = {"Berlin": [BERLIN, BERLIN_NH]}
            found = known.get(query["name"])
            return 200, json.dumps(
                {"generationtime_ms": 0.7} | ({"results": found} if found else {})
            ).encode()
        if self.forecast is not None:
            return self.forecast
        metric = query["temperature_unit"] == "celsius"
        hours = [f"2026-11-21T{hour:02}:00" for hour in range(int(query["forecast_hours"]))]
        names = query["hourly"].split(",")
        units = {
            "temperature_2m": "°C" if metric else "°F",
            "wind_speed_10m": "km/h" if metric else "mp/h",
        }
        return 200, json.dumps(
            {
                "latitude": 52.52, "longitude": 13.42, "generationtime_ms": 0.1,
                "utc_offset_seconds": 3600, "timezone": "Europe/Berlin",
                "timezone_abbreviation": "GMT+1", "elevation": 38.0,
                "hourly_units": {"time": "iso8601"} | {name: units.get(name, "") for name in names},
                "hourly": {"time": hours} | {name: list(range(len(hours))) for name in names},
            }
        ).encode()  # fmt: skip


@pytest.fixture
def service() -> Iterator[OpenMeteo]:
    meteo = OpenMeteo()
    yield meteo
    meteo.server.shutdown()
    meteo.server.server_close()


def ask(service: OpenMeteo, **arguments: str) -> Any:
    output = Toolbox.of([service.tool]).run(
        "get_current_weather", arguments, call_id="c", timeout_s=10
    )
    return json.loads(output.content) if output.status == "ok" else output.content


def test_the_weather_has_24_hours_of_every_documented_figure(service: OpenMeteo) -> None:
    """The answer has eight figures for each hour."""
    report = ask(service, location="Berlin")
    assert report["location"] == "Berlin, State of Berlin, Germany"
    assert set(report["hourly"]) == {"time", *HOURLY}
    assert {len(values) for values in report["hourly"].values()} == {24}
    assert report["units"]["temperature_2m"] == "°C"
    assert service.asked[1]["latitude"] == "52.52437"
    assert service.asked[1]["timezone"] == "auto"


def test_units_have_their_documented_names(service: OpenMeteo) -> None:
    """USCS means Fahrenheit, miles per hour and inches."""
    assert ask(service, location="Berlin", unit="USCS")["units"]["temperature_2m"] == "°F"
    wanted = {
        "temperature_unit": "fahrenheit",
        "wind_speed_unit": "mph",
        "precipitation_unit": "inch",
    }
    assert wanted.items() <= service.asked[1].items()


def test_a_region_chooses_among_places_of_one_name(service: OpenMeteo) -> None:
    """The service searches by name only; `Berlin, New Hampshire` would find nothing."""
    assert ask(service, location="Berlin, new hampshire, US")["location"].endswith("United States")
    assert service.asked[0]["name"] == "Berlin"
    assert "There are: Berlin" in ask(service, location="Berlin, France")


@pytest.mark.parametrize("place", ["Nowhere", "x", "", ",Berlin", "a\x00b", "Zürich ☃"])
def test_an_unknown_place_is_reported(service: OpenMeteo, place: str) -> None:
    """The name is sent encoded, whatever it contains."""
    assert "No place" in (text := ask(service, location=place)) or "too short" in text


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            (400, b'{"error": true, "reason": "Latitude must be in range"}'),
            "answered 400: Latitude must be in range",
        ),
        ((500, b"<html>oops"), "answered 500."),
        ((302, b""), "answered 302"),
        ((200, b"<html>"), "not JSON"),
        ((200, b"[" * 100_000), "not JSON"),
        ((200, b"[1]"), "not a JSON object"),
        ((200, b'{"hourly": {}}'), "lacks 'hourly_units'"),
        ((200, b'{"x": "' + b"a" * 1_000_001 + b'"}'), "longer than"),
    ],
)
def test_a_failing_service_is_reported(
    service: OpenMeteo, answer: tuple[int, bytes], message: str
) -> None:
    """The model learns that there is no forecast."""
    service.forecast = answer
    assert message in ask(service, location="Berlin")


def test_a_service_that_is_down_is_reported(service: OpenMeteo) -> None:
    """Nothing listens on the port."""
    service.server.shutdown()
    service.server.server_close()
    assert "cannot be reached" in ask(service, location="Berlin")


def test_only_http_addresses_are_accepted() -> None:
    """`file:` would read files of this machine."""
    with pytest.raises(TurnConfigurationError, match="http"):
        weather_tool(forecast_url="file:///etc/passwd")
