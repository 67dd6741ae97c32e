"""Walks a thread of turns on LangGraph's own server, with LangGraph's own client.

langgraph dev --no-browser                    # in the folder of langgraph.json
python examples/langgraph_client.py           # or with the server's URL
"""

import asyncio
import sys
from typing import Any

from langgraph_sdk import get_client


def question(text: str) -> dict[str, Any]:
    """A turn's input: what is new in the conversation."""
    return {"messages": [{"role": "user", "content": text}]}


async def walk(url: str) -> None:
    """Runs two turns, stops inside a third one, and forks from before the second."""
    client = get_client(url=url)
    thread = (await client.threads.create())["thread_id"]

    for number, product in ((1, "6 * 7"), (2, "6 * 8")):
        out: Any = await client.runs.wait(
            thread, "chat_turn", input=question(f"What is {product}?")
        )
        found = out["result"]["tool_runs"][0]["content"]
        print(f"turn {number}: {product} is {found}; {len(out['messages'])} messages")

    await client.runs.wait(
        thread, "chat_turn", input=question("What is 6 * 9?"), interrupt_before=["call_llm"]
    )
    state: Any = await client.threads.get_state(thread)
    print(f"stopped before {state['next'][0]}; about to ask {state['values']['request']['model']}")

    history: Any = await client.threads.get_history(thread, limit=100)
    after_first = next(past for past in history if len(past["values"]["messages"]) == 4)
    forked: Any = await client.runs.wait(
        thread,
        "chat_turn",
        input=question("What is 6 * 8?"),
        checkpoint_id=after_first["checkpoint"]["checkpoint_id"],
    )
    print(f"the same question from the past: {len(forked['messages'])} messages")


if __name__ == "__main__":
    asyncio.run(walk(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:2024"))
