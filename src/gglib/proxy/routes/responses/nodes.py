"""Responses about the nodes of a server. Values only."""

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from msgspec import Meta

from gglib.core import nodes as node_values
from gglib.core.memory import DeviceMemory
from gglib.core.runtime.status import ResidentStatus
from gglib.proxy.routes.responses.fields import Bytes, Count
from gglib.proxy.routes.responses.runtime import encodable

NodeStateName = Literal["unknown", "ready", "draining", "down", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeModel:
    """A model in the catalogue of a node."""

    name: Annotated[str, Meta(description="Its name at the node.")]
    size_bytes: Bytes | None
    state: Annotated[
        str | None, Meta(description="`loading`, `ready`, `draining` or `stopping`; null if not in memory.")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A gglib that requests are sent to. What only a node that answers has is empty while it does not."""

    name: str
    is_own: Annotated[bool, Meta(description="Whether it is the machine of this server.")]
    url: Annotated[str | None, Meta(description="Its address; null for the machine of this server.")]
    state: Annotated[NodeStateName, Meta(description="As `gglib node list` shows it.")]
    failure: Annotated[
        str | None, Meta(description="Why it cannot be used, as a sentence; null if it can be.")
    ]
    version: Annotated[str | None, Meta(description="Of its gglib; null if unknown.")]
    seen_s: Annotated[
        float | None, Meta(description="Seconds since its last status arrived; null if none did.")
    ]
    models: Annotated[
        tuple[NodeModel, ...], Meta(description="Its catalogue, also while it does not answer.")
    ]
    residents: Annotated[tuple[ResidentStatus, ...], Meta(description="Its models in memory.")]
    limits: Annotated[
        dict[str, Bytes],
        Meta(description="Memory budget of its models, by device; empty if memory is not limited."),
    ]
    used: Annotated[
        dict[str, Bytes], Meta(description="Sum of the sizes of its models in memory, by device.")
    ]
    devices: Annotated[dict[str, DeviceMemory], Meta(description="Memory of its machine, by device.")]
    waiting: Annotated[
        Count, Meta(description="Requests that wait there, those of other clients among them.")
    ]
    in_flight: Annotated[
        Count, Meta(description="Requests that its engines serve, those of other clients too.")
    ]
    requests: Annotated[Count, Meta(description="Requests in progress that this server has sent there.")]

    @classmethod
    def of(cls, node: node_values.NodeSnapshot, *, sent: int, now_s: float, own_version: str) -> Self:
        """Return the JSON form of a node; ``now_s`` by the clock of its ``seen_at_s``."""
        is_own = not node.url
        states = {resident.model_name: resident.state for resident in node.residents}
        status = node.status
        return cls(
            name=node.name,
            is_own=is_own,
            url=node.url or None,
            state=node.state.value,
            failure=node.failure or None,
            version=own_version if is_own else node.version or None,
            seen_s=None if node.seen_at_s is None else max(0.0, now_s - node.seen_at_s),
            models=tuple(
                NodeModel(name=model.name, size_bytes=model.summary.size_bytes, state=states.get(model.name))
                for model in node.models
            ),
            residents=tuple(map(encodable, node.residents)),
            limits=dict(status.limits) if node.answers else {},
            used=status.used if node.answers else {},
            devices=dict(node.devices) if node.answers else {},
            waiting=sum(queue.waiting for queue in status.waiting) if node.answers else 0,
            in_flight=sum(resident.in_flight for resident in node.residents),
            requests=sent,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NameConflict:
    """Nodes that have different files under one name."""

    name: str
    served: Annotated[tuple[str, ...], Meta(description="The nodes with the file that the name stands for.")]
    others: Annotated[
        tuple[str, ...], Meta(description="The nodes with another file, which is not served under the name.")
    ]
    message: Annotated[str, Meta(description="The conflict, and what ends it, as a sentence.")]
    command: Annotated[str, Meta(description="What ends it, on the machines of `others`.")]

    @classmethod
    def of(cls, conflict: node_values.NameConflict) -> Self:
        """Return the JSON form of a conflict."""
        return cls(
            name=conflict.name,
            served=conflict.served,
            others=conflict.others,
            message=str(conflict),
            command=conflict.command,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """The nodes of a server."""

    nodes: Annotated[
        tuple[Node, ...],
        Meta(description="The machine of this server first; empty if it has no other nodes."),
    ]
    conflicts: tuple[NameConflict, ...]

    @classmethod
    def of(cls, overview: node_values.ClusterOverview, *, now_s: float, own_version: str) -> Self:
        """Return the JSON form of all nodes."""
        return cls(
            nodes=tuple(
                Node.of(node, sent=overview.sent.get(node.name, 0), now_s=now_s, own_version=own_version)
                for node in overview.nodes
            ),
            conflicts=tuple(map(NameConflict.of, overview.conflicts)),
        )
