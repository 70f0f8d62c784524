"""A conversation in the OpenAI chat dialect: its messages and settings, and the requests they become. Pure."""

from dataclasses import dataclass, field
from typing import Any, Literal

from gglib.cli.chat.settings import DEFAULT_MAX_TOKENS, SYSTEM, request_fields
from gglib.core.errors import GglibError

CHAT_PATH = "/v1/chat/completions"
CONTINUE_PROMPT = "Continue your last answer exactly where it ended. Do not repeat any of it."
"""For engines and templates that cannot continue an answer."""

Role = Literal["user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """A prompt or an answer."""

    role: Role
    text: str
    images: tuple[str, ...] = ()
    """``data:`` URLs."""
    is_partial: bool = False
    """Whether an answer was interrupted, or ended at a limit on tokens."""

    def as_request(self) -> dict[str, Any]:
        """Return the message of a request. The images precede the text, as in the templates of vision models."""
        if not self.images:
            return {"role": self.role, "content": self.text}
        parts: list[dict[str, Any]] = [
            {"type": "image_url", "image_url": {"url": url}} for url in self.images
        ]
        if self.text:
            parts.append({"type": "text", "text": self.text})
        return {"role": self.role, "content": parts}


@dataclass(slots=True)
class Conversation:
    """The messages so far; each request contains all of them."""

    model: str
    settings: dict[str, Any] = field(default_factory=dict)
    """By name; see ``chat.settings``."""
    messages: list[Message] = field(default_factory=list)
    default_max_tokens: int | None = DEFAULT_MAX_TOKENS
    """The limit on an answer if the settings have none; None: no limit."""

    def add_prompt(self, prompt: str, images: tuple[str, ...] = ()) -> dict[str, object]:
        """Add a prompt and return the body of its request."""
        self.messages.append(Message("user", prompt, images))
        return self.request()

    def add_answer(self, text: str, *, is_partial: bool = False) -> None:
        """Add the model's answer."""
        self.messages.append(Message("assistant", text, is_partial=is_partial))

    def extend_answer(self, text: str, *, is_partial: bool = False) -> None:
        """Append the continuation to the last answer."""
        self.messages[-1] = Message("assistant", self.messages[-1].text + text, is_partial=is_partial)

    def drop_prompt(self) -> None:
        """Remove the last prompt, whose request failed."""
        self.messages.pop()

    def drop_answer(self) -> Message | None:
        """Remove the last answer for another one, and return it; None if the last prompt has none.

        Raises ``GglibError`` if there is no prompt.
        """
        if not self.messages:
            raise GglibError("There is no prompt yet.")
        return self.messages.pop() if self.messages[-1].role == "assistant" else None

    def clear(self) -> None:
        """Remove all messages. The settings stay."""
        self.messages.clear()

    def request(self) -> dict[str, object]:
        """Return the body of a request for the next answer; ``usage`` and timings come with its last event."""
        system = self.settings.get(SYSTEM)
        opening = [] if system is None else [{"role": "system", "content": system}]
        return {
            "model": self.model,
            "messages": [*opening, *(message.as_request() for message in self.messages)],
            "stream": True,
            "stream_options": {"include_usage": True},
            **request_fields(self.settings, default_max_tokens=self.default_max_tokens),
        }

    def continuation(self) -> dict[str, object]:
        """Return the body of a request that continues the last answer.

        llama-server continues an assistant's message at the end of the list, but not if thinking is enabled
        (``server-common.cpp``). Raises ``GglibError`` if there is no answer.
        """
        self._require_answer()
        body = self.request()
        arguments = body.get("chat_template_kwargs")
        known = arguments if isinstance(arguments, dict) else {}
        return {**body, "chat_template_kwargs": {**known, "enable_thinking": False}}

    def requested_continuation(self) -> dict[str, object]:
        """Return the body of a request that asks the model to continue, for where ``continuation`` is refused."""
        self._require_answer()
        body = self.request()
        messages = body["messages"]
        assert isinstance(messages, list)  # noqa: S101 - request() built it
        return {**body, "messages": [*messages, Message("user", CONTINUE_PROMPT).as_request()]}

    def _require_answer(self) -> None:
        if not self.messages or self.messages[-1].role != "assistant":
            raise GglibError("There is no answer to continue.")
