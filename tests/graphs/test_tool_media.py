"""What a tool shows or plays reaches a model whose API takes it, and is a note to any other."""

import json
from typing import Any

import pytest

from tests.turns import Run, ask, both_ways, config, result_of
from turngraph.graphs import chat_turn
from turngraph.scripted import Call, Say, ScriptedModel

DATA = "QUJDREVGRw=="
PICTURE = {"type": "image", "base64": DATA, "mime_type": "image/png"}
DRAWING = {"type": "image", "base64": DATA, "mime_type": "image/svg+xml"}
PICTURE_BY_URL = {"type": "image", "url": "https://pictures.example.com/a.png"}
PICTURE_BY_ID = {"type": "image", "file_id": "file-1"}
SOUND = {"type": "audio", "base64": DATA, "mime_type": "audio/wav"}
FILE = {"type": "file", "base64": DATA, "mime_type": "application/pdf"}
FILE_BY_URL = {"type": "file", "url": "https://files.example.com/a.pdf"}
DATA_URL = f"data:application/pdf;base64,{DATA}"
OPENAI_PICTURE = {"type": "input_image", "image_url": f"data:image/png;base64,{DATA}"}
OPENAI_FILE = {"type": "file", "file": {"filename": "a.pdf", "file_data": DATA_URL}}
OPENAI_INPUT_FILE = {"type": "input_file", "filename": "a.pdf", "file_data": DATA_URL}
VISION, HEARING, TEXT = "gpt-4.1", "gpt-audio", "deepseek"


def second_request(run: Run, block: dict[str, Any], **fields: Any) -> str:
    def give() -> list[dict[str, Any]]:
        """Give it."""
        return [{"type": "text", "text": "Here."}, block]

    with ScriptedModel([Call(("give", {})), Say("I see.")]) as model:
        out = run(chat_turn(config(model, **fields), tools=[give]), ask("Give it."))
        assert result_of(out).status == "completed"
        return json.dumps(model.requests[1].body)


@both_ways
@pytest.mark.parametrize(
    ("fields", "block", "sent"),
    [
        ({"api": "responses", "model": VISION}, PICTURE, '"input_image"'),
        ({"api": "responses", "model": VISION}, PICTURE_BY_URL, '"input_image"'),
        ({"api": "responses", "model": VISION}, PICTURE_BY_ID, '"input_image"'),
        ({"api": "responses", "model": VISION}, FILE, '"input_file"'),
        ({"api": "responses", "model": VISION}, FILE_BY_URL, '"input_file"'),
        ({"api": "chat", "model": VISION}, PICTURE, '"image_url"'),
        ({"api": "chat", "model": VISION}, PICTURE_BY_URL, '"image_url"'),
        ({"api": "chat", "model": VISION}, FILE, '"file"'),
        ({"api": "chat", "model": HEARING}, SOUND, '"input_audio"'),
        ({"vendor": "custom"}, SOUND, '"input_audio"'),
        ({"api": "responses", "model": VISION}, OPENAI_PICTURE, '"input_image"'),
        ({"api": "responses", "model": VISION}, OPENAI_FILE, '"input_file"'),
        ({"api": "chat", "model": VISION}, OPENAI_PICTURE, '"image_url"'),
        ({"api": "chat", "model": VISION}, OPENAI_FILE, '"file"'),
        ({"api": "chat", "model": VISION}, OPENAI_INPUT_FILE, '"file"'),
    ],
)
def test_it_is_sent_where_the_api_takes_it(
    run: Run, fields: dict[str, Any], block: dict[str, Any], sent: str
) -> None:
    body = second_request(run, block, **fields)
    assert f'"type": {sent}' in body
    assert (block.get("base64") or block.get("url") or block.get("file_id") or DATA) in body


@both_ways
@pytest.mark.parametrize(
    ("fields", "block"),
    [
        ({"api": "responses", "model": VISION}, SOUND),
        ({"api": "chat", "model": VISION}, SOUND),
        ({"api": "chat", "model": VISION}, PICTURE_BY_ID),
        ({"api": "chat", "model": VISION}, FILE_BY_URL),
        ({"api": "chat", "model": VISION}, DRAWING),
        ({"api": "responses", "model": VISION}, DRAWING),
        ({"vendor": TEXT}, PICTURE),
        ({"vendor": TEXT}, SOUND),
        ({"vendor": TEXT}, FILE),
    ],
)
def test_it_is_a_note_where_the_api_does_not(
    run: Run, fields: dict[str, Any], block: dict[str, Any]
) -> None:
    """An error would come back in every later request of the thread, and nobody could mend it."""
    body = second_request(run, block, **fields)
    assert DATA not in body
    assert "left out" in body
    assert "Here." in body
