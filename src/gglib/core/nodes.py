"""Nodes: other gglibs that a front gglib sends requests to. Values only.

A node has its own catalogue, scheduler and engines. The front sees it as a snapshot, chooses a node for a request, and
forwards the request to the node's address.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from gglib.core.memory import DeviceBytes, DeviceMemory
from gglib.core.models import ModelSummary
from gglib.core.runtime.status import RuntimeStatus


class NodeState(Enum):
    """What is known of a node."""

    UNKNOWN = "unknown"
    """No probe has ended yet."""
    READY = "ready"
    DRAINING = "draining"
    """It serves its requests to their end and gets no new ones: by the user's order, or because it shuts down."""
    DOWN = "down"
    """Two probes in a row failed."""
    REFUSED = "refused"
    """It answers, but not to this gglib: the key, the version or the address is wrong. ``failure`` says which."""


@dataclass(frozen=True, slots=True)
class ModelContent:
    """The identity of a model's files, so that the same file is found under different names."""

    sha256: str | None
    """Hash of the first file; None if it is not known without reading the file."""
    size_bytes: int | None
    """Sum over all files; None for a model without files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeModel:
    """A model in the catalogue of a node."""

    summary: ModelSummary
    """As the node lists it; without paths. ``summary.name`` is its name at the node."""
    content: ModelContent
    need: DeviceBytes = field(default_factory=dict)
    """The expected memory of a launch with its settings at the node, in bytes by device; empty if unknown."""

    @property
    def name(self) -> str:
        """Its name at the node."""
        return self.summary.name


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSnapshot:
    """The state of a node when it was last seen. Times in seconds."""

    name: str
    """Unique among the nodes of this front."""
    url: str
    """Scheme and authority, without a trailing slash."""
    state: NodeState = NodeState.UNKNOWN
    models: tuple[NodeModel, ...] = ()
    status: RuntimeStatus = field(default_factory=RuntimeStatus)
    """Its models in memory, waiting requests, finished loads and memory budget."""
    max_models: int | None = None
    """At most this many models are in memory there; None: unknown, or only the memory limits them."""
    devices: Mapping[str, DeviceMemory] = field(default_factory=dict)
    """The memory of its machine, by device."""
    version: str = ""
    """Its gglib's version; empty if unknown."""
    seen_at_s: float | None = None
    """When ``status`` was received, by the front's monotonic clock; None: never."""
    failure: str = ""
    """Why the last probe failed, as a sentence; empty if it did not."""

    @property
    def takes_requests(self) -> bool:
        """Whether new requests may be sent to it."""
        return self.state is NodeState.READY
