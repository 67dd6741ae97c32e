# %% [markdown]
# # Your own provider
# Any OpenAI-compatible endpoint: give its base URL. A vendor's profile says what it takes and
# refuses.

# %%
from turngraph import ProviderConfig, ScriptedModel, TurnStepper, chat_turn
from turngraph.scripted import Say

server = ScriptedModel([Say("Hello from here.")]).start()
mine = ProviderConfig(
    vendor="groq", model="llama-3.3-70b-versatile", base_url=server.base_url, temperature=0
)
stepper = TurnStepper(chat_turn(mine), {"messages": [("user", "Hello?")]})
stepper.run_until("call_llm")
stepper.request["temperature"]

# %% [markdown]
# What the profile changed is said.

# %%
stepper.request.warnings

# %% [markdown]
# The same request as a command; the key is never shown.

# %%
print(stepper.request.as_curl().replace(server.base_url, "http://localhost:8000/v1"))

# %% [markdown]
# And the answer.

# %%
stepper.run()
print(stepper.response.text)
server.close()

# %% [markdown]
# The run as a page.

# %%
stepper
