"""Compares what was read with what the recording holds."""

from collections.abc import Iterator
from typing import Any

from tests.replay.kept import Kept, outline
from tests.replay.oracle import Call, RecordedAnswer
from turngraph.state.errors import ProviderError
from turngraph.state.reply import UNFINISHED_REASONS, ProviderReply, StreamChunk
from turngraph.state.usage import TOKEN_FIELDS

Reading = ProviderReply | ProviderError


def differences(
    said: RecordedAnswer,
    read: Reading,
    chunks: list[StreamChunk] | None,
    kept: Kept | None = None,
) -> list[str]:
    """A sentence for each difference; none if the reading is right.

    `chunks` are what was told while the answer came, None if it did not come as a stream.
    """
    if isinstance(read, ProviderError):
        return list(in_error(said, read))
    if said.error is not None:
        return [f"error: {said.error} recorded, none raised"]
    return [
        *in_reply(said, read),
        *([] if kept is None else in_kept(kept, read)),
        *([] if chunks is None else in_chunks(read, chunks)),
    ]


def in_error(said: RecordedAnswer, error: ProviderError) -> Iterator[str]:
    if said.error is None:
        yield f"error: none recorded, {error.kind} raised ({error.message[:200]})"
    elif error.kind != said.error:
        yield f"error: {said.error} recorded, {error.kind} raised"
    if error.status != said.status:
        yield f"status: {said.status} recorded, {error.status} raised"


def in_reply(said: RecordedAnswer, reply: ProviderReply) -> Iterator[str]:
    pairs: list[tuple[str, Any, Any]] = [
        ("text", said.text, reply.text),
        ("reasoning", said.reasoning, reply.reasoning or ""),
        ("refusal", said.refusal, reply.refusal or ""),
        ("finish_reason", said.finish_reason, reply.finish_reason),
        ("response_id", said.response_id, reply.response_id),
        ("usage", said.usage, usage_of(reply)),
    ]
    for name, recorded, found in pairs:
        if recorded != found:
            yield f"{name}: {excerpt(recorded)} recorded, {excerpt(found)} read"
    if said.truncated is not None and said.truncated != reply.truncated:
        yield f"truncated: {said.truncated} recorded, {reply.truncated} read"
    read = [(call.id, call.name, call.arguments) for call in reply.tool_calls]
    if not same_calls(said.calls, read):
        yield f"tool_calls: {excerpt(said.calls)} recorded, {excerpt(read)} read"


def in_kept(kept: Kept, reply: ProviderReply) -> Iterator[str]:
    """Compares what a later request, a bill or a reader of sources needs."""
    pairs: list[tuple[str, Any, Any]] = [
        ("model", kept.model, reply.model),
        ("service_tier", kept.service_tier, reply.service_tier),
        ("citations", kept.citations, [source_of(kept, note) for note in reply.citations]),
        *(
            (name, outline(value), outline(reply.extra.get(name)))
            for name, value in kept.extra.items()
        ),
    ]
    if kept.items is not None:
        whole = kept.items == list(reply.items)
        pairs.append(
            ("items", *((1, 1) if whole else (outline(kept.items), outline(list(reply.items)))))
        )
    for name, recorded, found in pairs:
        if recorded != found:
            yield f"{name}: {excerpt(recorded)} recorded, {excerpt(found)} kept"
    for name in reply.extra.keys() - kept.extra.keys():
        if reply.extra[name] not in ("", None):
            yield f"{name}: {excerpt(reply.extra[name])} kept, not recorded"


def source_of(kept: Kept, note: Any) -> Any:
    """A citation as the recording has it: Perplexity's are URLs, or have no type."""
    if note in kept.citations:
        return note
    bare = {name: value for name, value in note.items() if name != "type"}
    return bare["url"] if bare.get("url") in kept.citations else bare


def usage_of(reply: ProviderReply) -> dict[str, Any]:
    found = {name: getattr(reply.usage, name, None) for name in (*TOKEN_FIELDS, "cost_usd")}
    return {name: value for name, value in found.items() if value is not None}


def same_calls(recorded: list[Call], read: list[tuple[str, str, str]]) -> bool:
    """Whether the calls are equal. If the recording lacks an id, any is right; all must differ."""
    ids = [call[0] for call in read]
    alike = all(
        a[0] in (None, b[0]) and a[1:] == b[1:] for a, b in zip(recorded, read, strict=False)
    )
    return len(recorded) == len(read) and alike and len(set(ids)) == len(ids) and all(ids)


def in_chunks(reply: ProviderReply, chunks: list[StreamChunk]) -> Iterator[str]:
    """Checks that the chunks add up to the reply: nothing was told that is not in it, and nothing
    in it was left untold.
    """
    for kind, whole in (
        ("text", reply.text),
        ("reasoning", reply.reasoning or ""),
        ("refusal", reply.refusal or ""),
    ):
        told = "".join(chunk.text for chunk in chunks if chunk.type == kind)
        if told != whole:
            yield f"chunks: {kind} adds up to {excerpt(told)}, not {excerpt(whole)}"
    calls = [chunk.tool_call for chunk in chunks if chunk.type == "tool_call"]
    # The end of an unfinished call may be missing, so it is not announced.
    may_miss = reply.truncated or reply.finish_reason in UNFINISHED_REASONS
    if calls != list(reply.tool_calls) and not (may_miss and not calls):
        yield f"chunks: the calls told are {excerpt(calls)}, not {excerpt(reply.tool_calls)}"
    usages = [chunk.usage for chunk in chunks if chunk.type == "usage"]
    if reply.usage is not None and usages[-1:] != [reply.usage]:
        yield f"chunks: the usage told is {excerpt(usages[-1:])}, not {excerpt(reply.usage)}"


def excerpt(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 160 else f"{text[:100]} … {text[-50:]}"
