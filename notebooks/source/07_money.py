# %% [markdown]
# # What a turn costs
# A ledger holds the money before a call and charges it after, once.

# %%
from pathlib import Path
from tempfile import mkdtemp

from turngraph import Budget, Ledger, Prices, ToolPrice, TurnSettings, TurnStepper, chat_turn
from turngraph.interfaces.cli.output.ledger_tables import spending_table
from turngraph.interfaces.notebook_model import notebook_model
from turngraph.interfaces.stepper import cost_chart, tokens_chart
from turngraph.scripted import Call, Say

ledger = Ledger(f"sqlite:///{Path(mkdtemp()) / 'ledger.db'}")
model = notebook_model(
    Call(("calculator", {"expression": "6 * 7"}, "call-1")),
    Say("It is 42."),
    Say("It is still 42."),
)
turn = chat_turn(model, functions=["calculator"], ledger=ledger, budget=Budget(usd="0.50"))
stepper = TurnStepper(turn, {"messages": [("user", "What is 6 * 7?")]})
stepper.step()
[event.held_usd for event in stepper.events if event.type == "charge_authorized"]

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
poor_turn = chat_turn(model, ledger=ledger, budget=Budget(usd="0.000001"))
poor = TurnStepper(poor_turn, {"messages": [("user", "What is 6 * 7?")], "turn_id": "too-poor"})
poor.run()
(poor.state["result"].status, len(poor.state["result"].attempts))

# %%
print(poor.state["result"].error.message)

# %% [markdown]
# Prices of one's own: a tool that costs, by the call. `TurnSettings` says who pays.

# %%
prices = Prices(tools=(ToolPrice(tool="calculator", usd_per_call="0.0001"),))
priced_model = notebook_model(
    Call(("calculator", {"expression": "6 * 7"}, "call-1")), Say("It is 42.")
)
priced = chat_turn(priced_model, functions=["calculator"], ledger=ledger, prices=prices)
given = {
    "messages": [("user", "What is 6 * 7?")],
    "turn_id": "order-4711",
    "settings": TurnSettings(account="acme"),
}
[(charge.kind, charge.amount_usd) for charge in priced.invoke(given)["result"].charges]

# %% [markdown]
# What was spent, by account, model, thread, day, …: `turngraph ledger top --by account` shows the
# same in a terminal.

# %%
spending_table("account", ledger.spending(by="account"), ledger.total())

# %% [markdown]
# One turn's bill.

# %%
bill = ledger.turn_bill("order-4711")
bill.usd, [(row["kind"], row["usd"], row["price_source"].split()[0]) for row in bill.attempts]

# %% [markdown]
# The same tokens at another model's prices, and the proof that all adds up: no problem is found.

# %%
other = ledger.reprice(prices, vendor="openai", model="gpt-4.1-nano")
other.actual_usd, other.other_usd

# %%
ledger.verify()

# %% [markdown]
# The run as a page.

# %%
stepper
