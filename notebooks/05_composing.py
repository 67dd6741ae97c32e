# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Turns as nodes of an agent graph
# A router sends each question to one of two turns. They are nodes like any other.

# %%
from langgraph.graph import START, MessagesState, StateGraph

from turngraph.graphs import chat_turn
from turngraph.interfaces.stepper import TurnStepper
from turngraph.interfaces.stepper.lesson import lesson_model
from turngraph.providers.scripted import Call, Say


def route(state: MessagesState) -> str:
    """Numbers go to the accountant."""
    return "accountant" if any(letter.isdigit() for letter in state["messages"][-1].text) else "poet"


sums = lesson_model(Call(("calculator", {"expression": "6 * 7"}, "call-1")), Say("42."))
graph = StateGraph(MessagesState)
graph.add_node("accountant", chat_turn(sums, functions=["calculator"], approve=True))
graph.add_node("poet", chat_turn(lesson_model(Say("Roses are red."))))
graph.add_conditional_edges(START, route, ["accountant", "poet"])
agents = graph.compile()

# %% [markdown]
# `step` enters the turn; LangGraph's own breakpoints stop before and after it only.

# %%
stepper = TurnStepper(agents, {"messages": [("user", "What is 6 * 7?")]})
stepper.step()
stepper.now.nodes

# %% [markdown]
# The accountant asks a person before it calculates.

# %%
stepper.run()
stepper.now.waiting[0].interrupt.value

# %% [markdown]
# Agreed: on to the end.

# %%
stepper.answer({"decision": "approve"})
stepper.run()
[message.text for message in stepper.state["messages"]]
