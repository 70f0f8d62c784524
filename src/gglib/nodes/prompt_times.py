"""How long a prompt takes that is in no cache: measured by the front. Pure; times in seconds.

Prompts are compared by the size of their requests, because tokens are counted by the engine only. The speed is that of
the model on all nodes: what counts is the difference between a node that has the prompt in its cache and one that does
not.
"""

WEIGHT = 0.1
"""Of a new value in the mean: the mean of about the last ten prompts."""
BYTES_PER_TOKEN = 4.0
"""Of English text in JSON. Code and other languages have fewer, and lists of messages have more."""


class PromptTimes:
    """Expected seconds of a prompt."""

    def __init__(self) -> None:
        self._token_s: dict[str, float] = {}
        """Mean seconds for a token, by model."""

    def note(self, model: str, *, tokens_per_s: float) -> None:
        """Note the measured speed of a prompt. ``model`` is its name in the cluster; only speeds above 0 count."""
        if tokens_per_s > 0:
            token_s = 1 / tokens_per_s
            before = self._token_s.get(model, token_s)
            self._token_s[model] = before + WEIGHT * (token_s - before)

    def expected_s(self, model: str, size_bytes: int) -> float:
        """Return the expected duration of the prompt of a request; 0 before the first measured one."""
        return size_bytes / BYTES_PER_TOKEN * self._token_s.get(model, 0.0)
