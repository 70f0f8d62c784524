"""What a front's proxy needs beside its runtime and its catalogue. Values only."""

from collections.abc import Callable
from dataclasses import dataclass

from gglib.core.nodes import MeasuredResponse
from gglib.core.ports import ModelCatalogPort, ModelRuntimePort
from gglib.core.ports.nodes import ClusterView, NodesPort


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPorts:
    """The nodes of a front, and what it is without them.

    A request that another gglib has forwarded is served by this machine alone, so that no request goes in circles.
    """

    nodes: NodesPort
    view: ClusterView
    own_runtime: ModelRuntimePort
    own_catalog: ModelCatalogPort
    note_conversation: Callable[[str, str, int], None]
    """Called with the id of a request, the key of its conversation, and the size of its body in bytes, before its
    admission."""
    note_response: Callable[[MeasuredResponse], None]
    """Called for finished responses, those of this machine among them, while there are nodes."""

    @property
    def has_nodes(self) -> bool:
        """Whether there are nodes now: the settings may change."""
        return bool(self.nodes.snapshots())

    def response_note(self) -> Callable[[MeasuredResponse], None] | None:
        """Return ``note_response``; None without nodes."""
        return self.note_response if self.has_nodes else None
