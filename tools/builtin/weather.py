"""The weather of the next 24 hours at any place, from Open-Meteo, which needs no key.

The formats of its answers: https://open-meteo.com/en/docs/geocoding-api and
https://open-meteo.com/en/docs
"""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, Literal
from urllib.parse import urlencode, urlsplit

from langchain_core.tools import BaseTool, StructuredTool, ToolException

from turngraph.state.errors import TurnConfigurationError
from turngraph.state.json_types import JsonObject

__all__ = ["WeatherError", "get_current_weather", "weather_tool"]

Unit = Literal["METRIC", "USCS"]

GEOCODING_URL: Final = "https://geocoding-api.open-meteo.com/v1/search"
FORECAST_URL: Final = "https://api.open-meteo.com/v1/forecast"
MAX_BYTES: Final = 1_000_000
"""Bytes of an answer that are read."""
HOURLY: Final = (
    "temperature_2m",
    "precipitation",
    "snowfall",
    "weather_code",
    "wind_speed_10m",
    "wind_direction_10m",
    "wind_gusts_10m",
    "cloud_cover",
)
UNITS: Final[Mapping[Unit, Mapping[str, str]]] = {
    "METRIC": {"temperature_unit": "celsius", "wind_speed_unit": "kmh", "precipitation_unit": "mm"},
    "USCS": {
        "temperature_unit": "fahrenheit",
        "wind_speed_unit": "mph",
        "precipitation_unit": "inch",
    },
}


class WeatherError(ToolException):
    """The weather is not available. The sentence is for the model."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirects, so that only the configured addresses are ever requested."""

    def redirect_request(self, *_: object) -> None:
        return None


def weather_tool(
    *, geocoding_url: str = GEOCODING_URL, forecast_url: str = FORECAST_URL, timeout_s: float = 10.0
) -> BaseTool:
    """Returns the tool `get_current_weather` for these addresses of the service.

    A request fails if no byte arrives for `timeout_s` seconds. Raises TurnConfigurationError for an
    address that is not http(s).

        >>> weather_tool(forecast_url="http://127.0.0.1:8080/v1/forecast").name
        'get_current_weather'
    """
    for url in (geocoding_url, forecast_url):
        if urlsplit(url).scheme not in ("http", "https"):
            raise TurnConfigurationError(
                f"`{url[:100]}` is not the address of a weather service: it must begin with "
                "http:// or https://."
            )
    get_json = partial(_get_json, timeout_s=timeout_s)

    def get_current_weather(location: str, unit: Unit = "METRIC") -> JsonObject:
        """Get the weather at a place, hour by hour for the next 24 hours.

        Temperature, precipitation, snowfall, weather code (WMO 4677), wind speed, direction and
        gusts, cloud cover.

        Args:
            location: A town or postal code; a region or country may follow: Springfield, Illinois
            unit: METRIC (°C, mm, km/h) or USCS (°F, inch, mph)
        """
        place = _choose_place(location, get_json(geocoding_url, _search_query(location)))
        position = {"latitude": place["latitude"], "longitude": place["longitude"]}
        query = (
            position
            | {"hourly": ",".join(HOURLY), "timezone": "auto", "forecast_hours": 24}
            | dict(UNITS[unit])
        )
        return _report(place, get_json(forecast_url, query))

    return StructuredTool.from_function(
        get_current_weather,
        parse_docstring=True,
        handle_tool_error=True,
        metadata={"idempotent": True},
    )


def _search_query(location: str) -> JsonObject:
    """Returns the query of the search for a place."""
    # Open-Meteo searches by the name alone. `_choose_place` uses what follows the comma.
    name = location.split(",")[0].strip()
    if len(name) < 2:
        raise WeatherError(
            f"`{location[:100]}` is too short for the name of a place; give a longer one."
        )
    return {"name": name[:200], "count": 10, "language": "en", "format": "json"}


def _choose_place(location: str, answer: Mapping[str, Any]) -> JsonObject:
    """Returns the first place in the `answer` of the search that has all regions of `location`."""
    places = answer.get("results", [])
    wanted = [part.strip().casefold() for part in location.split(",")[1:] if part.strip()]
    matching = [place for place in places if all(part in _regions(place) for part in wanted)]
    if matching:
        return dict(matching[0])
    if places:
        near = "; ".join(map(_label, places[:5]))
        raise WeatherError(f"No place matches `{location[:100]}`. There are: {near}.")
    raise WeatherError(f"No place named `{location[:100]}` was found.")


def _label(place: Mapping[str, object]) -> str:
    return ", ".join(str(place[name]) for name in ("name", "admin1", "country") if place.get(name))


def _regions(place: Mapping[str, object]) -> set[str]:
    names = ("country", "country_code", "admin1", "admin2", "admin3", "admin4")
    return {str(place[name]).casefold() for name in names if place.get(name)}


def _report(place: Mapping[str, Any], forecast: Mapping[str, Any]) -> JsonObject:
    try:
        hourly, units = forecast["hourly"], forecast["hourly_units"]
        return {
            "location": _label(place),
            "latitude": forecast["latitude"],
            "longitude": forecast["longitude"],
            "timezone": forecast["timezone"],
            "units": {name: units[name] for name in HOURLY},
            "hourly": {name: hourly[name][:24] for name in ("time", *HOURLY)},
        }
    except (KeyError, TypeError) as error:
        raise WeatherError(f"The weather service's answer lacks {error}.") from None


def _get_json(url: str, query: Mapping[str, object], *, timeout_s: float) -> JsonObject:
    # urllib also opens file:// and ftp://; `weather_tool` has checked that the address is http(s).
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(f"{url}?{urlencode(query)}", timeout=timeout_s) as response:
            body = response.read(MAX_BYTES + 1)
    except urllib.error.HTTPError as error:
        raise WeatherError(f"The weather service answered {error.code}{_reason(error)}.") from None
    except (OSError, ValueError) as error:
        raise WeatherError(
            f"The weather service cannot be reached ({type(error).__name__})."
        ) from None
    return _parse(body)


def _reason(error: urllib.error.HTTPError) -> str:
    """Returns why Open-Meteo refused a request: `{"error": true, "reason": "…"}`."""
    try:
        return f": {json.loads(error.read(10_000))['reason'][:200]}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _parse(body: bytes) -> JsonObject:
    if len(body) > MAX_BYTES:
        raise WeatherError(f"The weather service's answer is longer than {MAX_BYTES:,} bytes.")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise WeatherError("The weather service's answer is not JSON.") from None
    if not isinstance(answer, dict):
        raise WeatherError("The weather service's answer is not a JSON object.")
    return answer


get_current_weather = weather_tool()
