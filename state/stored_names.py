"""The names that stand in nearly every stored value, as a dictionary for zlib.

A value of a few hundred bytes is mostly names of fields and classes. Given to zlib beforehand
(https://www.rfc-editor.org/rfc/rfc1950#section-2.2, FDICT), they take no room in it: a charge is
stored in 230 bytes instead of 500.
"""

from typing import Final

__all__ = ["DICTIONARY"]

# Never edit this text: what was stored with it can be read with it alone. A value whose fields were
# renamed since is stored in a few more bytes. zlib prefers what stands near the end.
_NAMES: Final = """
langchain_core.messages.system SystemMessage langchain_core.messages.human HumanMessage content
additional_kwargs response_metadata type human name id model_validate_json
langchain_core.messages.tool ToolMessage content additional_kwargs response_metadata type tool name
id tool_call_id artifact status success model_validate_json
langchain_core.messages.ai AIMessage content additional_kwargs tool_calls id type function function
name arguments response_metadata model_name model_provider openai api chat id finish_reason
tool_calls type ai name id tool_calls name args id type tool_call invalid_tool_calls usage_metadata
input_tokens output_tokens total_tokens model_validate_json
turngraph.state.result ToolRun call_id name arguments status content seconds order kind truncated
rows attempt_id model_validate_json
turngraph.state.result TurnResult turn_id status completed answer parsed refusal error finish_reason
stop usage input_tokens output_tokens total_tokens cache_read_tokens cache_write_tokens
reasoning_tokens input_audio_tokens output_audio_tokens cost_usd cost_usd decimal Decimal unpriced
charges attempts tool_runs plugins message_ids new_messages warnings seconds model_validate_json
turngraph.state.result Charge id kind completion attempt_id vendor openai model usage input_tokens
output_tokens total_tokens cache_read_tokens cache_write_tokens reasoning_tokens input_audio_tokens
output_audio_tokens cost_usd amount_usd decimal Decimal unpriced estimated overrun price source
genai-prices currency USD input_usd_per_mtok decimal Decimal cached_usd_per_mtok decimal Decimal
cache_write_usd_per_mtok output_usd_per_mtok decimal Decimal reasoning_usd_per_mtok
audio_input_usd_per_mtok audio_output_usd_per_mtok usd_per_request usd_per_row usd_per_second
account plugin connection tool model_validate_json
turngraph.state.result Attempt id call_id number request turngraph.state.request ChatRequest vendor
openai api chat model system tools name description parameters type object properties type string
title required strict builtin_tools tool_choice parallel_tool_calls temperature top_p max_tokens
stop seed logprobs top_logprobs response_format reasoning_effort reasoning_summary verbosity
previous_response_id store stream extra_body body messages_sent request_sha started_at seconds reply
text reasoning tool_calls usage finish_reason refusal response_id model truncated items extra
citations logprobs service_tier status request_id notes raw error estimate held_usd settled_usd
billed actual warnings model_validate_json
"""

DICTIONARY: Final = b"".join(
    bytes([0xA0 | len(name)]) + name.encode() + b"\xc0" for name in _NAMES.split()
)
"""The names as MessagePack writes them, each with the `null` behind it that most fields hold.
https://github.com/msgpack/msgpack/blob/master/spec.md#str-format-family
"""
