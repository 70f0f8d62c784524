"""Which waiting requests move to another node."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.nodes.cluster import Cluster, a_node, cluster, resident
from tests.unit.nodes.test_placement import any_nodes

from gglib.core.nodes import NodeState
from gglib.nodes.estimates import Step
from gglib.nodes.moves import MAX_MOVES, Move, Waiter, moves
from gglib.nodes.response_times import ResponseTimes


def waiter(
    nodes: Cluster, node: str = "a", *, key: str = "1", sent_at_s: float = 90.0, **fields: Any
) -> Waiter:
    """Return a request for M that waits at a node, and count it as sent."""
    moved = fields.pop("moves", 0)
    nodes.sent.started(node, "m")
    return Waiter(
        key=key,
        request=nodes.request(**fields),
        node=node,
        model_name="m",
        sent_at_s=sent_at_s,
        moves=moved,
    )


def queue(nodes: Cluster, count: int, node: str = "a") -> list[Waiter]:
    """Return requests that wait at a node, the newest first."""
    return [
        waiter(nodes, node, key=str(number), sent_at_s=90.0 + number) for number in reversed(range(count))
    ]


def planned(nodes: Cluster, *waiters: Waiter) -> list[tuple[str, str]]:
    """Return each move as the request's key and its new node."""
    return [(move.waiter.key, move.choice.node) for move in of(nodes, *waiters)]


def of(nodes: Cluster, *waiters: Waiter) -> tuple[Move, ...]:
    """Return the moves."""
    return moves(waiters, nodes.views, nodes.sent, nodes.times, nodes.now)


def test_requests_leave_a_node_that_is_gone() -> None:
    """However short the wait elsewhere, and however often they moved; the oldest first, each to the best node."""
    for state in (NodeState.DOWN, NodeState.REFUSED):
        nodes = cluster(a_node("a", state=state), a_node("b", resident()), a_node("c", resident(in_flight=1)))
        waiters = queue(nodes, 3)
        waiters[0] = replace(waiters[0], moves=9)
        assert planned(nodes, *waiters) == [("0", "b"), ("1", "b"), ("2", "c")]


def test_requests_leave_a_node_that_was_removed() -> None:
    """It is not among the views any more."""
    nodes = cluster(a_node("b", resident()))
    assert planned(nodes, waiter(nodes, "a")) == [("1", "b")]


def test_requests_without_another_node_stay() -> None:
    """The front fails them, or waits for a node."""
    nodes = cluster(a_node("a", state=NodeState.DOWN))
    assert planned(nodes, waiter(nodes)) == []


def test_a_draining_node_serves_its_waiting_requests() -> None:
    """It serves its requests to their end."""
    nodes = cluster(a_node("a", resident(in_flight=4), state=NodeState.DRAINING), a_node("b"))
    assert planned(nodes, waiter(nodes)) == []


def test_waiting_requests_move_to_a_free_slot() -> None:
    """Only as many as there are slots, and those whose wait here is long; the first in the queue stays."""
    nodes = cluster(a_node("a", resident(in_flight=4)), a_node("b", resident(in_flight=1)))
    assert planned(nodes, *queue(nodes, 10)) == [("1", "b"), ("2", "b"), ("3", "b")]


def test_a_move_to_a_free_slot_is_ready() -> None:
    """A load elsewhere is for new requests."""
    nodes = cluster(a_node("a", resident(in_flight=4)), a_node("b"))
    assert planned(nodes, *queue(nodes, 20)) == []
    nodes = cluster(a_node("a", resident(state="loading", expected_load_s=20.0)), a_node("b", resident()))
    (move,) = of(nodes, waiter(nodes))
    assert (move.choice.node, move.choice.estimate.step) == ("b", Step.READY)


def test_requests_of_other_clients_are_before_the_fronts_own() -> None:
    """Their place in the queue is unknown: a waiter may be the last."""
    nodes = cluster(a_node("a", resident(in_flight=12)), a_node("b", resident()))
    assert planned(nodes, waiter(nodes)) == [("1", "b")]


def test_a_small_gain_moves_nothing() -> None:
    """The wait here is 5 s, and the response there takes 3 s longer: the gain is less than half of the wait."""
    nodes = cluster(a_node("a", resident(in_flight=7)), a_node("b", resident()))
    for node, seconds in (("a", 5.0), ("b", 8.0)):
        nodes.times.note(node, "m", seconds=seconds, tokens=100)
    one = waiter(nodes)
    assert planned(nodes, one) == []
    nodes.times = ResponseTimes()
    assert planned(nodes, one) == [("1", "b")]


def test_a_request_moves_only_so_often() -> None:
    """It loses its place each time."""
    nodes = cluster(a_node("a", resident(in_flight=30)), a_node("b", resident()))
    assert planned(nodes, waiter(nodes, moves=MAX_MOVES)) == []
    assert planned(nodes, waiter(nodes, moves=MAX_MOVES - 1)) == [("1", "b")]


def test_a_conversation_moves_if_its_prompt_is_worth_it() -> None:
    """The prompt is computed again at the new node."""
    nodes = cluster(a_node("a", resident(in_flight=16)), a_node("b", resident()))
    assert planned(nodes, waiter(nodes, conversation_node="a", prompt_s=60.0)) == []
    nodes = cluster(a_node("a", resident(in_flight=16)), a_node("b", resident()))
    assert planned(nodes, waiter(nodes, conversation_node="b", prompt_s=60.0)) == [("1", "b")]
    nodes = cluster(a_node("a", resident(in_flight=16)), a_node("b", resident()))
    assert planned(nodes, waiter(nodes, conversation_node="a", prompt_s=1.0)) == [("1", "b")]


@given(nodes=any_nodes(), count=st.integers(0, 6))
def test_moves_end_and_are_the_same_twice(nodes: Cluster, count: int) -> None:
    """Each request moves at most once at a time, never to its own node, and what was sent is not changed."""
    waiters = [waiter(nodes, "abcd"[number % 4], key=str(number)) for number in range(count)]
    waiters = [w for w in waiters if w.node in w.request.copies]
    before = {node: nodes.sent.count(node, "m") for node in "abcd"}
    found = of(nodes, *waiters)
    assert found == of(nodes, *waiters)
    assert before == {node: nodes.sent.count(node, "m") for node in "abcd"}
    assert len({move.waiter.key for move in found}) == len(found)
    assert all(move.choice.node != move.waiter.node for move in found)
