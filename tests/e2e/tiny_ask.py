"""A request to a tiny model, which generates the requested number of tokens, and the same ones for the same prompt."""

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyAsk:
    """A request that ``tests.integration.chaos`` can send and check."""

    model: str
    tokens: int
    """Tokens to generate; each is one character."""
    prompt: str = "Hello"
    is_stream: bool = True
    text: str | None = None
    """The expected text, if known."""
    leave_after_s: float | None = None

    @property
    def finish_reason(self) -> str:
        """Always "length": the model never stops by itself."""
        return "length"

    def body(self) -> bytes:
        """Return the body of the request."""
        return json.dumps(
            {
                "model": self.model,
                "messages": [{"role": "user", "content": self.prompt}],
                "max_tokens": self.tokens,
                "stream": self.is_stream,
                "temperature": 0,
            }
        ).encode()

    def fault_in(self, text: str, *, is_all: bool) -> str:
        """Return what is wrong with the received text, a prefix of the response or all of it."""
        if self.text is not None and not self.text.startswith(text):
            return "another text than it said before"
        if len(text) > self.tokens or (is_all and len(text) != self.tokens):
            return f"{len(text)} characters for {self.tokens} tokens"
        return ""
