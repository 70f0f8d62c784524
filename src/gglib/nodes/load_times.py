"""How long loads take at the nodes, from their snapshots. Pure; times in seconds."""

from gglib.core.nodes import NodeModel, NodeSnapshot
from gglib.core.runtime.load_progress import estimated_load_s


class LoadTimes:
    """Expected durations of loads: measured at the node, else from its other loads, else from loads at other nodes.

    Loads of different models are compared by the estimate from their sizes: a node whose loads took half of it is
    expected to need half of it for another model.
    """

    def __init__(self) -> None:
        self._means: dict[str, dict[str, float]] = {}
        """Mean duration of a load, by node and model."""
        self._shares: dict[str, float] = {}
        """Duration of the loads of a node relative to the estimate from the sizes, by node."""

    def note(self, snapshot: NodeSnapshot) -> None:
        """Note the loads in a node's snapshot, which counts them since the start of the node."""
        means = {
            load.model_name: load.total_s / load.count
            for load in snapshot.status.loads
            if load.outcome == "ready" and load.count > 0
        }
        if means == self._means.get(snapshot.name):
            return
        self._means[snapshot.name] = means
        shares = [means[model.name] / _estimated_s(model) for model in snapshot.models if model.name in means]
        if shares:
            self._shares[snapshot.name] = sum(shares) / len(shares)

    def expected_s(self, node: str, model: NodeModel) -> float:
        """Return the expected duration of a load of a model at a node."""
        measured = self._means.get(node, {}).get(model.name)
        if measured is not None:
            return measured
        share = self._shares.get(node)
        if share is None:
            share = sum(self._shares.values()) / len(self._shares) if self._shares else 1.0
        return _estimated_s(model) * share


def _estimated_s(model: NodeModel) -> float:
    return estimated_load_s(model.content.size_bytes or 0)
