"""Describes nodes (``gglib node``). Pure."""

from collections.abc import Sequence
from typing import Any

from gglib.app.settings.suggestions import suggestion
from gglib.core.errors import InvalidSettingError
from gglib.core.memory import RAM
from gglib.core.nodes import NodeSnapshot, NodeState
from gglib.core.sizes import format_size

COLUMNS = ("NAME", "STATE", "ADDRESS", "VERSION", "MODELS", "IN MEMORY", "FREE", "QUEUE")
DROPPABLE = ("VERSION", "MODELS", "QUEUE", "FREE")
WRAPPED = ("IN MEMORY",)
STATE_STYLES = {"ready": "green", "draining": "yellow", "unknown": "yellow", "down": "red", "refused": "red"}
NO_NODES = "No nodes: 'gglib node add URL' adds another gglib."
_ANSWERING = frozenset((NodeState.READY, NodeState.DRAINING))


def node_rows(nodes: Sequence[NodeSnapshot]) -> list[tuple[str, ...]]:
    """Return a row for each node; of one that does not answer only its name, state and address."""
    return [_row(node) for node in nodes]


def _row(node: NodeSnapshot) -> tuple[str, ...]:
    if node.state not in _ANSWERING:
        return (node.name, node.state.value, node.url, "-", "-", "-", "-", "-")
    residents = ", ".join(
        resident.model_name if resident.state == "ready" else f"{resident.model_name} ({resident.state})"
        for resident in node.status.residents
    )
    waiting = sum(queue.waiting for queue in node.status.waiting)
    return (
        node.name,
        node.state.value,
        node.url,
        node.version,
        str(len(node.models)),
        residents or "-",
        _free(node) or "-",
        str(waiting),
    )


def _free(node: NodeSnapshot) -> str:
    """Return the free memory of a machine: ``12.0 GB, gpu0 20.0 GB``."""
    return ", ".join(
        f"{'' if device == RAM else f'{device} '}{format_size(memory.available_bytes)}"
        for device, memory in node.devices.items()
        if memory.available_bytes is not None
    )


def failure_lines(nodes: Sequence[NodeSnapshot]) -> list[str]:
    """Return the sentence of each node that has one."""
    return [node.failure for node in nodes if node.failure]


def node_fields(node: NodeSnapshot) -> dict[str, Any]:
    """Return a node for JSON. Sizes in bytes."""
    return {
        "name": node.name,
        "url": node.url,
        "state": node.state.value,
        "failure": node.failure or None,
        "version": node.version or None,
        "models": [model.name for model in node.models],
        "residents": [
            {"model_name": resident.model_name, "state": resident.state, "in_flight": resident.in_flight}
            for resident in node.status.residents
        ],
        "waiting": sum(queue.waiting for queue in node.status.waiting),
        "available_bytes": {device: memory.available_bytes for device, memory in node.devices.items()},
    }


def unknown_node_error(name: str, known: Sequence[str], source: str | None) -> InvalidSettingError:
    """Return the error for a name that config.toml does not have; ``source`` sets the nodes in use."""
    if source not in {None, "config.toml"}:
        return InvalidSettingError(f"config.toml has no node '{name}': the nodes in use are from {source}.")
    if not known:
        return InvalidSettingError(f"There is no node '{name}': 'gglib node add URL' adds one.")
    return InvalidSettingError(f"There is no node '{name}'{suggestion(name, known)}")
