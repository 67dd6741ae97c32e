"""What a screen shows of a stepper, pane by pane, as plain text and rows: for the widget, the page
and the terminal.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from langchain_core.messages import BaseMessage
from pydantic import BaseModel

from turngraph.drawing.marks import SIGNS, Mark
from turngraph.interfaces.plain_text import money, printable
from turngraph.interfaces.stepper.engine.differences import Differences, diff_states
from turngraph.interfaces.stepper.engine.places import role_of
from turngraph.interfaces.stepper.engine.step_texts import TaskNames
from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.views.call_panes import CALL_PANES
from turngraph.interfaces.stepper.views.charts import cost_chart, timeline_chart, tokens_chart
from turngraph.interfaces.stepper.views.cost import cost_text
from turngraph.interfaces.stepper.views.pane import (
    Pane,
    counted,
    fitted,
    message_text,
    short,
    table,
    value_text,
)
from turngraph.interfaces.stepper.views.parallel_tasks import parallel_tasks
from turngraph.interfaces.stepper.views.pending_edits import edits_of_step
from turngraph.interfaces.stepper.views.questions import question_text
from turngraph.interfaces.stepper.views.rows import charge_row, tool_rows
from turngraph.interfaces.stepper.views.shown_request import shown_request
from turngraph.interfaces.stepper.views.status import (
    answer_of,
    problems_of,
    shown_steps,
    turn_mark,
)

__all__ = ["PANES", "Pane", "graph_name", "headline", "pane_of", "panes_of", "step_now"]

_MAX_MESSAGES: Final = 30


def panes_of(
    stepper: Stepper, compared: str | None = None, call: int | None = None
) -> dict[str, Pane]:
    """Returns every pane by name, in the order of the screen.

    Args:
        stepper: where the turn stands.
        compared: the line that the pane `compare` shows beside this one; by default any other.
        call: the number of the call to the model that `request`, `response` and `curl` show; by
            default the latest.
    """
    return {name: pane_of(stepper, name, compared, call) for name in PANES}


def pane_of(
    stepper: Stepper, name: str, compared: str | None = None, call: int | None = None
) -> Pane:
    """Returns one of the panes that `panes_of` returns; in a long thread, each takes its time."""
    # A pane may show values of the user's graph, whose own methods can fail: the others stay.
    try:
        if name == "compare" and compared in stepper.forks and compared != stepper.name:
            return fitted(_comparison(stepper, str(compared)))
        if name in CALL_PANES:
            return fitted(CALL_PANES[name](stepper, call))
        return fitted(PANES[name](stepper))
    except Exception as exc:  # noqa: BLE001 - see above
        message = f"This pane cannot be shown: {type(exc).__name__}: {exc}"
        return fitted(Pane(message, note="error"))


def headline(stepper: Stepper, *, sign: bool = False) -> str:
    """Returns one line: the name of the line, the step, what runs next, the cost so far if known.

    With `sign` it begins with the sign of how the turn stands: ✗ if it failed.
    """
    if sign:
        return f"{SIGNS[turn_mark(stepper)]} {headline(stepper)}"
    parts = (stepper.name, f"step {step_now(stepper)}", cost_text(stepper))
    return printable(" · ".join(filter(None, parts)))


def graph_name(stepper: Stepper) -> str:
    """Returns the name of the task whose graph is shown: `joke 2`; empty for the outermost one."""
    focus = stepper.now.focus
    return "" if focus is None else printable(TaskNames(stepper.steps_so_far).graph_of(focus))


def step_now(stepper: Stepper) -> str:
    """Returns where the stepper stands: `3: call_llm → bill`, or at the end of a turn that failed
    `4: finalize → failed`.
    """
    return printable(shown_steps(stepper.steps_so_far)[-1][1])


def _problem(stepper: Stepper) -> Pane:
    # What has kept the answer away stands in the answer's place.
    in_answer = _answer(stepper).text.split("\n\n")
    problems = [each for each in problems_of(stepper) if each not in in_answer]
    return Pane("\n".join(problems), mark="failed")


def _question(stepper: Stepper) -> Pane:
    questions = [waiting.interrupt.value for waiting in stepper.now.waiting]
    return Pane("\n".join(map(question_text, questions)), mark="waiting")


def _answer(stepper: Stepper) -> Pane:
    answer = answer_of(stepper)
    # A question has a pane of its own, with the fields to answer it.
    if answer.mark == "waiting":
        return Pane()
    # A graph that takes no messages gives no answer either.
    if answer.mark == "failed" and "messages" not in stepper.graph.channels:
        return Pane()
    mark: Mark | None = "failed" if answer.mark == "failed" else None
    return Pane(answer.text, note=answer.note, mark=mark)


def _messages(stepper: Stepper) -> Pane:
    messages = stepper.state.get("messages") or []
    shown = [message for message in messages if isinstance(message, BaseMessage)][-_MAX_MESSAGES:]
    earlier = len(messages) - len(shown)
    rows = [("…", f"{earlier} earlier messages")] if earlier else []
    rows += [
        (f"{place} {role_of(message)}", message_text(message))
        for place, message in enumerate(shown, earlier + 1)
    ]
    note = counted(len(messages), "message") if messages else ""
    if rows and _pending_edits(stepper):
        note += "; the pane request shows what was edited for this call only"
    return table(("from", "text"), rows, "{}: {}", note=note)


def _tools(stepper: Stepper) -> Pane:
    head = ("status", "tool", "arguments", "result")
    return table(head, tool_rows(stepper), "{}: {}({}) → {}", unit="call")


def _tasks(stepper: Stepper) -> Pane:
    tasks = parallel_tasks(stepper.steps_so_far)
    rows = [(each.status, each.name, short(each.given), short(each.answer)) for each in tasks]
    failed = sum(each.mark == "failed" for each in tasks)
    count = f"{failed} of {len(tasks)} failed" if failed else counted(len(tasks), "task")
    head = ("status", "task", "given", "answer")
    return table(head, rows, "{} {}: {} → {}", note=count if tasks else "")


def _state(stepper: Stepper) -> Pane:
    rows: list[tuple[str, ...]] = []
    for name, value in stepper.state.items():
        if name == "messages":  # these have a pane of their own
            continue
        rows.append((str(name), value_text(value)))
        if name == "request" and (edits := _pending_edits(stepper)):
            rows.append(("request, this call only", "\n".join(map(str, edits))))
    graph = graph_name(stepper)
    note = counted(len(rows), "value") + (f" of {graph}" if graph else "")
    return table(("name", "value"), rows, "{}: {}", note=note if rows else "")


def _pending_edits(stepper: Stepper) -> Differences:
    """What was edited in the request that is about to be sent. The state keeps it unedited."""
    request = shown_request(stepper)
    return Differences() if request is None or request.wire.sent else request.wire.edits


def _difference(stepper: Stepper) -> Pane:
    steps = stepper.steps_so_far
    if len(steps) < 2:
        return Pane()
    before, now = steps[-2], steps[-1]
    rows = [(path, short(a), short(b)) for path, a, b in _changes(stepper, before, now)]
    if now.kind == "edit":
        request = shown_request(stepper)
        shown = None if request is None or request.wire.sent else request.wire
        rows += [
            (each.path, short(each.before), short(each.after))
            for each in edits_of_step(before, now, shown)
        ]
    return table(("what", "before", "after"), rows, "{}: {} → {}", unit="change")


def _changes(stepper: Stepper, before: Step, now: Step) -> Iterator[tuple[str, Any, Any]]:
    """What changed in the state of each graph in which a task ran; each keeps a state of its own.

    A graph that is over is left out: what came of it stands in the state of the graph around it.
    """
    over = {run.task.own_namespace for run in now.runs}
    ran = {run.task.namespace: run.task for run in now.runs if run.task.namespace not in over}
    spaces = list(ran) or ([] if now.kind == "step" else [now.namespace])
    names = TaskNames(stepper.steps_so_far) if len(spaces) > 1 else None
    for space in spaces:
        graph = names.graph_of(ran[space]) if names else ""
        old, new = (stepper.state_at(step, space) for step in (before, now))
        for change in diff_states(old, new):
            path = f"{graph}: {change.path}" if graph else change.path
            yield path, change.before, change.after


def _events(stepper: Stepper) -> Pane:
    # Tokens are left out: the answer they add up to has a pane of its own.
    shown = [event for event in stepper.events if getattr(event, "type", "") != "token"]
    rows = [(getattr(event, "type", type(event).__name__), _fields(event)) for event in shown]
    return table(("event", "what"), rows, "{} {}", unit="event")


def _fields(event: BaseModel) -> str:
    return event.model_dump_json(exclude={"type", "turn_id", "request"}, exclude_none=True)


def _charges(stepper: Stepper) -> Pane:
    rows = [charge_row(charge) for charge in stepper.charges]
    head = ("for", "of", "tokens in", "tokens out", "USD")
    note = money(stepper.cost) if rows else ""
    return table(head, rows, "{} {}: {} + {} tokens: {}", note=note)


def _charts(stepper: Stepper) -> Pane:
    steps = stepper.steps_so_far
    if not any(step.runs for step in steps):
        return Pane()
    charts = [timeline_chart(steps)]
    # A graph without a turn in it has neither tokens nor costs.
    if any(step.attempts for step in steps):
        charts += [tokens_chart(steps), cost_chart(steps)]
    return Pane(pictures=tuple(charts))


def _compare(stepper: Stepper) -> Pane:
    other = next((name for name in stepper.forks if name != stepper.name), None)
    return Pane() if other is None else _comparison(stepper, other)


def _comparison(stepper: Stepper, other: str) -> Pane:
    comparison = stepper.compare(stepper, other, ends=True)
    rows = [
        *comparison.rows,
        *((each.path, short(each.before), short(each.after)) for each in comparison.values),
    ]
    note = f"to their last steps: {comparison.summary}"
    return table(("compared", *comparison.names), rows, "{}: {} | {}", note=note)


def _breakpoints(stepper: Stepper) -> Pane:
    lines = (f"{number} {each!r}" for number, each in enumerate(stepper.breakpoints, 1))
    return Pane("\n".join(lines))


PANES: Final[Mapping[str, Callable[[Stepper], Pane]]] = {
    "problem": _problem,
    "question": _question,
    "answer": _answer,
    "messages": _messages,
    "request": lambda stepper: CALL_PANES["request"](stepper, None),
    "response": lambda stepper: CALL_PANES["response"](stepper, None),
    "tools": _tools,
    "tasks": _tasks,
    "state": _state,
    "diff": _difference,
    "events": _events,
    "charges": _charges,
    "charts": _charts,
    "compare": _compare,
    "curl": lambda stepper: CALL_PANES["curl"](stepper, None),
    "breakpoints": _breakpoints,
}
"""How each pane is built, by name, in the order of the screen."""
