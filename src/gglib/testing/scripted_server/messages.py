"""The JSON of llama-server's ``/v1/messages``: shapes only, as observed in its responses (b11549). Pure."""

import json
from collections.abc import Mapping
from typing import Any

from gglib.testing.scripted_server.payloads import dumps

PATH = "/v1/messages"
COUNT_PATH = "/v1/messages/count_tokens"
PROMPT_TOKENS = 8
CALL_ID = "toolu_scripted"

Block = dict[str, Any]


def text_block(text: str) -> Block:
    """Return a text block."""
    return {"type": "text", "text": text}


def call_block(name: str, arguments: str) -> Block:
    """Return a tool call; ``arguments`` is a JSON object."""
    return {"type": "tool_use", "id": CALL_ID, "name": name, "input": json.loads(arguments)}


def wants_call(request: Mapping[str, Any]) -> bool:
    """Whether a request offers tools and has no result of one yet."""
    has_result = any(
        block.get("type") == "tool_result"
        for message in request.get("messages", ())
        if isinstance(message.get("content"), list)
        for block in message["content"]
    )
    return bool(request.get("tools")) and not has_result


def message(alias: str, block: Block, *, tokens: int) -> bytes:
    """Return a response that is not streamed."""
    return dumps(
        {
            **_envelope(alias),
            "content": [block],
            "stop_reason": _stop_reason(block),
            "usage": {"cache_read_input_tokens": 0, "input_tokens": PROMPT_TOKENS, "output_tokens": tokens},
        }
    )


def events(alias: str, block: Block, pieces: list[str]) -> list[bytes]:
    """Return the parts of a stream with one block; ``pieces`` are those of its text, or of its arguments."""
    deltas = [delta(block, piece) for piece in pieces]
    return [start(alias, block) + b"".join(deltas[:1]), *deltas[1:], end(block, tokens=len(pieces))]


def start(alias: str, block: Block) -> bytes:
    """Return the starts of the message and of its only block."""
    usage = {"cache_read_input_tokens": 0, "input_tokens": PROMPT_TOKENS, "output_tokens": 0}
    opened = (
        {"type": "text", "text": ""}
        if block["type"] == "text"
        else {name: block[name] for name in ("type", "id", "name")}
    )
    started = _event("message_start", message={**_envelope(alias), "usage": usage})
    return started + _event("content_block_start", index=0, content_block=opened)


def delta(block: Block, piece: str) -> bytes:
    """Return one piece of the block."""
    is_text = block["type"] == "text"
    value = (
        {"type": "text_delta", "text": piece}
        if is_text
        else {"type": "input_json_delta", "partial_json": piece}
    )
    return _event("content_block_delta", index=0, delta=value)


def end(block: Block, *, tokens: int) -> bytes:
    """Return the ends of the block and of the message."""
    ended = {"stop_reason": _stop_reason(block), "stop_sequence": None}
    return (
        _event("content_block_stop", index=0)
        + _event("message_delta", delta=ended, usage={"output_tokens": tokens})
        + _event("message_stop")
    )


def token_count() -> bytes:
    """Return the response of ``count_tokens``."""
    return dumps({"input_tokens": PROMPT_TOKENS})


def _envelope(alias: str) -> Block:
    return {
        "id": "chatcmpl-scripted",
        "type": "message",
        "role": "assistant",
        "content": [],
        "model": alias,
        "stop_reason": None,
        "stop_sequence": None,
    }


def _stop_reason(block: Block) -> str:
    return "tool_use" if block["type"] == "tool_use" else "end_turn"


def _event(type_: str, **fields: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (type_.encode(), dumps({"type": type_, **fields}))
