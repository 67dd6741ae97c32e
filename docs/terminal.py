"""Draws the picture of `turngraph step`: python docs/terminal.py docs/terminal.svg"""

import asyncio
import sys
from pathlib import Path

from turngraph import ProviderConfig, ScriptedModel, TurnStepper, chat_turn
from turngraph.interfaces.cli.output.files import offline_svg
from turngraph.interfaces.terminal.full_screen import StepperApp


async def picture() -> str:
    """The program before the first request of a turn is sent."""
    with ScriptedModel() as model:
        config = ProviderConfig(base_url=model.base_url, model="scripted")
        turn = chat_turn(config, functions=["calculator"])
        question = {"messages": [("user", "What is 17% of 2,340?")]}
        with TurnStepper(turn, question) as stepper:
            app = StepperApp(stepper)
            async with app.run_test(size=(120, 42)) as pilot:
                await pilot.press("s")
                await app.workers.wait_for_complete()
                await pilot.pause()
                return offline_svg(app.export_screenshot(title="turngraph step"))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(asyncio.run(picture()), "utf-8")
