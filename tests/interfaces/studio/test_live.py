"""What pages are told as it happens."""

from turngraph.interfaces.studio.live import Audience


async def test_a_slow_page_is_sent_the_latest_view_and_every_token() -> None:
    """Or the studio would keep every view for a page that sleeps. Tokens come before the view that
    holds the answer, those of calls side by side apart.
    """
    audience = Audience()
    with audience.joined("slow") as listener:
        for number in range(3):
            listener.tell_token("a", f"{number} ")
            listener.tell_token("b", "x")
            audience.tell("view", f'{{"number": {number}}}')
        stream = listener.stream()
        assert await anext(stream) == "retry: 1000\n\n"
        assert await anext(stream) == 'event: tokens\ndata: {"a": "0 1 2 ", "b": "xxx"}\n\n'
        assert await anext(stream) == 'event: view\ndata: {"number": 2}\n\n'
        audience.end()
        assert [event async for event in stream] == []
    assert list(audience) == []
