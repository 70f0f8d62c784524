"""Nodes: other gglibs that a front gglib sends requests to. Values only.

A node has its own catalogue, scheduler and engines. The front sees it as a snapshot, chooses a node for a request, and
forwards the request to the node's address.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from gglib.core.hub.downloads import DownloadState
from gglib.core.memory import DeviceBytes, DeviceMemory
from gglib.core.models import ModelSummary
from gglib.core.runtime.status import ResidentStatus, RuntimeStatus
from gglib.core.shell_quoting import in_quotes, shell_command


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
class MeasuredResponse:
    """What a finished response says of the speed of a node."""

    node: str | None
    """The node that computed it; None: this machine."""
    model: str
    """The model's name in the cluster."""
    tokens: int
    seconds: float
    """From its first token to its last one: neither the wait nor the prompt is part of it."""
    prompt_tokens_per_s: float | None = None
    """Speed of the prompt, without cached tokens; None if it is not reported, or too short to be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDownload:
    """The state of a download at a node."""

    state: DownloadState
    done_bytes: int = 0
    total_bytes: int | None = None
    """None if it is not known yet."""
    bytes_per_s: int | None = None
    """None while no data arrives."""
    error: str | None = None
    """Why it failed, as a sentence; None if it did not."""


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

    @property
    def answers(self) -> bool:
        """Whether its status is a current one: it answers, and lets this gglib read it."""
        return self.state in _ANSWERING

    @property
    def residents(self) -> tuple[ResidentStatus, ...]:
        """Its models in memory; none that is only remembered of a node that does not answer."""
        return self.status.residents if self.answers else ()


_ANSWERING = frozenset((NodeState.READY, NodeState.DRAINING))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCopy:
    """A model at one node."""

    node: str
    model_name: str
    """Its name there: the same file can have several names."""
    state: str | None
    """``loading``, ``ready``, ``draining`` or ``stopping``; None if it is not in memory there, or the node is down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NameConflict:
    """Nodes that have different files under one name."""

    name: str
    served: tuple[str, ...]
    """The nodes with the file that the name stands for."""
    others: tuple[str, ...]
    """The nodes whose file is another one."""

    @property
    def command(self) -> str:
        """The command that ends the conflict, on the machines of ``others``."""
        return shell_command("set", "--name", "NEW", self.name)

    def __str__(self) -> str:
        verb = "serves" if len(self.served) == 1 else "serve"
        return (
            f"'{self.name}' is another file on {_and(self.others)} than on {_and(self.served)}, which {verb} it: "
            f"give it another name there with {in_quotes(self.command)}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOverview:
    """All nodes at one moment."""

    nodes: tuple[NodeSnapshot, ...] = ()
    """The front's own machine first; empty if there are no other nodes."""
    sent: Mapping[str, int] = field(default_factory=dict)
    """The front's requests in progress, by node."""
    lost: Mapping[str, int] = field(default_factory=dict)
    """How many of its requests a node has lost since the start, by node; those that another one then served count."""
    conflicts: tuple[NameConflict, ...] = ()


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
