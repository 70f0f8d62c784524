"""The exchanges of requests that generate text. Pure."""

from abc import abstractmethod
from typing import Any

import msgspec

from gglib.http.headers import Headers
from gglib.proxy.dialects.base import Exchange, StreamTranslator
from gglib.proxy.dialects.ollama.lines import NDJSON_HEADERS, ResponseLines, done_reason
from gglib.proxy.dialects.ollama.streams import ChatStream, CompletionStream
from gglib.proxy.dialects.ollama.tool_calls import ToolCallCollector

CHAT_PATH, COMPLETION_PATH, INFILL_PATH = "/v1/chat/completions", "/completion", "/infill"


class LineExchange(Exchange):
    """A request whose stream consists of lines."""

    stream_headers: Headers = NDJSON_HEADERS

    def __init__(
        self, path: str, fields: dict[str, Any], lines: ResponseLines, *, keep_alive_s: float | None
    ) -> None:
        super().__init__(path, msgspec.json.encode(fields))
        self.keep_alive_s = keep_alive_s
        self._lines = lines

    def heartbeat(self) -> bytes:
        """Return a complete line with empty content: NDJSON has no comments."""
        return self._lines.piece("")

    def translate_body(self, body: bytes) -> bytes:
        """Return Ollama's response for the engine's. Raises ``ValueError`` for one of another form."""
        try:
            return self.translate_response(msgspec.json.decode(body))
        except (LookupError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError("The response has an unknown form.") from error

    @abstractmethod
    def translate_response(self, response: dict[str, Any]) -> bytes:
        """Return Ollama's response for a parsed one."""


class ChatExchange(LineExchange):
    """A request to ``/v1/chat/completions``."""

    def open_stream(self) -> StreamTranslator:
        """Return a translator of chat chunks."""
        return ChatStream(self._lines)

    def translate_response(self, response: dict[str, Any]) -> bytes:
        """Return Ollama's response for a complete chat completion."""
        choice = response["choices"][0]
        message = choice["message"]
        reason = done_reason(choice.get("finish_reason"))
        calls = ToolCallCollector()
        calls.add(message.get("tool_calls") or ())
        if reason == "length":
            calls.drop_truncated()
        return self._lines.complete(
            message.get("content") or "",
            reason,
            self._lines.numbers(response.get("timings") or {}, response.get("usage") or {}),
            thinking=message.get("reasoning_content") or "",
            tool_calls=calls.take_complete(is_final=True),
            logprobs=(choice.get("logprobs") or {}).get("content"),
        )


class CompletionExchange(LineExchange):
    """A request to ``/completion`` or ``/infill``: no chat template is applied."""

    def open_stream(self) -> StreamTranslator:
        """Return a translator of llama-server's own events."""
        return CompletionStream(self._lines)

    def translate_response(self, response: dict[str, Any]) -> bytes:
        """Return Ollama's response for a complete completion."""
        return self._lines.complete(
            response["content"],
            done_reason(response.get("stop_type")),
            self._lines.numbers(response.get("timings") or {}, {}),
            logprobs=response.get("completion_probabilities"),
        )
