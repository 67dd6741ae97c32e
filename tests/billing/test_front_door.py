"""What `turngraph.billing` exports, and that looking at it costs nothing."""

import subprocess
import sys
from pathlib import Path

import turngraph.billing as billing


def test_the_front_door_opens_on_everything_it_names() -> None:
    """Names are loaded when first used; a name without a home would only fail then."""
    for name in billing.__all__:
        assert getattr(billing, name) is not None
    assert billing.__all__ == sorted(billing.__all__)
    assert dir(billing) == billing.__all__


def test_a_name_is_never_hidden_by_a_module_of_its_name() -> None:
    """A public name must be the object, also after a module of the same name was imported."""
    for name in billing.__all__:
        assert type(getattr(billing, name)).__name__ != "module"
        assert not (Path(billing.__file__).parent / f"{name}.py").exists()


def test_looking_in_loads_nothing_heavy() -> None:
    """A plain `import turngraph.billing` must stay cheap; a database's library comes when a ledger
    does.
    """
    heavy = {"genai_prices", "langchain", "langchain_core", "langgraph", "openai", "sqlalchemy"}
    code = (
        "import sys, turngraph.billing; "
        f"found = {heavy | {'yaml'}} & set(sys.modules); assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
