"""How fast an engine computes. A value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The rates of one request, in tokens per second."""

    prompt_per_s: float
    """Of the prompt."""
    generated_per_s: float
    """Of the generated tokens."""

    def turn_s(self, *, prompt_tokens: int, tokens: int) -> float:
        """Return the seconds of a turn: a prompt of ``prompt_tokens``, then ``tokens`` generated ones."""
        return prompt_tokens / self.prompt_per_s + tokens / self.generated_per_s
