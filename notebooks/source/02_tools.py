# %% [markdown]
# # Tools in parallel, and one that fails
# The model may ask for several tools at once. One of these does not know Atlantis.

# %%
from langchain_core.tools import tool

from turngraph import TurnStepper, chat_turn
from turngraph.interfaces.notebook_model import notebook_model
from turngraph.scripted import Call, Say


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    if city == "Atlantis":
        raise ValueError("no such city")
    return f"{city}: rain"


# %% [markdown]
# Press **Step** until `dispatch_tools` is next, then **Step into**, which runs one call alone; or
# run the cells below.

# %%
calls = Call(("weather", {"city": "Oslo"}, "call-1"), ("weather", {"city": "Atlantis"}, "call-2"))
model = notebook_model(calls, Say("Rain in Oslo. I could not find Atlantis."))
stepper = TurnStepper(
    chat_turn(model, tools=[weather]), {"messages": [("user", "Oslo and Atlantis?")]}
)
stepper.show()

# %% [markdown]
# Run until the tools are next: each call is a task of its own.

# %%
stepper.jump(0)
stepper.run_until("dispatch_tools")
[task.call.arguments for task in stepper.now.pending]

# %% [markdown]
# `step_into` runs one of them.

# %%
stepper.step_into()
stepper.state["messages"][-1].content

# %% [markdown]
# What if it had asked for another city? Edit the call that has not run yet, in a line of its own.

# %%
fork = stepper.fork("rome")
fork.edit(tool="call-2", arguments={"city": "Rome"})
fork.step()
fork.state["messages"][-1].content

# %% [markdown]
# In the first line it fails; the model is told, and the turn goes on.

# %%
stepper.run()
print([run.status for run in stepper.state["result"].tool_runs], stepper.state["result"].answer)

# %% [markdown]
# The failed call is red, with its error, and its task says how many of how many.

# %%
stepper.back(4)
stepper
