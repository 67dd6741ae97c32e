"""Server-sent events, whatever the line ends, wherever the bytes are cut."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from turngraph.providers.reading.sse import SseDecoder, SseEvent
from turngraph.state.errors import ProviderError


def decode(*pieces: bytes, most: int = 2**20) -> list[SseEvent]:
    decoder = SseDecoder(max_event_bytes=most)
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.finish()


def data_of(*pieces: bytes) -> list[str]:
    return [event.data for event in decode(*pieces)]


@pytest.mark.parametrize("eol", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_every_line_end_of_the_standard_ends_a_line(eol: bytes) -> None:
    """Servers behind IIS and some proxies send CRLF; a decoder that knows only LF sees one endless
    event.
    """
    assert decode(eol.join([b"event: ping", b"data: {}", b"", b"data: 2", b"", b""])) == [
        ("ping", "{}"),
        ("message", "2"),
    ]


def test_crlf_cut_between_its_halves_is_one_line_end() -> None:
    """Read as two line ends, it would end the event in its middle."""
    assert decode(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n") == [("message", "a\nb")]


def test_a_byte_order_mark_does_not_hide_the_first_event() -> None:
    """Clients that keep the mark read a field called `<BOM>data`, and lose the first event."""
    assert data_of(b"\xef\xbb\xbfdata: 1\n\n") == ["1"]
    assert data_of(b"\xef", b"\xbb", b"\xbfda", b"ta: 1\n\n") == ["1"]


def test_comments_and_other_fields_are_not_events() -> None:
    """OpenRouter sends `: OPENROUTER PROCESSING` until the model answers; it is not JSON."""
    assert data_of(
        b": OPENROUTER PROCESSING\n\n:\n\nid: 7\n\nretry: 10\n\nevent: x\n\ndata: 1\n\n"
    ) == ["1"]


def test_the_name_of_an_event_without_data_is_forgotten() -> None:
    """The blank line ends the event, with its name."""
    assert decode(b"event: error\n\ndata: 1\n\n") == [("message", "1")]


def test_data_of_several_lines_is_joined_and_one_space_belongs_to_the_field() -> None:
    """The standard says so; pretty-printed JSON arrives like this."""
    assert data_of(b'data: {\ndata:  "a": 1\ndata:}\n\n') == ['{\n "a": 1\n}']


def test_a_field_without_a_colon_is_a_field_with_no_value() -> None:
    """`data` alone is an empty line of data, and no event if there is nothing else."""
    assert data_of(b"data\n\ndata\ndata\n\n") == ["\n"]


def test_the_last_event_counts_without_its_blank_line() -> None:
    """Some servers close right after the last line, and that line carries the usage."""
    assert data_of(b"data: 1\n\ndata: 2") == ["1", "2"]
    assert data_of(b"data: 1\n\ndata: 2\n") == ["1", "2"]


def test_a_character_cut_in_two_is_one_character() -> None:
    """A network cuts bytes, not characters."""
    text = "data: \N{SNOWMAN}\N{ROCKET}\n\n".encode()
    assert data_of(*(bytes([byte]) for byte in text)) == ["\N{SNOWMAN}\N{ROCKET}"]


def test_bytes_that_are_not_utf8_are_an_error_that_shows_no_text() -> None:
    """Replacing them would change the answer; the error may be logged, so it quotes nothing."""
    with pytest.raises(ProviderError, match="not UTF-8: byte 0xff") as caught:
        decode(b"data: secret \xff\n\n")
    assert (caught.value.kind, "secret" in str(caught.value)) == ("protocol", False)


@pytest.mark.parametrize(
    "endless",
    [
        [b"data: " + b"x" * 200],
        [b"data: x\n"] * 200,
        [b"x" * 50] * 4,
        [b"data: " + b"x" * 200 + b"\n\n"],
    ],
    ids=["one line", "many lines", "many pieces", "a whole event"],
)
def test_an_event_above_the_limit_is_refused_before_it_is_kept(endless: list[bytes]) -> None:
    """A line without end would otherwise fill the memory."""
    with pytest.raises(ProviderError) as caught:
        decode(*endless, most=100)
    assert caught.value.kind == "too_large"


def test_llama_cpps_error_field_is_an_event_called_error() -> None:
    """The standard ignores the field; the answer would then only seem to be cut off."""
    assert decode(b'error: {"message": "failed"}\n\n') == [("error", '{"message": "failed"}')]


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["", "response.created", "error"]),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), min_size=1),
    ),
    max_size=6,
)


@given(
    EVENTS,
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.lists(st.integers(0, 400), max_size=8),
)
def test_any_cutting_of_the_bytes_gives_the_same_events(
    events: list[tuple[str, str]], eol: str, bom: bool, cuts: list[int]
) -> None:
    """Where a network cuts the bytes is chance."""
    blocks = [
        (f"event: {name}{eol}" if name else "") + f"data: {data}{eol}{eol}" for name, data in events
    ]
    wire = b"\xef\xbb\xbf" * bom + f": hello{eol}{eol}{''.join(blocks)}".encode()
    places = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    pieces = [wire[a:b] for a, b in pairwise(places)]
    assert decode(*pieces) == decode(wire) == [(name or "message", data) for name, data in events]


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_at_all_give_events_or_a_provider_error(noise: bytes, cut: int) -> None:
    """Whatever a server sends, nothing but a ProviderError leaves the reader."""
    with suppress(ProviderError):
        decode(noise[:cut], noise[cut:])
