"""Large values are stored compressed, and whatever was stored before stays readable."""

import hashlib
import zlib

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from turngraph.state.result import Charge
from turngraph.state.stored import Stored, stored_form
from turngraph.state.stored_names import DICTIONARY
from turngraph.state.usage import Usage

CHARGES = [
    Charge(
        id="call-1",
        kind="completion",
        attempt_id="call-1.1",
        vendor="openai",
        model="gpt-5-mini",
        usage=Usage(input_tokens=120, output_tokens=20),
    )
]


def test_the_names_of_fields_take_no_room() -> None:
    """Of a small value they are nearly all of it."""
    form = stored_form(CHARGES)
    assert form.value == CHARGES
    _, encoded = JsonPlusSerializer().dumps_typed(CHARGES)
    assert len(form.data) < len(zlib.compress(encoded)) / 2


def test_a_value_that_was_stored_without_the_dictionary_is_read() -> None:
    """Threads are kept for years."""
    _, encoded = JsonPlusSerializer().dumps_typed(CHARGES)
    assert Stored(zlib.compress(encoded, 1)).value == CHARGES


def test_the_dictionary_never_changes() -> None:
    """With another one, nothing that was stored could be read."""
    assert hashlib.sha256(DICTIONARY).hexdigest() == (
        "edc12b6a3664d9ead1f40f2e95f9b584b3dbc7732704af48a2e6fcaddd598d25"
    )
