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
# # Back, edit, fork, compare
# Run a turn to its end first.

# %%
from turngraph import TurnStepper, chat_turn
from turngraph.interfaces.notebook_model import notebook_model
from turngraph.scripted import Say

model = notebook_model(Say("Blue."), Say("Green, if you insist."))
stepper = TurnStepper(chat_turn(model), {"messages": [("user", "Your favorite color?")]})
stepper.run()
print(stepper.response.text)

# %% [markdown]
# Going back and on again runs nothing: the answer is known.

# %%
stepper.jump(1)
stepper.step()
(stepper.response.text, len(stepper.charges))

# %% [markdown]
# A fork before the call is a line of its own. Its request is edited, and it is asked anew.

# %%
stepper.jump(1)
fork = stepper.fork("warmer")
fork.edit(request={"temperature": 1.5})
fork.request["temperature"]

# %% [markdown]
# Both lines to their ends, side by side.

# %%
stepper.run()
fork.run()
print(stepper.compare("main", "warmer"))

# %% [markdown]
# The timeline of the fork.

# %%
for step in fork.timeline:
    print(step)
