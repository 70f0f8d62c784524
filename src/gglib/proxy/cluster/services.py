"""What a front's proxy needs beside its runtime and its catalogue. Values only."""

from collections.abc import Callable
from dataclasses import dataclass

from gglib.core.ports import ModelCatalogPort, ModelRuntimePort
from gglib.core.ports.nodes import NodesPort


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPorts:
    """The nodes of a front, and what it is without them.

    A request that another gglib has forwarded is served by this machine alone, so that no request goes in circles.
    """

    nodes: NodesPort
    own_runtime: ModelRuntimePort
    own_catalog: ModelCatalogPort
    note_conversation: Callable[[str, str], None]
    """Called with the id of a request and the key of its conversation, before its admission."""

    @property
    def has_nodes(self) -> bool:
        """Whether there are nodes now: the settings may change."""
        return bool(self.nodes.snapshots())
