from .attempt_lookup import (
    vendor_lookup as vendor_lookup,
)
from .builder import (
    build_chat_turn as build_chat_turn,
)
from .chat import (
    chat_turn as chat_turn,
)
from .stage_table import (
    CustomStages as CustomStages,
)
from .strict_serde import (
    with_strict_serde as with_strict_serde,
)
from .turn_builder import (
    TurnBuilder as TurnBuilder,
)
from .turn_graph import (
    TurnGraph as TurnGraph,
)

__all__ = [
    "CustomStages",
    "TurnBuilder",
    "TurnGraph",
    "build_chat_turn",
    "chat_turn",
    "vendor_lookup",
    "with_strict_serde",
]
