# %% [markdown]
# # Back, edit, fork, compare
# Press **Step** and **Run**, then **Look back** until `call_llm` is next. Change the request in its
# pane and press **Change this request only**. What ran before stays the line `main`, and the edit
# begins `fork 1`; **Undo** takes the edit back. The cells below begin again with a new stepper.

# %%
from pathlib import Path
from tempfile import mkdtemp

from turngraph import TurnStepper, chat_turn
from turngraph.interfaces.notebook_model import notebook_model
from turngraph.scripted import Say

answers = [Say("Blue."), Say("Green, if you insist."), Say("Red, then.")]
question = {"messages": [("user", "Your favorite color?")]}
TurnStepper(chat_turn(notebook_model(*answers)), question).show()

# %% [markdown]
# The same in code: a turn to its end first.

# %%
turn = chat_turn(notebook_model(*answers))
stepper = TurnStepper(turn, question)
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
# An edit in the past loses nothing: what ran before is a line. `undo` takes the edit back, `redo`
# makes it again.

# %%
stepper.jump(1)
stepper.edit(request={"temperature": 0.1})
print(stepper.now)
stepper.undo()
print(stepper.now)

# %% [markdown]
# A run is saved with all its lines, and opened again, here or in another process.

# %%
file = Path(mkdtemp()) / "run.json"
stepper.save(file)
opened = TurnStepper.open(file, turn)
(list(opened.forks), opened.forks["warmer"].response.text)

# %% [markdown]
# The fork as a page.

# %%
fork
