"""Tool calls, put together from the pieces in which a stream sends them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from turngraph.providers.reading.arguments import READ_ARGUMENTS_NOTE, one_object
from turngraph.providers.reading.asked import Asked, unserved
from turngraph.providers.reading.json_values import text_or_none
from turngraph.providers.reading.read_limits import ReadLimits, too_large
from turngraph.state.errors import ProviderError
from turngraph.state.json_types import JsonMapping, JsonObject
from turngraph.state.reply import ToolCall

__all__ = ["SERVED_NOTE", "CallAssembler", "with_unique_ids"]

STANDARD = frozenset({"id", "index", "type", "function", "custom", "name", "arguments"})
"""Members of a call that are read into fields of `ToolCall`; the others are kept in `extra`."""
SERVED_NOTE = "A tool call that the vendor serves itself was left to it."
"""The note on an answer that held calls of tools that run at the vendor."""


LEGACY_NOTE = "`function_call` came beside `tool_calls`; it was ignored."


@dataclass
class PartialCall:
    """A tool call whose pieces are still arriving."""

    id: str | None
    choice: int = 0
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    size: int = 0
    extra: JsonObject = field(default_factory=dict)

    @property
    def arguments(self) -> str:
        """The pieces together. Where each piece repeats those before it, it is the last one."""
        whole, last = "".join(self.pieces), self.pieces[-1] if self.pieces else ""
        repeats = len(self.pieces) > 1 and all(map(last.startswith, self.pieces))
        if repeats and is_json_object(last) and not is_json_object(whole):
            return last
        return whole

    def is_legacy(self) -> bool:
        """Whether it came as `function_call`, the form before `tool_calls`."""
        return self.extra.get("type") == "function_call"

    def is_begun(self) -> bool:
        """Whether its name is there, and its arguments have not come to their end."""
        return bool(self.name) and not self.has_complete_arguments()

    def is_followed_by(self, arguments: object) -> bool:
        """Whether a piece that names this call again, with `arguments`, is the call after it.

        A server that repeats the whole call at its end repeats its arguments; some begin with an
        empty object before the arguments come.
        """
        return (
            bool(arguments)
            and arguments != self.arguments
            and self.arguments.strip() != "{}"
            and self.has_complete_arguments()
        )

    def has_complete_arguments(self) -> bool:
        # The last character is looked at first: parsing all of it for every piece would be slow.
        return (
            self.size > 1
            and self.pieces[-1].rstrip().endswith("}")
            and is_json_object(self.arguments)
        )


def is_json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


class CallAssembler:
    """Adds each piece of a stream to the tool call it belongs to.

    A piece belongs to the call with its index; without an index, to the call with its id; with
    neither, to the call at the same place of the list, or to the last call. A piece without id and
    name never starts a call, not even under a new index; one with an id of its own starts none
    while arguments are under way. Each choice has calls of its own.

    OpenAI sends fragments by index (https://platform.openai.com/docs/api-reference/chat-streaming).
    Others send whole calls in one piece (Gemini, Groq, xAI, Ollama), leave out the index (Gemini),
    use one index for several ids, send a new id with every piece (vLLM), repeat the name or cut it,
    repeat the arguments so far (https://github.com/NousResearch/hermes-agent/pull/35718), send them
    as null or as an object, or leave out ids or give the same id twice (`with_unique_ids`).

    Raises `ProviderError` of kind `too_large` above the limits.

        >>> calls = CallAssembler(ReadLimits())
        >>> calls.add([{"index": 0, "id": "a", "function": {"name": "add", "arguments": '{"x"'}}])
        >>> calls.add([{"index": 0, "function": {"arguments": ": 1}"}}])
        >>> calls.calls()
        (ToolCall(id='a', name='add', arguments='{"x": 1}', extra=None),)
    """

    def __init__(self, limits: ReadLimits, asked: Asked = Asked()) -> None:  # noqa: B008, frozen
        self._limits = limits
        self._asked = asked
        self._calls: list[PartialCall] = []
        self._choice = 0
        self._by_index: dict[tuple[int, int], PartialCall] = {}
        self.notes: dict[str, None] = {}

    def add(self, pieces: object, *, whole: bool = False, choice: int = 0) -> None:
        """Adds the `tool_calls` of one delta.

        whole: whether each piece is a call of its own, as in a JSON answer.
        choice: the index of the choice that the delta belongs to.
        """
        self._choice = choice
        if isinstance(pieces, dict):
            pieces = [pieces]
        if not isinstance(pieces, list):
            self.notes["`tool_calls` is not a list; it was ignored."] = None
            return
        for place, piece in enumerate(pieces):
            if isinstance(piece, dict):
                self._add(piece, whole=whole, place=place - len(pieces))
            elif piece is not None:
                self.notes["A tool call is not an object; it was ignored."] = None

    def __bool__(self) -> bool:
        return bool(self._calls)

    def calls(self) -> tuple[ToolCall, ...]:
        """The calls so far, in the order in which they started, each with an id of its own."""
        begun = [call for call in self._calls if call.name or call.id or call.size]
        if any(map(PartialCall.is_legacy, begun)) and not all(map(PartialCall.is_legacy, begun)):
            # One call in both forms, the deprecated one and today's, runs once.
            begun = [call for call in begun if not call.is_legacy()]
            self.notes[LEGACY_NOTE] = None
        ours = [
            call
            for call in begun
            if unserved(call.extra.get("type"), call.id, call.name, self._asked)
        ]
        if len(ours) < len(begun):
            self.notes[SERVED_NOTE] = None
        return with_unique_ids([self._tool_call(call) for call in ours], self.notes)

    def _tool_call(self, call: PartialCall) -> ToolCall:
        written, arguments = call.arguments, call.arguments
        if call.extra.get("type") != "custom":  # a custom tool takes any text
            arguments = one_object(written)
        if arguments is not written:
            self.notes[READ_ARGUMENTS_NOTE] = None
        return ToolCall(
            id=call.id or "", name=call.name, arguments=arguments, extra=call.extra or None
        )

    def _add(self, piece: JsonMapping, *, whole: bool, place: int) -> None:
        """Adds one piece. `place` is its place in the delta, counted back from the end (-1)."""
        id_, function = text_or_none(piece.get("id")), called_function(piece)
        index = whole_number(piece.get("index"))
        name = text_or_none(function.get("name"))
        call = None
        if not whole:
            call = self._find_call(index, id_, name, function, place)
        if call is None:
            call = self._start_call(index, id_)
        # The first id and name are kept: some servers send another id with every piece.
        call.id = call.id or id_
        if name is not None and (not call.name or self._goes_on(call, name)):
            call.name += name
        call.extra.update(
            {
                key: value
                for key, value in piece.items()
                if key not in STANDARD and value is not None
            }
        )
        if piece.get("type") not in (None, "", "function"):
            call.extra["type"] = piece["type"]
        self._append_arguments(call, function.get("arguments", function.get("input")))

    def _start_call(self, index: int | None, id_: str | None) -> PartialCall:
        if len(self._calls) >= self._limits.tool_calls:
            raise too_large(f"The answer has more than {self._limits.tool_calls} tool calls.")
        call = PartialCall(id_, self._choice)
        self._calls.append(call)
        if index is not None:
            self._by_index[self._choice, index] = call
        return call

    def _find_call(
        self,
        index: int | None,
        id_: str | None,
        name: str | None,
        function: JsonMapping,
        place: int,
    ) -> PartialCall | None:
        """The call that a piece continues, or None where the piece starts a new call."""
        if index is not None:
            call = self._by_index.get((self._choice, index)) or self._found_under_new_index(
                id_, name, function
            )
            return None if call is None or self._starts_another(call, id_, name, function) else call
        if id_ is not None:
            call = self._by_id(id_) or self._under_way(name, function)
            return None if call is None or self._starts_another(call, id_, name, function) else call
        if name is None and -place > 1:
            # Several bare fragments in one delta continue the last calls, in their order.
            calls = self._of_choice()
            return calls[place] if -place <= len(calls) else None
        last = self._last()
        return None if last is None or self._starts_another(last, id_, name, function) else last

    def _found_under_new_index(
        self, id_: str | None, name: str | None, function: JsonMapping
    ) -> PartialCall | None:
        """The call that a piece with a new index continues: some servers count the pieces."""
        if id_ is None and name is None:
            return self._last()
        call = self._by_id(id_) or self._under_way(name, function)
        if call is None or name is None:
            return call
        # Id and name come again. After arguments that are complete it is another call, whose id
        # the server used twice.
        return call if name == call.name and not call.has_complete_arguments() else None

    def _under_way(self, name: str | None, function: JsonMapping) -> PartialCall | None:
        """The last call, if a piece of another id and no name goes on with its arguments."""
        last = self._last()
        goes_on = (
            name is None and last is not None and last.is_begun() and function.get("arguments")
        )
        return last if goes_on else None

    def _starts_another(
        self, call: PartialCall, id_: str | None, name: str | None, function: JsonMapping
    ) -> bool:
        """Whether a piece that points to `call` starts another call instead of continuing it."""
        if id_ is not None and call.id is not None and id_ != call.id:
            return name is not None or not call.is_begun()
        if id_ is not None and name == call.name:
            return call.is_followed_by(function.get("arguments"))
        if name is None or not call.name or id_ is not None or self._goes_on(call, name):
            return False
        # The name comes again, without an id. With the next piece of the arguments it is a
        # repetition; after arguments that are complete it starts the next call.
        repeated = name == call.name
        has_arguments = bool(function.get("arguments"))
        return not repeated or (has_arguments and call.has_complete_arguments())

    def _goes_on(self, call: PartialCall, name: str) -> bool:
        """Whether `name` is the next piece of the call's name, and not a tool's own."""
        tools = self._asked.tools or frozenset()
        if call.size or name in tools:
            return False
        return any(tool.startswith(call.name + name) for tool in tools)

    def _of_choice(self) -> list[PartialCall]:
        return [call for call in self._calls if call.choice == self._choice]

    def _last(self) -> PartialCall | None:
        calls = self._of_choice()
        return calls[-1] if calls else None

    def _by_id(self, id_: str | None) -> PartialCall | None:
        calls = reversed(self._of_choice())
        return next((call for call in calls if id_ is not None and call.id == id_), None)

    def _append_arguments(self, call: PartialCall, arguments: object) -> None:
        if arguments is None or arguments == "":
            return
        if not isinstance(arguments, str):
            self.notes["Arguments came as JSON, not as text; they were written out."] = None
            arguments = json.dumps(arguments, ensure_ascii=False)
        call.pieces.append(arguments)
        call.size += len(arguments)
        if call.size > self._limits.argument_chars:
            raise arguments_too_long(self._limits)


def arguments_too_long(limits: ReadLimits) -> ProviderError:
    return too_large(
        f"The arguments of a tool call are longer than {limits.argument_chars} characters."
    )


def whole_number(index: object) -> int | None:
    """`index` where it is a whole number; some servers write it as text or as a float.

    >>> whole_number("1"), whole_number(1.0), whole_number(None)
    (1, 1, None)
    """
    if isinstance(index, str) and index.isascii() and index.isdigit():
        return int(index[:9])
    return int(index) if isinstance(index, int | float) and index % 1 == 0 else None


def called_function(piece: JsonMapping) -> JsonMapping:
    """The function of a call, or the custom tool.

    Snowflake sends both, and leaves the one that is not meant empty. Cloudflare's own models have
    name and arguments in the call itself:
    https://developers.cloudflare.com/workers-ai/features/function-calling/
    """
    found = [value for key in ("function", "custom") if isinstance(value := piece.get(key), dict)]
    return next((value for value in found if value.get("name")), found[0] if found else piece)


def with_unique_ids(calls: Sequence[ToolCall], notes: dict[str, None]) -> tuple[ToolCall, ...]:
    """`calls` with an id each: a missing one is `call_<place>`, a repeated one gets `#2`.

    A tool's result is sent back under the id of its call, so two calls must not share one; servers
    that parse calls out of the model's text (vLLM) may send `id: null`. What was changed is added
    to `notes`.

        >>> call = ToolCall(id="", name="add", arguments="{}")
        >>> calls = [call, call.model_copy(update={"id": "x"}), call]
        >>> [call.id for call in with_unique_ids(calls, {})]
        ['call_0', 'x', 'call_2']
    """
    sent_ids = {call.id for call in calls}
    used: set[str] = set()
    unique = []
    for place, call in enumerate(calls):
        id_ = call.id or unused_id(f"call_{place}", sent_ids)
        if not call.id:
            notes["A tool call had no id; one was made up."] = None
        elif id_ in used:
            id_ = unused_id(id_, sent_ids | used)
            notes["Two tool calls had the same id; the later one was renamed."] = None
        used.add(id_)
        unique.append(call if id_ == call.id else call.model_copy(update={"id": id_}))
    return tuple(unique)


def unused_id(id_: str, used: set[str]) -> str:
    number = 2
    candidate = id_
    while candidate in used:
        candidate, number = f"{id_}#{number}", number + 1
    return candidate
