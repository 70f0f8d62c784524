"""Describes nodes (``gglib node``). Pure.

A node has the fields of ``GET /gglib/nodes`` (``docs/api.md``).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gglib.app.settings.suggestions import suggestion
from gglib.cli.views import render
from gglib.core.errors import InvalidSettingError
from gglib.core.memory import RAM
from gglib.nodes.placement import is_allowed

Node = Mapping[str, Any]

COLUMNS = ("NAME", "STATE", "ADDRESS", "VERSION", "MODELS", "IN MEMORY", "FREE", "QUEUE", "IN FLIGHT")
DROPPABLE = ("VERSION", "MODELS", "IN FLIGHT", "QUEUE", "FREE")
WRAPPED = ("IN MEMORY",)
STATE_STYLES = {"ready": "green", "draining": "yellow", "unknown": "yellow", "down": "red", "refused": "red"}
NO_NODES = "No nodes: 'gglib node add URL' adds another gglib."
NO_NODES_BY_ADDRESS = "No nodes by address: 'gglib cluster status' lists those of the cluster."
"""No server runs that follows the cluster, or the cluster has none yet."""
THIS_MACHINE = "this machine"
_ANSWERING = frozenset(("ready", "draining"))
_NO_VALUE = "-"


def node_rows(nodes: Sequence[Node]) -> list[tuple[str, ...]]:
    """Return a row for each node; of one that does not answer only its name, state and address."""
    return [_row(node) for node in nodes]


def _row(node: Node) -> tuple[str, ...]:
    address = THIS_MACHINE if node["is_own"] else str(node["url"])
    if node["state"] not in _ANSWERING:
        return (node["name"], node["state"], address, *(_NO_VALUE,) * 6)
    residents = ", ".join(
        resident["model_name"]
        if resident["state"] == "ready"
        else f"{resident['model_name']} ({resident['state']})"
        for resident in node["residents"]
    )
    return (
        node["name"],
        node["state"],
        address,
        render.text(node["version"]),
        str(len(node["models"])),
        residents or _NO_VALUE,
        _free(node["devices"]) or _NO_VALUE,
        str(node["waiting"]),
        str(node["in_flight"]),
    )


def _free(devices: Mapping[str, Mapping[str, int | None]]) -> str:
    """Return the free memory of a machine: ``12.0 GB, gpu0 20.0 GB``."""
    return ", ".join(
        f"{'' if device == RAM else f'{device} '}{render.size(memory['available_bytes'])}"
        for device, memory in devices.items()
        if memory["available_bytes"] is not None
    )


def problem_lines(nodes: Sequence[Node], conflicts: Sequence[Mapping[str, Any]] = ()) -> Iterator[str]:
    """Return a sentence for each node that cannot be used, and for each name that stands for different files."""
    for node in nodes:
        if node["failure"]:
            yield node["failure"]
    for conflict in conflicts:
        yield conflict["message"]


def queue_lines(nodes: Sequence[Node]) -> Iterator[str]:
    """Return a sentence for each other node at which requests wait."""
    for node in nodes:
        number = node["waiting"]
        if number and not node["is_own"]:
            yield f"Waiting at {node['name']}: {number} request{'' if number == 1 else 's'}"


def copies_text(copies: Sequence[Mapping[str, Any]]) -> str:
    """Return the nodes that have a model, with its state where it is in memory: ``box (ready), gpu1``."""
    return ", ".join(
        copy["node"] if copy["state"] is None else f"{copy['node']} ({copy['state']})" for copy in copies
    )


def restriction_line(model: str, patterns: Sequence[str]) -> str:
    """Return which nodes serve a model now."""
    nodes = f"only by the nodes {', '.join(patterns)}" if patterns else "by all nodes"
    return f"'{model}' is served {nodes}."


def no_match_warning(patterns: Sequence[str], names: Sequence[str]) -> str | None:
    """Return the warning for patterns that match none of the nodes; None if one does, or they are not known."""
    if not patterns or not names or any(is_allowed(name, patterns) for name in names):
        return None
    return f"no node matches {', '.join(patterns)}, so requests for the model fail: the nodes are {', '.join(names)}."


def unknown_node_error(name: str, known: Sequence[str], source: str | None) -> InvalidSettingError:
    """Return the error for a name that config.toml does not have; ``source`` sets the nodes in use."""
    if source not in {None, "config.toml"}:
        return InvalidSettingError(f"config.toml has no node '{name}': the nodes in use are from {source}.")
    if not known:
        return InvalidSettingError(f"There is no node '{name}': 'gglib node add URL' adds one.")
    return InvalidSettingError(f"There is no node '{name}'{suggestion(name, known)}")
