"""On which node a model is loaded or unloaded. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from gglib.core.errors import ModelNotOnNodeError, NodeNeededError, NodeNotFoundError
from gglib.core.nodes import ClusterOverview, ModelCopy
from gglib.core.ports.nodes import ClusterView


class Place(NamedTuple):
    """Where a model is."""

    model_name: str
    """Its name there."""
    node: str | None
    """None for this machine."""


class Places:
    """The places that a command for models means: those on the named node, or without one the obvious ones."""

    def __init__(self, view: ClusterView | None, node: str | None, *, in_memory: bool) -> None:
        """``in_memory``: only copies in memory matter, if there are any. Raises ``NodeNotFoundError``."""
        self._copies = (lambda _: ()) if view is None else view.copies
        self._overview = ClusterOverview() if view is None else view.overview()
        self._node, self._in_memory = node, in_memory
        self._own = next((snapshot.name for snapshot in self._overview.nodes), None)
        if node is not None and all(snapshot.name != node for snapshot in self._overview.nodes):
            raise NodeNotFoundError(node)

    def has(self, model_name: str) -> bool:
        """Whether the named node has the model; True without a named node."""
        return self._node is None or any(copy.node == self._node for copy in self._copies(model_name))

    def place(self, model_name: str) -> Place:
        """Return where the model is that is meant.

        Without a named node: on this machine if it has the model, else on the only node that has it, or that answers.
        Of several copies of which none is in memory, an unload means any: it has nothing to do.
        Raises ``NodeNeededError`` if there are several, and ``ModelNotOnNodeError`` if the named one has none.
        """
        copies = self._copies(model_name)
        if self._node is None:
            found = self._obvious(copies)
        else:
            found = [copy for copy in copies if copy.node == self._node]
            if not found:
                raise ModelNotOnNodeError(model_name, self._node, _nodes(copies))
        if len(found) > 1 and not self._is_nowhere(found):
            raise NodeNeededError(model_name, _nodes(found))
        if not found or found[0].node == self._own:
            return Place(found[0].model_name if found else model_name, None)
        return Place(found[0].model_name, found[0].node)

    def _is_nowhere(self, found: Sequence[ModelCopy]) -> bool:
        return self._in_memory and all(copy.state is None for copy in found)

    def _obvious(self, copies: Sequence[ModelCopy]) -> list[ModelCopy]:
        answering = {snapshot.name for snapshot in self._overview.nodes if snapshot.answers}
        found = [copy for copy in copies if copy.node in answering] or list(copies)
        if self._in_memory:
            found = [copy for copy in found if copy.state is not None] or found
        return [copy for copy in found if copy.node == self._own] or found


def _nodes(copies: Sequence[ModelCopy]) -> tuple[str, ...]:
    return tuple(copy.node for copy in copies)
