"""Nodes as a response."""

from dataclasses import replace
from types import MappingProxyType

import msgspec
from tests.support.node_values import snapshot

from gglib.core.memory import DeviceMemory
from gglib.core.nodes import ClusterOverview, NameConflict, NodeSnapshot, NodeState
from gglib.core.runtime.status import ResidentStatus, RuntimeStatus, WaitingStatus
from gglib.proxy.routes.responses import Node, Nodes

BUSY = RuntimeStatus(
    residents=tuple(
        ResidentStatus(
            model_id=1, model_name=name, state="ready", effective_ctx=1, in_flight=2, size={"ram": 5}
        )
        for name in ("m", "n")
    ),
    waiting=(
        WaitingStatus(model_name="x", waiting=3, longest_wait_s=1.0),
        WaitingStatus(model_name="y", waiting=1, longest_wait_s=1.0),
    ),
    limits=MappingProxyType({"ram": 20}),
)


def shown(node: NodeSnapshot) -> Node:
    """Return the JSON form of a node, at second 11, with 7 requests of this server."""
    return Node.of(node, sent=7, now_s=11.0, own_version="1.0")


def test_a_node_is_shown_with_its_queue_and_memory() -> None:
    """Sums over its models, and how old that is."""
    node = replace(snapshot("a", "m", "file", seen_at_s=10.5), status=BUSY, version="0.9")
    found = shown(node)
    assert (found.name, found.url, found.is_own, found.state) == ("a", "http://a:8080", False, "ready")
    assert (found.version, found.failure, found.seen_s) == ("0.9", None, 0.5)
    assert [(model.name, model.size_bytes, model.state) for model in found.models] == [
        ("m", 1000, "ready"),
        ("file", 1000, None),
    ]
    assert [resident.model_name for resident in found.residents] == ["m", "n"]
    assert (found.waiting, found.in_flight, found.requests) == (4, 4, 7)
    assert (found.limits, found.used) == ({"ram": 20}, {"ram": 10})
    assert found.devices == {"ram": DeviceMemory(total_bytes=10**9, available_bytes=10**9)}
    assert msgspec.json.decode(msgspec.json.encode(found), type=Node) == found


def test_of_a_node_that_does_not_answer_only_lasting_things_are_shown() -> None:
    """Its catalogue is still there; its memory and queue are unknown."""
    node = replace(
        snapshot("a", "m", state=NodeState.DOWN, seen_at_s=None), status=BUSY, failure="It does not answer."
    )
    found = shown(node)
    assert (found.state, found.failure, found.version, found.seen_s) == (
        "down",
        "It does not answer.",
        None,
        None,
    )
    assert [(model.name, model.state) for model in found.models] == [("m", None)]
    assert (found.residents, found.limits, found.used, found.devices) == ((), {}, {}, {})
    assert (found.waiting, found.in_flight, found.requests) == (0, 0, 7)


def test_this_machine_has_no_address() -> None:
    """And the version of this server."""
    found = shown(replace(snapshot("front"), url="", version=""))
    assert (found.is_own, found.url, found.version) == (True, None, "1.0")


def test_a_clock_that_differs_a_little_shows_no_negative_age() -> None:
    """A status may arrive after the time was read."""
    assert shown(snapshot("a", seen_at_s=11.5)).seen_s == 0.0


def test_conflicts_have_a_sentence_and_a_command() -> None:
    """For the page and the commands."""
    conflict = NameConflict(name="m", served=("a",), others=("b",))
    overview = ClusterOverview(nodes=(snapshot("a"),), sent={"a": 3}, conflicts=(conflict,))
    found = Nodes.of(overview, now_s=0.0, own_version="1.0")
    assert [(node.name, node.requests) for node in found.nodes] == [("a", 3)]
    (shown_conflict,) = found.conflicts
    assert shown_conflict.message == str(conflict)
    assert (shown_conflict.command, shown_conflict.others) == ("gglib set --name NEW m", ("b",))
