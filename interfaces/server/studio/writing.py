"""What a key with the scope `studio:write` may do in the studio: run turns of its own account.

Nothing that a browser sends names the account, the API key, the thread or the connection of a call.
A run begins with messages alone, and the server adds whom it is charged to, as it does for a chat
completion: in the settings of a turn, and in the `configurable` of every run, which reaches the
turns and models inside a graph of the user's own. Of the edits, only those are made that cannot
touch this. Before each move that runs anything the state is checked once more.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from turngraph.graphs.turn_graph import TurnGraph
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.chat_request import read_chat_request
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.rate_limits.limiter import estimated_tokens
from turngraph.interfaces.server.service import Service
from turngraph.interfaces.server.studio.threads import is_of_account
from turngraph.interfaces.server.turn_planning import find_model, settings_for
from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.views.actions import Message
from turngraph.interfaces.stepper.views.shown_request import shown_request
from turngraph.interfaces.studio.rules import Rules
from turngraph.state.errors import TurnInvocationError, TurnValueError
from turngraph.state.payer import Payer
from turngraph.state.turn import TurnSettings

__all__ = ["rules_for"]


_LOOKING: Final = frozenset(
    (
        *("back", "jump", "line", "compare", "model_call", "undo", "redo", "fork"),
        *("add_breakpoint", "remove_breakpoint"),
    )
)
_RUNNING: Final = frozenset(("step", "step_into", "step_over", "run", "run_until", "answer"))
"""The moves that may ask a model or run a tool."""
_EDITING: Final = frozenset(("edit_turn", "edit_arguments", "edit_result"))
_WAIT_S: Final = 20.0
"""How long a move waits for a place among the server's turns."""


def rules_for(caller: Caller, service: Service) -> Rules:
    """Returns the rules of the studio of a caller."""
    if "studio:write" not in caller.scopes:
        return Rules(may_change=lambda scope: False, is_trusting=False)
    account = _Account(caller, service, asyncio.get_running_loop())
    payer = Payer(caller.account, caller.key_id).configurable
    own = account.checked_input, account.guard, payer
    return Rules(lambda scope: True, *own, is_trusting=False)


class _Account:
    """The runs of one caller."""

    def __init__(self, caller: Caller, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        self._caller, self._service, self._loop = caller, service, loop

    def checked_input(self, name: str, given: Any, thread: str | None) -> Any:
        """Returns the input of a run that `given` asks for: its messages, on this account.

        Raises ServerError for a model that the key may not ask, and TurnInvocationError for
        anything but messages, and for a thread that is not the account's.
        """
        if thread is not None and not is_of_account(str(thread), self._caller.account):
            raise TurnInvocationError("There is no such thread. Begin without one, or on another.")
        model = find_model(self._service.models, name, self._caller)
        if not isinstance(given, Mapping) or given.keys() != {"messages"}:
            raise TurnInvocationError("A run begins with `messages`, and with nothing else.")
        messages = given["messages"]
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        asked = read_chat_request({"model": name, "messages": messages})
        if not model.is_turn:
            return {"messages": [*asked.messages]}
        settings = settings_for(asked.settings, asked.messages, self._caller, model)
        return {"messages": [*asked.messages], "settings": settings}

    @contextmanager
    def guard(self, line: Stepper, message: Message) -> Iterator[None]:
        """The block in which a move is made, on the thread of its run.

        Raises TurnInvocationError for a move that is not made here, and ServerError at a limit.
        """
        action = message.get("action")
        if action in _LOOKING:
            yield
            return
        if action not in _RUNNING | _EDITING:
            raise TurnInvocationError(
                "This is not done in the server's studio. Here one steps, answers questions, "
                "forks, and edits the system message, the question, the tools, the sampling, and "
                "a tool's arguments and result."
            )
        self._check_own(line)
        if action == "edit_turn":
            _check_model_stays(line, message)
        if action in _EDITING:
            yield
            return
        tokens = estimated_tokens(len(json.dumps(message, default=str)), None)
        admitted = self._wait(self._service.limiter.admit(self._caller, tokens=tokens))
        place = self._service.runs.admission.place(self._caller.account)
        try:
            self._wait(place.__aenter__())
        except BaseException:
            self._wait(self._service.limiter.settle(admitted, tokens=0))
            raise
        try:
            yield
        finally:
            self._wait(place.__aexit__(None, None, None))

    def _check_own(self, line: Stepper) -> None:
        """Raises TurnInvocationError unless what the run does next is charged to this key."""
        states = (line.state_at(line.now, ""), line.state)
        named = [
            each for state in states if isinstance(each := state.get("settings"), TurnSettings)
        ]
        if not isinstance(line.graph, TurnGraph):
            self._check_begun_here(line)
            # What names nobody is charged to whom the run's `configurable` names.
            named = [each for each in named if each.account is not None]
        elif not named:
            named = [TurnSettings()]
        for whose in named:
            if (whose.account, whose.api_key_id) != (self._caller.account, self._caller.key_id):
                raise TurnInvocationError(
                    "This run would be charged to the API key that began it, which is not the one "
                    "of this login. Begin a new run here."
                )
            if whose.previous_response_id is not None or whose.extra_body:
                raise TurnInvocationError(
                    "This run names what stands at the vendor. Begin a new one."
                )

    def _check_begun_here(self, line: Stepper) -> None:
        """Raises TurnInvocationError for a stored run of a graph of the user's own. A turn that
        waits inside of it would be charged to whoever began it.
        """
        if line.timeline[0].kind != "start":
            raise TurnInvocationError(
                "This run was not begun here, so it can only be looked at. Begin a new run, which "
                "may go on with its thread."
            )

    def _wait(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(_in_time(work), self._loop).result()


async def _in_time(work: Any) -> Any:
    # Within the loop: a place that is given in the last moment is had, and not lost.
    try:
        async with asyncio.timeout(_WAIT_S):
            return await work
    except TimeoutError:
        raise ServerError(503, "The server has no place for this now. Try again.") from None


def _check_model_stays(line: Stepper, message: Message) -> None:
    """Raises TurnValueError where an edit names another model, whose rights are others."""
    shown = shown_request(line)
    if message.get("part") != "sampling" or shown is None:
        return
    try:
        given = json.loads(str(message.get("value")))
    except ValueError:
        return  # which the edit itself reports
    model = shown.wire.request.model
    if isinstance(given, dict) and given.get("model") != model:
        raise TurnValueError(f"The model stays `{model}`: begin a run of another one instead.")
