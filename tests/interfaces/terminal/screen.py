"""The full-screen stepper on a screen of Textual's, with keys to press and things to look at."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from langchain_core.tools import tool
from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import Static

from tests.turns import ask, turn_on
from turngraph.interfaces.stepper import TurnStepper
from turngraph.interfaces.terminal.full_screen import StepperApp
from turngraph.scripted import Call, ScriptedModel

CALLS = Call(("double", {"n": 21}))


@tool
def double(n: int) -> str:
    """Twice a number."""
    return str(2 * n)


class Screen:
    """The program on a screen, with keys to press and things to look at."""

    def __init__(self, app: StepperApp, pilot: Pilot[None], model: ScriptedModel) -> None:
        self.app, self.pilot, self.model = app, pilot, model

    async def press(self, *keys: str) -> None:
        """Presses keys one by one; each move ends before the next key."""
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    async def type(self, key: str, argument: str) -> None:
        """Presses a key, and pastes what it asks for in place of what stands there.

        Letter by letter the screen would be drawn again for each of them.
        """
        await self.press(key, "ctrl+u")
        self.app.post_message(Paste(argument))
        await self.press("enter")

    async def settle(self) -> None:
        """Waits for what the last key has started."""
        await self.pilot.pause()
        await self.app.workers.wait_for_complete()
        await self.pilot.pause()

    @property
    def now(self) -> tuple[str, ...]:
        return self.app.stepper.now.nodes

    def text(self, selector: str) -> str:
        """The text of a part of the screen."""
        return str(self.app.query_one(selector, Static).visual)

    @property
    def picture(self) -> str:
        """The whole screen as text, a line for each row."""
        width = self.app.size.width
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.ljust(width) for strip in strips)


@asynccontextmanager
async def screen(
    script: list[Any],
    *,
    size: tuple[int, int] = (120, 40),
    question: str = "6 * 7?",
    **options: Any,
) -> AsyncIterator[Screen]:
    with (
        ScriptedModel(script) as model,
        TurnStepper(turn_on(model, tools=[double], **options), ask(question)) as stepper,
    ):
        app = StepperApp(stepper)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            yield Screen(app, pilot, model)


async def until(pilot: Pilot[None], happened: Callable[[], bool]) -> None:
    """Waits for something to happen outside of the program."""
    for _ in range(600):
        if happened():
            return
        await pilot.pause(0.05)
    raise AssertionError("it never happened")
