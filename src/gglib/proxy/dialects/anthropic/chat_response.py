"""Translates the engine's chat completions into Messages responses: whole, and as a stream. Pure.

The events are those of Anthropic's streams: https://docs.anthropic.com/en/docs/build-with-claude/streaming. Blocks are
open one at a time: thinking, then text, then each tool call.
"""

from typing import Any

import msgspec

from gglib.proxy.dialects.anthropic.chat_request import CHAT_PATH, to_chat_request
from gglib.proxy.dialects.anthropic.raw_json import to_json
from gglib.proxy.dialects.base import Exchange
from gglib.proxy.dialects.event_translator import EventTranslator

Object = dict[str, Any]

_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


class ChatExchange(Exchange):
    """A Messages request that the engine answers by its chat completions; ``body`` is the translated request."""

    def __init__(self, body: bytes) -> None:
        super().__init__(CHAT_PATH, body)

    def open_stream(self) -> "MessageEvents":
        """Return the translator of one stream."""
        return MessageEvents()

    def translate_body(self, body: bytes) -> bytes:
        """Return the message. Raises ``ValueError`` for a body that is not a chat completion."""
        completion = msgspec.json.decode(body, type=dict)
        try:
            return to_json(_message(completion))
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise ValueError("not a chat completion") from error


def _message(completion: Object) -> Object:
    choice = completion["choices"][0]
    said = choice["message"]
    content: list[Object] = []
    if said.get("reasoning_content"):
        content.append({"type": "thinking", "thinking": said["reasoning_content"], "signature": ""})
    if said.get("content"):
        content.append({"type": "text", "text": said["content"]})
    content += [_tool_use(call) for call in said.get("tool_calls") or ()]
    return _envelope(completion, content, _stop_reason(choice["finish_reason"]), _usage(completion))


def _tool_use(call: Object) -> Object:
    function = call["function"]
    try:
        arguments = msgspec.json.decode(function["arguments"], type=dict)
    except msgspec.DecodeError:  # cut off by ``max_tokens``
        arguments = {}
    return {"type": "tool_use", "id": call["id"], "name": function["name"], "input": arguments}


def _envelope(completion: Object, content: list[Object], stop_reason: str | None, usage: Object) -> Object:
    return {
        "id": completion["id"],
        "type": "message",
        "role": "assistant",
        "content": content,
        "model": completion["model"],
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": usage,
    }


def _stop_reason(finish_reason: str) -> str:
    return _STOP_REASONS.get(finish_reason, "end_turn")


def _usage(completion: Object) -> Object:
    """Return Anthropic's usage: tokens from the cache are not part of the input."""
    usage = completion.get("usage") or {}
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    return {
        "cache_read_input_tokens": cached,
        "input_tokens": usage.get("prompt_tokens", 0) - cached,
        "output_tokens": usage.get("completion_tokens", 0),
    }


def chat_exchange(body: bytes) -> ChatExchange | None:
    """Return the exchange of an adapted request; None for an invalid one, which the engine refuses."""
    try:
        return ChatExchange(to_chat_request(body))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


class MessageEvents(EventTranslator):
    """One stream. ``message_start`` comes with the first chunk, the counts of the prompt with ``message_delta``."""

    def __init__(self) -> None:
        super().__init__()
        self._is_started = False
        self._open: tuple[str, int] | None = None
        """Type of the open block, and the number of its call."""
        self._index = -1
        """The index of the last block."""
        self._finish_reason: str | None = None
        self._usage: Object = {}

    @property
    def is_complete(self) -> bool:
        """Whether the engine has sent the reason of the end."""
        return self._finish_reason is not None

    def translate(self, name: str, content: dict[str, Any]) -> bytes:
        """Return the events of one chunk."""
        del name
        output = [] if self._is_started else [self._start(content)]
        for choice in content.get("choices") or ():
            output += self._delta(choice.get("delta") or {})
            self._finish_reason = choice.get("finish_reason") or self._finish_reason
        if content.get("usage"):
            self._usage = content
        return b"".join(output)

    def end(self) -> bytes:
        """Return the end of the last block and of the message."""
        delta = {"stop_reason": _stop_reason(self._finish_reason or ""), "stop_sequence": None}
        end = [
            self._close(),
            _event("message_delta", delta=delta, usage=_usage(self._usage)),
            _event("message_stop"),
        ]
        return b"".join(end)

    def _start(self, chunk: Object) -> bytes:
        self._is_started = True
        known = {"id": chunk.get("id", ""), "model": chunk.get("model", "")}
        return _event("message_start", message=_envelope(known, [], None, _usage({})))

    def _delta(self, delta: Object) -> list[bytes]:
        output: list[bytes] = []
        if delta.get("reasoning_content"):
            text = delta["reasoning_content"]
            output += [
                self._block("thinking", thinking="", signature=""),
                self._part("thinking_delta", thinking=text),
            ]
        if delta.get("content"):
            output += [self._block("text", text=""), self._part("text_delta", text=delta["content"])]
        for call in delta.get("tool_calls") or ():
            output += self._call(call)
        return output

    def _call(self, call: Object) -> list[bytes]:
        function = call.get("function") or {}
        output: list[bytes] = []
        if function.get("name"):
            names = {"id": call.get("id", ""), "name": function["name"], "input": {}}
            output.append(self._block("tool_use", call.get("index", 0), **names))
        if function.get("arguments"):
            output.append(self._part("input_json_delta", partial_json=function["arguments"]))
        return output

    def _block(self, type_: str, number: int = 0, **fields: object) -> bytes:
        """Return the start of a block, after the end of another one; nothing if it is open."""
        if self._open == (type_, number):
            return b""
        end = self._close()
        self._open, self._index = (type_, number), self._index + 1
        return end + _event("content_block_start", index=self._index, content_block={"type": type_, **fields})

    def _part(self, type_: str, **fields: object) -> bytes:
        return _event("content_block_delta", index=self._index, delta={"type": type_, **fields})

    def _close(self) -> bytes:
        if self._open is None:
            return b""
        kind, self._open = self._open[0], None
        signature = self._part("signature_delta", signature="") if kind == "thinking" else b""
        return signature + _event("content_block_stop", index=self._index)


def _event(type_: str, **fields: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (type_.encode(), to_json({"type": type_, **fields}))
