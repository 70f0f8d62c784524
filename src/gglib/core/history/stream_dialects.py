"""Reads the events of a stream, by dialect. Pure; only known fields are read, so no event is stored as it is."""

from collections.abc import Callable, Mapping
from typing import Any

from gglib.core.history.stream_parts import Choice, StreamParts

Event = Mapping[str, Any]
_ANTHROPIC_TYPES = frozenset(
    (
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "ping",
    )
)
_OLLAMA_FACTS = (
    "total_duration",
    "load_duration",
    "prompt_eval_count",
    "prompt_eval_duration",
    "eval_count",
    "eval_duration",
)
_RESPONSE_TEXTS = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "refusal",
    "response.reasoning_text.delta": "reasoning",
    "response.reasoning_summary_text.delta": "reasoning",
}
_RESPONSE_ARGUMENTS = ("response.function_call_arguments.delta", "response.custom_tool_call_input.delta")
_RESPONSE_ENDS = ("response.completed", "response.incomplete", "response.failed")


def _read_openai(event: Event, parts: StreamParts) -> None:
    """Read an event of chats or completions."""
    for name in ("model", "usage", "timings"):
        parts.note(name, event.get(name))
    for item in _objects(event.get("choices")):
        choice = parts.choice(item.get("index"))
        choice.add_text("text", item.get("text"))
        _read_message(_object(item.get("delta")), choice)
        choice.finish_reason = _text(item.get("finish_reason")) or choice.finish_reason


def _read_message(message: Event, choice: Choice) -> None:
    """Read a message of OpenAI's or Ollama's dialect, or a part of one."""
    choice.add_text("text", message.get("content"))
    choice.add_text("refusal", message.get("refusal"))
    for name in ("reasoning_content", "reasoning", "thinking"):
        choice.add_text("reasoning", message.get(name))
    calls = _objects(message.get("tool_calls"))
    for call in calls:
        function = _object(call.get("function"))
        key = call.get("index", len(choice.tool_calls))
        choice.add_tool_call(key, name=function.get("name"), arguments=function.get("arguments"))
    legacy = _object(message.get("function_call"))
    if legacy:
        choice.add_tool_call(0, name=legacy.get("name"), arguments=legacy.get("arguments"))


def _read_anthropic(event: Event, parts: StreamParts) -> None:
    choice = parts.choice()
    message = _object(event.get("message"))
    parts.note("model", message.get("model"))
    for usage in (message.get("usage"), event.get("usage")):
        if isinstance(usage, dict):
            parts.facts["usage"] = {**_object(parts.facts.get("usage")), **usage}
    block, delta = _object(event.get("content_block")), _object(event.get("delta"))
    for part in (block, delta):
        choice.add_text("text", part.get("text"))
        choice.add_text("reasoning", part.get("thinking"))
    if block.get("type") == "tool_use":
        choice.add_tool_call(event.get("index"), name=block.get("name"), arguments=block.get("input"))
    if "partial_json" in delta:
        choice.add_tool_call(event.get("index"), arguments=delta["partial_json"])
    choice.finish_reason = _text(delta.get("stop_reason")) or choice.finish_reason


def _read_response(event: Event, parts: StreamParts) -> None:
    """Read an event of the Responses API; its last one has the complete response."""
    kind = event["type"]
    if kind in _RESPONSE_ENDS:
        parts.note("response", event.get("response"))
    elif kind in _RESPONSE_TEXTS:
        parts.choice().add_text(_RESPONSE_TEXTS[kind], event.get("delta"))
    elif kind in _RESPONSE_ARGUMENTS:
        parts.choice().add_tool_call(event.get("output_index"), arguments=event.get("delta"))
    elif kind == "response.output_item.added":
        item = _object(event.get("item"))
        if "name" in item:
            parts.choice().add_tool_call(event.get("output_index"), name=item["name"])


def _read_ollama(event: Event, parts: StreamParts) -> None:
    choice = parts.choice()
    parts.note("model", event.get("model"))
    _read_message(_object(event.get("message")), choice)
    choice.add_text("text", event.get("response"))
    choice.add_text("reasoning", event.get("thinking"))
    choice.finish_reason = _text(event.get("done_reason")) or choice.finish_reason
    for name in _OLLAMA_FACTS:
        parts.note(name, event.get(name))


def _read_llama_cpp(event: Event, parts: StreamParts) -> None:
    """Read an event of llama.cpp's own format."""
    choice = parts.choice(event.get("index"))
    choice.add_text("text", event.get("content"))
    parts.note("timings", event.get("timings"))
    choice.finish_reason = _text(event.get("stop_type")) or choice.finish_reason


def _read_error(event: Event, parts: StreamParts) -> None:
    parts.note("error", event.get("error", event.get("message")))


READERS: tuple[tuple[str, Callable[[Event], bool], Callable[[Event, StreamParts], None]], ...] = (
    ("openai", lambda event: isinstance(event.get("choices"), list), _read_openai),
    ("error", lambda event: "error" in event or event.get("type") == "error", _read_error),
    ("anthropic", lambda event: event.get("type") in _ANTHROPIC_TYPES, _read_anthropic),
    ("responses", lambda event: str(event.get("type")).startswith("response."), _read_response),
    ("ollama", lambda event: "done" in event or isinstance(event.get("message"), dict), _read_ollama),
    ("llama.cpp", lambda event: isinstance(event.get("content"), str), _read_llama_cpp),
)
"""Each dialect: its name, whether an event is of it, and what reads it. The first that fits counts."""


def _object(value: object) -> Event:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[Event]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
