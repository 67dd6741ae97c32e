# %% [markdown]
# # Plugins: facts, a database, a web service
# A plugin is a YAML file. These three stand in `examples/plugins`; the web service that one of them
# asks runs on this machine.

# %%
import sys
from pathlib import Path
from subprocess import PIPE, Popen
from urllib.parse import urlsplit

from turngraph import TurnStepper, chat_turn, load_manifests
from turngraph.interfaces.notebook_model import notebook_model
from turngraph.interfaces.stepper import Breakpoint
from turngraph.scripted import Call, Say

examples = next(
    path for path in (Path("examples/plugins"), Path("../examples/plugins")) if path.exists()
).resolve()
service = Popen([sys.executable, examples / "moons_api.py", "0"], stdout=PIPE, text=True)
url = service.stdout.readline().strip()

# %% [markdown]
# A manifest may be given as text: this one gets the URL of the service. A host that is not public
# must be allowed by name.

# %%
moons = (examples / "moons.yaml").read_text().replace("http://127.0.0.1:8765/v1", url)
plugins = load_manifests(
    [examples / "observatory.yaml", examples / "planets.yaml", moons],
    allow_hosts=[urlsplit(url).netloc],
)
[plugin.name for plugin in plugins]

# %% [markdown]
# ## Static: facts that stand in the file
# It joins a turn when one of its search terms occurs. A breakpoint stops the run there.

# %%
model = notebook_model(
    Call(("observatory", {"inquiry_type": "prices"}, "call-1")), Say("Adults pay 9.50 euros.")
)
stepper = TurnStepper(
    chat_turn(model, plugins=plugins), {"messages": [("user", "What is a guided tour?")]}
)
stepper.breakpoints.append(Breakpoint(plugin="observatory"))
stepper.run()
[(event.plugin, event.term) for event in stepper.events if event.type == "plugin_selected"]

# %% [markdown]
# Its system role and its temperature are in this request only.

# %%
print(stepper.request["messages"][0]["content"])
stepper.request["temperature"]

# %% [markdown]
# The model asks for the facts by their key, and gets them.

# %%
stepper.breakpoints.clear()
stepper.run()
print(stepper.state["result"].tool_runs[0].content)

# %% [markdown]
# ## SQL: a prepared question
# The query is written in the manifest; the model only fills in its parameters, and they are bound,
# never pasted.

# %%
model = notebook_model(
    Call(("planets", {"kind": "gas giant"}, "call-1")), Say("Jupiter and Saturn.")
)
stepper = TurnStepper(
    chat_turn(model, plugins=plugins), {"messages": [("user", "Which planets are gas giants?")]}
)
stepper.run_until("dispatch_tools")
stepper.now.pending[0].call

# %% [markdown]
# What if it had been asked otherwise? The call is edited before it runs: an attempt to break out of
# the query finds nothing.

# %%
fork = stepper.fork("hostile")
fork.edit(tool="planets", arguments={"name": "x' OR '1'='1"})
fork.step()
print(fork.state["messages"][-1].content)

# %% [markdown]
# In the first line the database answers.

# %%
stepper.run()
print(stepper.state["result"].tool_runs[0].content)

# %% [markdown]
# ## API: a request to a web service
# This one is offered in every turn, and the model decides. The key travels in a header and is in no
# message.

# %%
arguments = {"planet": "Saturn", "min_radius_km": 700}
model = notebook_model(Call(("moons", arguments, "call-1")), Say("Rhea, Iapetus and Titan."))
stepper = TurnStepper(
    chat_turn(model, plugins=plugins), {"messages": [("user", "Large moons of Saturn?")]}
)
stepper.run()
print(stepper.state["result"].tool_runs[0].content)

# %% [markdown]
# To the model they are tools like any other: two are offered here, and the observatory's joins when
# its term occurs.

# %%
print(
    [tool["function"]["name"] for tool in stepper.request["tools"]], stepper.state["result"].answer
)

# %% [markdown]
# The last walk as a page; then the service ends.

# %%
plugins.close()
service.terminate()
stepper
