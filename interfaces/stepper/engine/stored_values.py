"""Values of any graph's state as JSON and back. Each message or model is written once, however many
steps hold it.

A plain value stands as it is. A tuple is `{"t": […]}`, a mapping `{"m": [[key, value], …]}`, an
error `{"e": [class, text]}`, and any other value `{"o": number}`: a number of the table of objects.
"""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

from langgraph._internal import _serde
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from turngraph.graphs.serializers import TurnSerializer
from turngraph.interfaces.stepper.engine.task_controller import Graph, graphs_in
from turngraph.state.errors import TurnValueError

__all__ = ["ValueReader", "ValueWriter"]

_PLAIN: Final = (type(None), bool, int, float, str)
_SCHEMAS: Final = ("state_schema", "input_schema", "output_schema")
_SHORT: Final = 16
"""Lists that are shorter are written where they stand; others once, in the table of objects."""


class ValueWriter:
    """Writes values of `graph`.

    `objects` is the table of objects: the encoding of each and its text.
    """

    def __init__(self, graph: Graph) -> None:
        self._serializer = _serializer_for(graph)
        self.objects: list[list[Any]] = []
        self._numbers: dict[object, int] = {}
        self._written: list[object] = []  # an id is an object's own only as long as it lives
        self._readable: set[type] = set()

    def write(self, value: object) -> Any:
        """Returns `value` as JSON.

        Raises TurnValueError for a value that could not be read back.
        """
        if type(value) in _PLAIN:
            return value
        if type(value) is list:
            return self._list(value)
        if type(value) is tuple:
            return {"t": [self.write(item) for item in value]}
        if isinstance(value, Mapping):
            return {"m": [[self.write(key), self.write(item)] for key, item in value.items()]}
        if isinstance(value, BaseException):  # as the views show it
            return {"e": [type(value).__name__, str(value)]}
        return {"o": self._number(id(value), value)}

    def _list(self, value: list[Any]) -> Any:
        if len(value) < _SHORT:
            return [self.write(item) for item in value]
        # LangGraph gives every task a list of its own with the same messages in it.
        key = tuple(map(id, value))
        if key not in self._numbers:
            items = [self.write(item) for item in value]
            self.objects.append(["list", items])
            self._numbers[key] = len(self.objects) - 1
            self._written.append(value)
        return {"o": self._numbers[key]}

    def _number(self, key: int, value: object) -> int:
        if key not in self._numbers:
            kind, data = self._encoded(value)
            self.objects.append([kind, base64.b64encode(data).decode()])
            self._numbers[key] = len(self.objects) - 1
            self._written.append(value)
        return self._numbers[key]

    def _encoded(self, value: object) -> tuple[str, bytes]:
        kind = type(value)
        try:
            data = self._serializer.dumps_typed(value)
            # A class that the graph's state does not name is not loaded: checked once for each.
            if kind not in self._readable and not isinstance(
                self._serializer.loads_typed(data), kind
            ):
                raise TypeError(f"the state of the graph does not name {kind.__qualname__}")
        except (TypeError, ValueError) as exc:
            raise TurnValueError(
                f"A value of the class `{kind.__module__}.{kind.__qualname__}` cannot be saved: "
                f"{exc}. Keep plain data, pydantic models or dataclasses in the state."
            ) from exc
        self._readable.add(kind)
        return data


class ValueReader:
    """Reads what a `ValueWriter` wrote for the same `graph`. No class is loaded that is not a
    message, of a turn's state, or named by the state of the graph.
    """

    def __init__(self, graph: Graph, objects: Sequence[Sequence[Any]]) -> None:
        self._serializer = _serializer_for(graph)
        self._objects = objects
        self._read: dict[int, Any] = {}

    def read(self, written: Any) -> Any:
        """Returns the value. Raises TypeError, ValueError or LookupError for damaged JSON."""
        if isinstance(written, list):
            return [self.read(item) for item in written]
        if not isinstance(written, dict):
            return written
        ((kind, content),) = written.items()
        if kind == "t":
            return tuple(self.read(item) for item in content)
        if kind == "m":
            return {self.read(key): self.read(item) for key, item in content}
        if kind == "e":
            name, text = content
            if name == asyncio.CancelledError.__name__:  # a stopped task has not failed
                return asyncio.CancelledError(str(text))
            return type(str(name), (RuntimeError,), {})(str(text))
        if kind != "o" or content < 0:
            raise ValueError(f"{kind!r} {content!r} is no value")
        value = self._object(content)
        return list(value) if type(value) is list else value

    def _object(self, number: int) -> Any:
        if number not in self._read:
            kind, content = self._objects[number]
            if kind == "list":
                self._read[number] = self.read(content)
            elif kind in ("msgpack", "bytes", "bytearray"):
                data = base64.b64decode(content, validate=True)
                self._read[number] = self._serializer.loads_typed((kind, data))
            else:  # LangGraph would unpickle one kind, which can run code
                raise ValueError(f"{kind!r} is no kind of object")
        return self._read[number]


def _serializer_for(graph: Graph) -> JsonPlusSerializer:
    allowed = set[tuple[str, ...]]()
    for _, each in graphs_in(graph):
        builder = getattr(each, "builder", None)
        holders = (builder, *getattr(builder, "nodes", {}).values())
        schemas = [getattr(holder, name, None) for holder in holders for name in _SCHEMAS]
        allowed |= _serde.build_serde_allowlist(
            schemas=[schema for schema in schemas if schema is not None],
            channels=dict(each.channels),
        )
    return TurnSerializer().with_msgpack_allowlist(allowed)
