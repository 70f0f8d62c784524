"""The front's requests at nodes: which of them may move."""

from dataclasses import replace

from tests.support.node_values import node_model, snapshot

from gglib.core.nodes import NodeSnapshot, NodeState
from gglib.core.runtime.status import RuntimeStatus, WaitingStatus
from gglib.nodes.estimates import Estimate, Step
from gglib.nodes.front.waiting import MIN_AGE_S, SentRequest, WaitingRequests, waiter
from gglib.nodes.load_times import LoadTimes
from gglib.nodes.model_index import ClusterModel
from gglib.nodes.node_view import NodeView
from gglib.nodes.placement import Choice, PlacementRequest
from gglib.nodes.sent_requests import SentRequests

NOW = 100.0
COPIES = {"b": node_model("n"), "c": node_model("n")}


def sent(node: str = "a", model: str = "m", *, at_s: float = 0.0, moves: int = 0) -> SentRequest:
    """Return a request that was sent to a node."""
    return SentRequest(
        request_id="r",
        request=PlacementRequest(model=model, copies={node: node_model(model)}, context=1),
        choice=Choice(node=node, model_name=model, estimate=Estimate(step=Step.LOAD, wait_s=0.0)),
        sent_at_s=at_s,
        moves=moves,
    )


def view(
    name: str = "a", waiting: str = "m", number: int = 1, state: NodeState = NodeState.READY
) -> NodeView:
    """Return a node at which requests wait for a model."""
    status = RuntimeStatus(waiting=(WaitingStatus(model_name=waiting, waiting=number, longest_wait_s=1.0),))
    found: NodeSnapshot = replace(snapshot(name, "m", state=state), status=status)
    return NodeView(found, SentRequests(), LoadTimes())


def test_requests_are_there_until_they_end() -> None:
    """Each by itself, although they have the same id."""
    waiting, first, second = WaitingRequests(), sent(), sent()
    assert not waiting
    waiting.add(first)
    waiting.add(second)
    assert list(waiting.movable([view()], NOW).values()) == [first, second]
    waiting.remove(first)
    assert first not in waiting
    assert second in waiting
    assert waiting
    assert list(waiting.movable([view()], NOW).values()) == [second]
    waiting.remove(second)
    assert second not in waiting
    assert not waiting


def test_only_requests_of_a_model_that_is_waited_for_may_wait() -> None:
    """At a living node: the connections of others end."""
    waiting = WaitingRequests()
    waiting.add(sent())
    assert waiting.movable([view(state=NodeState.DRAINING)], NOW)
    for elsewhere in (
        view(waiting="n"),
        view(number=0),
        view("b"),
        view(state=NodeState.DOWN),
        view(state=NodeState.REFUSED),
    ):
        assert not waiting.movable([elsewhere], NOW)
    assert not waiting.movable([], NOW)


def test_a_request_is_asked_back_once_and_not_at_once() -> None:
    """Its node has to know it first; then the node has said whether it waits."""
    waiting, young, asked = WaitingRequests(), sent(at_s=NOW), sent()
    asked.is_asked = True
    for request in (young, asked):
        waiting.add(request)
    assert not waiting.movable([view()], NOW)
    assert list(waiting.movable([view()], NOW + MIN_AGE_S)) == [young.key]


def test_a_waiter_has_what_the_rule_reads() -> None:
    """All of it is that of the request."""
    request = sent("b", "n", at_s=3.0, moves=1)
    found = waiter(request, ClusterModel(copies=COPIES, summary=COPIES["b"].summary))
    assert found is not None
    assert (found.key, found.node, found.model_name, found.sent_at_s, found.moves) == (
        request.key,
        "b",
        "n",
        3.0,
        1,
    )
    assert found.request == replace(request.request, copies=COPIES)


def test_a_request_whose_node_has_lost_the_model_stays() -> None:
    """Its node knows best what becomes of it."""
    assert waiter(sent("b", "n"), None) is None
    only_c = {"c": COPIES["c"]}
    assert waiter(sent("b", "n"), ClusterModel(copies=only_c, summary=COPIES["c"].summary)) is None
