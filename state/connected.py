"""Objects that hold connections: a copy is the same object, and none is pickled."""

from typing import Any, NoReturn, Self

from turngraph.state.errors import TurnConfigurationError

__all__ = ["Connected"]


class Connected:
    """Base of classes that hold connections, threads or keys.

    Those cannot be copied, and nothing else in such an object changes, so `copy.copy` and
    `copy.deepcopy` return it. Pickled, it would raise TypeErrors that name a lock.

        >>> import copy
        >>> shared = Connected()
        >>> copy.deepcopy(shared) is shared
        True
    """

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TurnConfigurationError(
            f"`{type(self).__name__}` holds connections, so it is not pickled: make it in the "
            "process that uses it."
        )
