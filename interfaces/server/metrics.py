"""What Prometheus reads at `/metrics`: requests, turns, tokens, money and waiting times.

Labels are routes, models and statuses, never accounts, keys or texts.
"""

import os
from decimal import Decimal
from functools import cache
from typing import Any, Final

from fastapi import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from turngraph.interfaces.server.answer_parts import usage_of
from turngraph.interfaces.server.turn_runs import TurnEnd
from turngraph.state.usage import Usage

__all__ = ["MULTIPROCESS", "Metrics", "forget_process"]

MULTIPROCESS: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder in which several processes keep one set of metrics.

https://prometheus.github.io/client_python/multiprocess/
"""
_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 180)


class Metrics:
    """The metrics of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        into: Any = {"registry": self.registry}
        requests = Counter("turngraph_requests", "Requests answered.", ["route", "status"], **into)
        request_seconds = Histogram(
            "turngraph_request_seconds",
            "Seconds from a request to the end of its answer.",
            ["route"],
            buckets=_SECONDS,
            **into,
        )
        first_token_seconds = Histogram(
            "turngraph_first_token_seconds",
            "Seconds from the start of a streamed turn to the first part of its answer.",
            ["model"],
            buckets=_SECONDS,
            **into,
        )
        turns = Counter("turngraph_turns", "Turns that stopped.", ["model", "status"], **into)
        tokens = Counter("turngraph_tokens", "Tokens used.", ["model", "kind"], **into)
        cost = Counter("turngraph_cost_usd", "US dollars charged.", ["model"], **into)
        # Looking a counter up by its labels takes longer than counting.
        self._requests = cache(requests.labels)
        self._request_seconds = cache(request_seconds.labels)
        self._first_token_seconds = cache(first_token_seconds.labels)
        self._turns = cache(turns.labels)
        self._tokens = cache(tokens.labels)
        self._cost = cache(cost.labels)
        self._running = Gauge(
            "turngraph_turns_running", "Turns that run.", multiprocess_mode="livesum", **into
        )
        self._waiting = Gauge(
            "turngraph_turns_waiting",
            "Turns that wait for a place.",
            multiprocess_mode="livesum",
            **into,
        )

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """Counts a request that was answered. `route` is one of few, and no client's own path."""
        self._requests(route, status).inc()
        self._request_seconds(route).observe(seconds)

    def count_turn(self, end: TurnEnd, status: str) -> None:
        """Counts a turn that has stopped."""
        model, usage = end.plan.model.name, usage_of(end)
        self._turns(model, status).inc()
        amounts = [one.amount_usd for one in end.charges if one.amount_usd is not None]
        self.count_usage(model, usage, sum(amounts, Decimal(0)))
        if end.first_token_s is not None:
            self._first_token_seconds(model).observe(end.first_token_s)

    def count_usage(self, model: str, usage: Usage, usd: Decimal) -> None:
        """Counts tokens and US dollars. `model` is one of few names, and no client's own."""
        self._tokens(model, "input").inc(usage.input_tokens or 0)
        self._tokens(model, "output").inc(usage.output_tokens or 0)
        self._cost(model).inc(float(usd))

    def count_places(self, running: int, waiting: int) -> None:
        """Notes how many turns run in this process, and how many wait."""
        self._running.set(running)
        self._waiting.set(waiting)

    def page(self) -> Response:
        """What Prometheus reads, of all processes."""
        registry = self.registry
        if MULTIPROCESS in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def forget_process(pid: int) -> None:
    """Takes what runs and waits in a process that has ended out of the sums of all processes."""
    if MULTIPROCESS in os.environ:
        mark_process_dead(pid)  # type: ignore[no-untyped-call]
