# %% [markdown]
# # One turn, step by step
# A turn is a LangGraph graph. Here is one that may use a calculator; the picture is drawn on this
# machine.

# %%
from turngraph import TurnStepper, chat_turn
from turngraph.interfaces.notebook_model import notebook_model
from turngraph.interfaces.stepper import cost_chart, tokens_chart
from turngraph.scripted import Call, Say

model = notebook_model(Call(("calculator", {"expression": "6 * 7"}, "call-1")), Say("It is 42."))
turn = chat_turn(model, functions=["calculator"])
turn

# %% [markdown]
# The widget stands before the first stage, and nothing has run. Press **Step** (or the key `s`) a
# few times; **Back** runs nothing, and **Undo** takes back any move. The cells below do the same in
# code, and the widget follows them.

# %%
stepper = TurnStepper(turn, {"messages": [("user", "What is 6 * 7?")]})
stepper.show()

# %% [markdown]
# Where it stands: this runs next.

# %%
stepper.jump(0)
stepper.now.nodes

# %% [markdown]
# Before `call_llm` you see the exact JSON that is about to leave.

# %%
stepper.run_until("call_llm")
print(stepper.request)

# %% [markdown]
# The model asks for its tool.

# %%
stepper.run_until("dispatch_tools")
stepper.now.pending[0].call

# %% [markdown]
# One step runs the tool; the difference is its message.

# %%
stepper.step()
[message.text for message in stepper.state["messages"]]

# %% [markdown]
# The tool's answer travels in the second request.

# %%
stepper.run_until("call_llm")
stepper.request["messages"][-1]

# %% [markdown]
# To the end: the answer, and what it cost.

# %%
stepper.run()
print(stepper.state["result"].answer, stepper.cost)

# %% [markdown]
# Tokens and cost of each call, as pictures.

# %%
tokens_chart(stepper.timeline)

# %%
cost_chart(stepper.timeline)

# %% [markdown]
# The stepper itself is a page: what the widget shows, without buttons.

# %%
stepper
