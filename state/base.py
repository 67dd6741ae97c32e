"""What every value in the state is made of: a frozen pydantic model that refuses unknown fields."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Frozen"]


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
