"""The formats of generated text: chat, completions, Anthropic's messages, OpenAI's responses. Shapes only. Pure."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from gglib.testing.scripted_server import messages, payloads

ID = "scripted"
_TEXT = messages.text_block("")


class TextFormat(Protocol):
    """The response to one request: whole, or as a stream of events."""

    def whole(self, text: str, tokens: int) -> bytes:
        """Return the body of a response that is not streamed."""

    def opening(self) -> Sequence[bytes]:
        """Return the events before the text."""

    def piece(self, text: str) -> bytes:
        """Return the event with one piece of the text."""

    def closing(self, tokens: int, *, has_usage: bool) -> Sequence[bytes]:
        """Return the events after the text; ``has_usage``: an OpenAI client asked for the usage."""


class CompletionFormat:
    """``/v1/chat/completions`` and ``/v1/completions``."""

    def __init__(self, alias: str, *, is_chat: bool) -> None:
        self._alias = alias
        self._is_chat = is_chat

    def whole(self, text: str, tokens: int) -> bytes:
        """Return one JSON object."""
        return payloads.completion(self._alias, text, tokens=tokens, is_chat=self._is_chat)

    def opening(self) -> Sequence[bytes]:
        """Return the role, which only a chat has."""
        return [payloads.role_event(self._alias)] if self._is_chat else []

    def piece(self, text: str) -> bytes:
        """Return one chunk."""
        return payloads.text_event(self._alias, text, is_chat=self._is_chat)

    def closing(self, tokens: int, *, has_usage: bool) -> Sequence[bytes]:
        """Return the finish reason, the usage if requested, and the mark of the end."""
        last = payloads.last_event(self._alias, is_chat=self._is_chat)
        usage = [payloads.usage_event(self._alias, tokens)] if has_usage else []
        return [last, *usage, payloads.DONE_EVENT]


class MessagesFormat:
    """``/v1/messages``."""

    def __init__(self, alias: str) -> None:
        self._alias = alias

    def whole(self, text: str, tokens: int) -> bytes:
        """Return one message."""
        return messages.message(self._alias, messages.text_block(text), tokens=tokens)

    def opening(self) -> Sequence[bytes]:
        """Return the starts of the message and of its only block."""
        return [messages.start(self._alias, _TEXT)]

    def piece(self, text: str) -> bytes:
        """Return one delta."""
        return messages.delta(_TEXT, text)

    def closing(self, tokens: int, *, has_usage: bool) -> Sequence[bytes]:
        """Return the ends of the block and of the message; the usage is always in them."""
        del has_usage
        return [messages.end(_TEXT, tokens=tokens)]


class ResponsesFormat:
    """``/v1/responses``. As llama-server's: its events are fewer than OpenAI's and have no sequence numbers."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._text = ""

    def whole(self, text: str, tokens: int) -> bytes:
        """Return one response."""
        return payloads.dumps(self._response("completed", [self._item("completed", text)], tokens))

    def opening(self) -> Sequence[bytes]:
        """Return the starts of the response, of its only message and of its only part."""
        response = {"id": f"resp_{ID}", "object": "response", "status": "in_progress"}
        part = {"type": "output_text", "text": "", "annotations": []}
        return [
            named_event({"type": "response.created", "response": response}),
            named_event({"type": "response.in_progress", "response": response}),
            named_event({"type": "response.output_item.added", "item": self._item("in_progress", None)}),
            named_event({"type": "response.content_part.added", "item_id": f"msg_{ID}", "part": part}),
        ]

    def piece(self, text: str) -> bytes:
        """Return one delta."""
        self._text += text
        return named_event({"type": "response.output_text.delta", "item_id": f"msg_{ID}", "delta": text})

    def closing(self, tokens: int, *, has_usage: bool) -> Sequence[bytes]:
        """Return the ends of the text, the part, the message and the response."""
        del has_usage
        item = self._item("completed", self._text)
        part = item["content"][0]
        return [
            named_event({"type": "response.output_text.done", "item_id": f"msg_{ID}", "text": self._text}),
            named_event({"type": "response.content_part.done", "item_id": f"msg_{ID}", "part": part}),
            named_event({"type": "response.output_item.done", "item": item}),
            named_event(
                {"type": "response.completed", "response": self._response("completed", [item], tokens)}
            ),
        ]

    def _item(self, status: str, text: str | None) -> dict[str, Any]:
        content = [] if text is None else [{"type": "output_text", "text": text, "annotations": []}]
        return {
            "type": "message",
            "id": f"msg_{ID}",
            "role": "assistant",
            "status": status,
            "content": content,
        }

    def _response(self, status: str, output: list[dict[str, Any]], tokens: int) -> dict[str, Any]:
        usage = {
            "input_tokens": payloads.PROMPT_TOKENS,
            "output_tokens": tokens,
            "total_tokens": payloads.PROMPT_TOKENS + tokens,
        }
        return {
            "id": f"resp_{ID}",
            "object": "response",
            "created_at": payloads.CREATED,
            "model": self._alias,
            "status": status,
            "output": output,
            "usage": usage,
        }


FORMATS: dict[str, Callable[[str], TextFormat]] = {
    "/v1/chat/completions": lambda alias: CompletionFormat(alias, is_chat=True),
    "/chat/completions": lambda alias: CompletionFormat(alias, is_chat=True),
    "/v1/completions": lambda alias: CompletionFormat(alias, is_chat=False),
    messages.PATH: MessagesFormat,
    "/v1/responses": ResponsesFormat,
    "/responses": ResponsesFormat,
}
"""By path: the format for the model with the given alias."""


def named_event(value: dict[str, Any]) -> bytes:
    """Return a server-sent event that repeats its type as its name."""
    return f"event: {value['type']}\n".encode() + payloads.event(value)
