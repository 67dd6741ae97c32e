"""`response_format` as a vendor takes it."""

from turngraph.providers.vendors.profiles import Quirks
from turngraph.providers.writing.notes import Notes
from turngraph.providers.writing.schema_dialect import NO_STRICT_SCHEMA
from turngraph.providers.writing.tool_specs import schema_for
from turngraph.state.json_types import JsonMapping, JsonObject

__all__ = ["answer_format"]


def answer_format(wanted: JsonMapping, quirks: Quirks, notes: Notes) -> JsonObject:
    """`wanted`, with its schema in the vendor's dialect.

    A strict schema is closed and complete. What cannot be strict, such as a mapping with names
    that nobody knows, is sent without `strict`, and a warning says so.
    """
    form = wanted.get("json_schema")
    if not isinstance(form, dict) or not isinstance(schema := form.get("schema"), dict):
        return dict(wanted)
    strict = bool(form.get("strict"))
    adapted = schema_for(schema, quirks, notes, is_object=quirks.object_formats, strict=strict)
    form = {**form, "schema": adapted.schema}
    if strict and not adapted.is_strict:
        form["strict"] = False
        notes.add(f"`response_format` {NO_STRICT_SCHEMA}")
    return {**wanted, "json_schema": form}
