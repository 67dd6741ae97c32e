"""What every value in the state is made of: a frozen pydantic model that refuses unknown fields."""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

__all__ = ["Frozen", "unchecked"]

Model = TypeVar("Model", bound=BaseModel)
_set = object.__setattr__


class Frozen(BaseModel):
    """A value: compared by content, never edited in place, refusing fields it does not know.

    LangGraph hands the same object to every later node, so an edit in place would leak into steps
    that recorded no update. Use `model_copy(update=…)` to get a changed copy; note that pydantic
    does not validate what `update` holds.

        >>> class Point(Frozen):
        ...     x: int
        >>> Point(x=1).model_copy(update={"x": 2})
        Point(x=2)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


def unchecked(model: type[Model], fields: dict[str, Any], given: set[str]) -> Model:
    """Returns a `model` made of `fields`, which must be all of its fields and are not checked.

    For values that are made by the thousand, of parts whose types are known: half of the time of a
    check. `given` are the fields that do not have their default. It may be shared, since a frozen
    value never changes it.

        >>> class Point(Frozen):
        ...     x: int
        ...     y: int = 0
        >>> unchecked(Point, {"x": 1, "y": 0}, {"x"}) == Point(x=1)
        True
    """
    value = object.__new__(model)
    # As pydantic's own `model_construct` sets them.
    _set(value, "__dict__", fields)
    _set(value, "__pydantic_fields_set__", given)
    _set(value, "__pydantic_extra__", None)
    _set(value, "__pydantic_private__", None)
    return value
