# %% [markdown]
# # Chat Completions and Responses, reasoning, streaming
# The same question through both APIs. Only the JSON differs.

# %%
from turngraph import TurnStepper, chat_turn
from turngraph.interfaces.notebook_model import notebook_model
from turngraph.scripted import Say

question = {"messages": [("user", "Why is the sky blue?")]}
answer = Say("Short waves scatter more.", reasoning="Think of Rayleigh.")
steppers = {
    api: TurnStepper(chat_turn(notebook_model(answer, api=api), stream=True), question)
    for api in ("chat", "responses")
}
for stepper in steppers.values():
    stepper.run_until("call_llm")
{api: sorted(stepper.request.body) for api, stepper in steppers.items()}

# %% [markdown]
# Both stream; the events are the same kind.

# %%
for stepper in steppers.values():
    stepper.run()
{
    api: "".join(
        event.text for event in stepper.events if event.type == "token" and event.kind == "text"
    )
    for api, stepper in steppers.items()
}

# %% [markdown]
# What the model thought aloud is kept apart from what it said.

# %%
steppers["chat"].response.reasoning

# %% [markdown]
# The run as a page.

# %%
steppers["responses"]
