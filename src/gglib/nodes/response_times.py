"""How long a response takes at a node: measured by the front. Pure; times in seconds.

The length of responses varies far more than the speed of a node, so both are measured apart: tokens of a response by
model, and seconds for a token by node and model. Nodes that are equally fast then have nearly equal expectations after
a few responses, and a fast node is known as fast for models that it has never served.
"""

WEIGHT = 0.1
"""Of a new value in a mean: the mean of about the last ten responses."""
DEFAULT_RESPONSE_S = 5.0
"""Before the first response: a few hundred tokens."""

Means = dict[str, float]


class ResponseTimes:
    """Expected seconds of a response, from its first byte to its end: neither the wait nor the prompt is part of it."""

    def __init__(self) -> None:
        self._tokens: Means = {}
        """Mean length of a response, by model."""
        self._token_s: Means = {}
        """Mean seconds for a token, by model, on all nodes."""
        self._at_node: dict[tuple[str, str], float] = {}
        """Mean seconds for a token, by node and model."""
        self._pace: Means = {}
        """Mean seconds for a token relative to all nodes, by node."""

    def note(self, node: str, model: str, *, seconds: float, tokens: int) -> None:
        """Note a finished response. ``model`` is its name in the cluster; a response without tokens is ignored."""
        if tokens <= 0 or seconds <= 0:
            return
        token_s = seconds / tokens
        _update(self._tokens, model, tokens)
        _update(self._token_s, model, token_s)
        key = (node, model)
        self._at_node[key] = _mean(self._at_node.get(key), token_s)
        _update(self._pace, node, token_s / self._token_s[model])

    def expected_s(self, node: str, model: str) -> float:
        """Return the expected duration of a response of a model at a node."""
        tokens = self._tokens.get(model)
        if tokens is None:
            return DEFAULT_RESPONSE_S * self._pace.get(node, 1.0)
        token_s = self._at_node.get((node, model))
        if token_s is None:
            token_s = self._token_s[model] * self._pace.get(node, 1.0)
        return tokens * token_s


def _update(means: Means, key: str, value: float) -> None:
    means[key] = _mean(means.get(key), value)


def _mean(before: float | None, value: float) -> float:
    return value if before is None else before + WEIGHT * (value - before)
