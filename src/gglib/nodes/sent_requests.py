"""The requests that this front has sent to nodes and that have not ended. Pure.

A snapshot of a node is up to a second old. Requests that were sent since then are not in it: without them, all requests
of that second would be sent to the node that looked best at its beginning.
"""

from collections.abc import Sequence

Counts = dict[str, int]
"""Number of requests, by the model's name at the node."""


class SentRequests:
    """Counts the front's own requests by node and model, now and when the last snapshot of the node arrived."""

    def __init__(self) -> None:
        self._now: dict[str, Counts] = {}
        self._at_snapshot: dict[str, Counts] = {}

    def started(self, node: str, model_name: str) -> None:
        """Note that a request is sent to a node."""
        counts = self._now.setdefault(node, {})
        counts[model_name] = counts.get(model_name, 0) + 1

    def ended(self, node: str, model_name: str) -> None:
        """Note that a request ended: answered, failed, cancelled or moved. Raises ``ValueError`` without a request."""
        counts = self._now.get(node, {})
        if model_name not in counts:
            raise ValueError(f"No request for '{model_name}' was sent to '{node}'.")
        counts[model_name] -= 1
        if not counts[model_name]:
            del counts[model_name]

    def snapshot_arrived(self, node: str) -> None:
        """Note that the node's snapshot has the requests up to now."""
        self._at_snapshot[node] = dict(self._now.get(node, {}))

    def count(self, node: str, model_name: str) -> int:
        """Return how many requests for a model are at a node."""
        return self._now.get(node, {}).get(model_name, 0)

    @property
    def total(self) -> int:
        """How many requests are at all nodes together."""
        return sum(map(self.total_at, self._now))

    def total_at(self, node: str) -> int:
        """Return how many requests are at a node."""
        return sum(self._now.get(node, {}).values())

    def since_snapshot(self, node: str, model_name: str) -> int:
        """Return how many more there are than when the last snapshot arrived; negative if more ended than started."""
        return self.count(node, model_name) - self._at_snapshot.get(node, {}).get(model_name, 0)

    def models(self, node: str) -> Sequence[str]:
        """Return the models with requests at a node."""
        return tuple(self._now.get(node, ()))

    def copy(self) -> "SentRequests":
        """Return a copy, to try out choices in."""
        other = SentRequests()
        other._now = {node: dict(counts) for node, counts in self._now.items()}
        other._at_snapshot = self._at_snapshot
        return other
