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
# # What a turn costs
# A ledger holds the money before a call and charges it after, once.

# %%
from pathlib import Path
from tempfile import mkdtemp

from turngraph.billing import Budget, Ledger
from turngraph.graphs import chat_turn
from turngraph.interfaces.stepper import TurnStepper
from turngraph.interfaces.stepper.charts import cost_chart, tokens_chart
from turngraph.interfaces.stepper.lesson import lesson_model
from turngraph.providers.scripted import Call, Say

ledger = Ledger(f"sqlite:///{Path(mkdtemp()) / 'ledger.db'}")
model = lesson_model(Call(("calculator", {"expression": "6 * 7"}, "call-1")), Say("It is 42."), Say("It is still 42."))
turn = chat_turn(model, functions=["calculator"], ledger=ledger, budget=Budget(usd="0.50"))
stepper = TurnStepper(turn, {"messages": [("user", "What is 6 * 7?")]})
stepper.step()
[event.held_usd for event in stepper.events if event.type == "charge_authorised"]

# %% [markdown]
# Each call is charged when it is answered.

# %%
stepper.run()
[(charge.kind, charge.amount_usd) for charge in stepper.charges if charge.kind == "completion"]

# %% [markdown]
# Tokens and cost, call by call.

# %%
tokens_chart(stepper.timeline)

# %%
cost_chart(stepper.timeline)

# %% [markdown]
# Back to before the second call and on again: nothing is charged twice.

# %%
stepper.back(4)
stepper.run()
len([charge for charge in stepper.charges if charge.kind == "completion"])

# %% [markdown]
# A budget that is too small is refused before anything is sent.

# %%
poor = TurnStepper(
    chat_turn(model, ledger=ledger, budget=Budget(usd="0.000001")), {"messages": [("user", "What is 6 * 7?")]}
)
poor.run()
(poor.state["result"].status, len(poor.state["result"].attempts))
