"""The requests that this front has sent to nodes and that have not ended. Pure.

A snapshot of a node is up to a second old. Requests that were sent since then are not in it: without them, all requests
of that second would be sent to the node that looked best at its beginning.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

Counts = dict[str, int]
"""Number of requests, by the model's name at the node."""


@dataclass(slots=True)
class NodeRequests:
    """The front's own requests at one node, counted by model. Every choice reads it for every node."""

    now: Counts = field(default_factory=dict)
    """Without models that have none."""
    at_snapshot: Counts = field(default_factory=dict)
    """As it was when the last snapshot of the node arrived."""


class SentRequests:
    """Counts the front's own requests by node and model, now and when the last snapshot of the node arrived."""

    def __init__(self) -> None:
        self._nodes: dict[str, NodeRequests] = {}

    def at(self, node: str) -> NodeRequests:
        """Return the requests at a node: always the same object, whose counts change."""
        found = self._nodes.get(node)
        if found is None:
            found = self._nodes[node] = NodeRequests()
        return found

    def started(self, node: str, model_name: str) -> None:
        """Note that a request is sent to a node."""
        counts = self.at(node).now
        counts[model_name] = counts.get(model_name, 0) + 1

    def ended(self, node: str, model_name: str) -> None:
        """Note that a request ended: answered, failed, cancelled or moved. Raises ``ValueError`` without a request."""
        counts = self.at(node).now
        if model_name not in counts:
            raise ValueError(f"No request for '{model_name}' was sent to '{node}'.")
        counts[model_name] -= 1
        if not counts[model_name]:
            del counts[model_name]

    def snapshot_arrived(self, node: str) -> None:
        """Note that the node's snapshot has the requests up to now."""
        found = self.at(node)
        found.at_snapshot = dict(found.now)

    def count(self, node: str, model_name: str) -> int:
        """Return how many requests for a model are at a node."""
        return self.at(node).now.get(model_name, 0)

    @property
    def total(self) -> int:
        """How many requests are at all nodes together."""
        return sum(sum(found.now.values()) for found in self._nodes.values())

    def total_at(self, node: str) -> int:
        """Return how many requests are at a node."""
        return sum(self.at(node).now.values())

    def since_snapshot(self, node: str, model_name: str) -> int:
        """Return how many more there are than when the last snapshot arrived; negative if more ended than started."""
        return self.count(node, model_name) - self.at(node).at_snapshot.get(model_name, 0)

    def models(self, node: str) -> Sequence[str]:
        """Return the models with requests at a node."""
        return tuple(self.at(node).now)

    def copy(self) -> "SentRequests":
        """Return a copy, to try out choices in."""
        other = SentRequests()
        other._nodes = {
            node: NodeRequests(dict(found.now), found.at_snapshot) for node, found in self._nodes.items()
        }
        return other
