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
# # Plugins
# A manifest adds facts and a role to a turn when its terms are spoken of. This one is static.

# %%
from pathlib import Path
from tempfile import mkdtemp

from turngraph.graphs import chat_turn
from turngraph.interfaces.stepper import Breakpoint, TurnStepper
from turngraph.interfaces.stepper.lesson import lesson_model
from turngraph.providers.scripted import Call, Say
from turngraph.tools import load_manifests

folder = Path(mkdtemp())
(folder / "opening.yaml").write_text("""
apiVersion: smarter.sh/v1
kind: Plugin
metadata: {name: opening_hours, description: When the shop is open., version: 1.0.0, pluginClass: static}
spec:
  selector: {directive: search_terms, searchTerms: [open]}
  prompt: {provider: openai, systemRole: Be brief., model: gpt-4o-mini, temperature: 0.0, maxTokens: 99}
  data: {description: Opening hours., staticData: {monday: 9 to 5}}
""")
plugins = load_manifests(folder)
[plugin.name for plugin in plugins]

# %% [markdown]
# A breakpoint stops the run where the plugin is selected.

# %%
model = lesson_model(Call(("opening_hours", {}, "call-1")), Say("On Monday, 9 to 5."))
stepper = TurnStepper(chat_turn(model, plugins=plugins), {"messages": [("user", "When are you open?")]})
stepper.breakpoints.append(Breakpoint(plugin="opening_hours"))
stepper.run()
[(event.plugin, event.term) for event in stepper.events if event.type == "plugin_selected"]

# %% [markdown]
# Its role stands in this request only.

# %%
stepper.request["messages"][0]

# %% [markdown]
# The model calls it, and is told its facts.

# %%
stepper.breakpoints.clear()
stepper.run()
print(stepper.state["result"].tool_runs[0].kind, stepper.state["result"].answer)
