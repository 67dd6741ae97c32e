"""The tree of errors in the docstring, and what each error says."""

import re

import turngraph.state.errors as errors


def test_the_drawn_tree_is_the_real_one() -> None:
    """It is what people read first."""
    drawn = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"^([│ ├└─]*)(\w+Error)\b", line):
            depth = len(found[1]) // 4
            path[depth:] = [found[2]]
            drawn[found[2]] = path[depth - 1] if depth else None
    real = {
        name: None if name == "TurngraphError" else getattr(errors, name).__bases__[0].__name__
        for name in errors.__all__
        if name.endswith("Error")
    }
    assert drawn == real


def test_a_value_error_is_also_pythons() -> None:
    """Callers who catch ValueError for bad arguments catch ours."""
    assert issubclass(errors.TurnValueError, ValueError)
