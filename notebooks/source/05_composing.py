# %% [markdown]
# # Turns as nodes of an agent graph
# A router, map-reduce, a supervisor, and a person who agrees first. A turn is a node like any
# other.

# %%
import operator
from typing import Annotated, Literal

from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, Send

from turngraph import TurnStepper, chat_turn
from turngraph.drawing import Picture, draw_svg
from turngraph.interfaces.notebook_model import notebook_model
from turngraph.scripted import Call, ReceivedRequest, Say

# %% [markdown]
# ## A router
# It sends each question to one of two turns. A double frame is a graph that can be stepped into.


# %%
def route(state: MessagesState) -> str:
    """Questions with digits go to the accountant."""
    return (
        "accountant" if any(letter.isdigit() for letter in state["messages"][-1].text) else "poet"
    )


sums = notebook_model(Call(("calculator", {"expression": "6 * 7"}, "call-1")), Say("42."))
graph = StateGraph(MessagesState)
graph.add_node("accountant", chat_turn(sums, functions=["calculator"], approve=True))
graph.add_node("poet", chat_turn(notebook_model(Say("Roses are red."))))
graph.add_conditional_edges(START, route, ["accountant", "poet"])
router = graph.compile()
Picture(draw_svg(router.get_graph()))

# %% [markdown]
# Press **Step**: it enters the turn, where LangGraph's own breakpoints stop before and after it
# only. **Step over** takes the whole turn at once.

# %%
stepper = TurnStepper(router, {"messages": [("user", "What is 6 * 7?")]})
stepper.show()

# %%
stepper.jump(0)
stepper.step()
stepper.now.nodes

# %% [markdown]
# ## A person agrees first
# This accountant asks before it calculates.

# %%
stepper.run()
stepper.now.waiting[0].interrupt.value

# %% [markdown]
# Agreed: on to the end. Only the messages, the result and the charges have crossed into the parent.

# %%
stepper.answer({"decision": "approve"})
stepper.run()
[message.text for message in stepper.state["messages"]]

# %% [markdown]
# ## Map-reduce
# One turn for each city, side by side; another turn makes one answer of theirs.


# %%
class Trip(MessagesState):
    """A conversation, and the cities it is about."""

    cities: list[str]


def each_city(state: Trip) -> list[Send]:
    """One turn for each city."""
    return [
        Send("guide", {"messages": [("user", f"One sight of {city}?")]}) for city in state["cities"]
    ]


sights = {"One sight of Oslo?": "The opera.", "One sight of Rome?": "The forum."}


def guide_answers(request: ReceivedRequest) -> Say:
    """The two calls may arrive in any order, so the question decides."""
    return Say(sights[request.body["messages"][-1]["content"]])


guide = notebook_model(guide_answers, guide_answers)
graph = StateGraph(Trip)
graph.add_node("plan", lambda state: {"cities": ["Oslo", "Rome"]})
graph.add_node("guide", chat_turn(guide))
graph.add_node("editor", chat_turn(notebook_model(Say("Go to the opera, then to the forum."))))
graph.add_edge(START, "plan").add_conditional_edges("plan", each_city, ["guide"]).add_edge(
    "guide", "editor"
)
trip = graph.compile()
Picture(draw_svg(trip.get_graph()))

# %% [markdown]
# Two calls are about to leave at once; `step_into` would run one of them alone.

# %%
stepper = TurnStepper(trip, {"messages": [("user", "Plan my trip.")]})
stepper.run_until("call_llm")
[(task.name, task.input["messages"][-1].text) for task in stepper.now.pending]

# %% [markdown]
# Each of the three calls is a charge of its own.

# %%
stepper.run()
print(stepper.response.text)
[charge.amount_usd for charge in stepper.charges]

# %% [markdown]
# ## A supervisor
# It names who works next, until it is content.


# %%
class Draft(MessagesState):
    """A conversation, and who worked on it."""

    worked: Annotated[list[str], operator.add]


def supervisor(state: Draft) -> Command[Literal["writer", "critic", "__end__"]]:
    """Writer, critic, writer, done."""
    order: list[Literal["writer", "critic", "__end__"]] = ["writer", "critic", "writer", "__end__"]
    chosen = order[len(state.get("worked", []))]
    return Command(goto=chosen, update={"worked": [chosen]})


writer = notebook_model(Say("It rains."), Say("Silver rain falls on the roofs."))
critic = notebook_model(Say("Too plain."))
graph = StateGraph(Draft)
graph.add_node("supervisor", supervisor)
graph.add_node("writer", chat_turn(writer, system="You write one line."))
graph.add_node("critic", chat_turn(critic, system="You judge in two words."))
graph.add_edge(START, "supervisor").add_edge("writer", "supervisor").add_edge(
    "critic", "supervisor"
)
team = graph.compile()
Picture(draw_svg(team.get_graph()))

# %% [markdown]
# `step_over` takes a whole turn at once.

# %%
stepper = TurnStepper(team, {"messages": [("user", "A line about rain.")]})
while not stepper.now.finished:
    stepper.step_over()
for message in stepper.state["messages"]:
    print(f"{message.type}: {message.text}")

# %% [markdown]
# The last walk as a page.

# %%
stepper
