"""The choice of a node for each request, and why none can serve it."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.nodes.cluster import GIB, Cluster, a_model, a_node, cluster, resident, waiting

from gglib.core.nodes import NodeSnapshot, NodeState
from gglib.core.runtime.status import LoadCount
from gglib.nodes.estimates import Step
from gglib.nodes.placement import Choice, NoNode, is_allowed

MODELS = tuple(a_model(name, sha256=name) for name in ("m", "n", "o", "p"))
LOADED = tuple(LoadCount(model_name=m.name, outcome="ready", count=1, total_s=10.0) for m in MODELS)
READY, LOADING, BUSY, LOAD, EVICT, DRAIN, FAILED = (
    (resident(in_flight=1),),
    (resident(state="loading", expected_load_s=10.0, loading_for_s=5.0),),
    (resident(in_flight=5),),
    (),
    tuple(resident(name, idle_s=60.0) for name in ("n", "o", "p")),
    tuple(resident(name, in_flight=1) for name in ("n", "o", "p")),
    (),
)


def node(name: str, *residents: object, **status: object) -> NodeSnapshot:
    """Return a node with four models, whose loads take 10 s, and memory for three."""
    return a_node(name, *residents, **{"models": MODELS, "loads": LOADED, **status})  # type: ignore[arg-type]


def reasons(found: Choice | NoNode) -> dict[str, str]:
    """Return why each node cannot serve a request."""
    assert isinstance(found, NoNode)
    return dict(found.reasons)


# --- 1: nodes that cannot serve it ---


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (NodeState.UNKNOWN, "has not answered yet"),
        (NodeState.DRAINING, "takes no new requests"),
        (NodeState.DOWN, "is down"),
        (NodeState.REFUSED, "refuses this gglib"),
    ],
)
def test_1_only_ready_nodes_take_requests(state: NodeState, reason: str) -> None:
    """Also if they have the model in memory."""
    first = node("a", *READY, state=state)
    assert cluster(first, node("b", *DRAIN)).node() == "b"
    found = cluster(first).result()
    assert reasons(found) == {"a": reason}
    assert str(found) == f"a {reason}"


def test_1_a_node_that_failed_the_request_is_not_asked_again() -> None:
    """The request is sent once again elsewhere."""
    nodes = cluster(node("a", *READY), node("b", *DRAIN))
    assert nodes.node(excluded=frozenset("a")) == "b"
    assert reasons(nodes.result(excluded=frozenset("ab")))["a"] == "failed to serve this request"


def test_1_a_model_may_be_limited_to_nodes() -> None:
    """Any of the patterns is enough."""
    nodes = cluster(node("cpu1", *READY), node("gpu1", *DRAIN))
    assert nodes.node(nodes=("GPU*", "x")) == "gpu1"
    assert reasons(nodes.result(nodes=("x*", "y"))) == {
        "cpu1": "is not among the model's nodes (x*, y)",
        "gpu1": "is not among the model's nodes (x*, y)",
    }
    assert is_allowed("Gpu1", ("gpu?",))


def test_1_without_files_and_without_a_source_there_is_nothing_to_serve() -> None:
    """The error lists the nodes that have the files."""
    nodes = cluster(node("a", models=()), node("b", state=NodeState.DOWN))
    found = nodes.result()
    assert reasons(found) == {"a": "does not have its files", "b": "is down"}
    assert isinstance(found, NoNode)
    assert found.with_files == ("b",)
    assert str(found) == "a does not have its files; b is down"


def test_1_a_model_that_exceeds_a_limit_cannot_be_loaded() -> None:
    """Both numbers are in the reason; a model that is in memory anyway is used."""
    large = (a_model("m", gib=13),)
    assert reasons(cluster(a_node("a", models=large)).result()) == {
        "a": "allows 12.9 GB on gpu0, and it needs 14.0 GB on gpu0"
    }
    assert cluster(a_node("a", resident(gib=13), models=large)).node() == "a"


def test_1_pinned_models_may_leave_no_room() -> None:
    """The node would refuse the request at once."""
    pinned = node("a", resident("n", gib=9, is_pinned=True))
    assert reasons(cluster(pinned).result()) == {"a": "has no room beside its pinned models"}
    assert cluster(pinned, node("b", *DRAIN)).node() == "b"


def test_1_without_nodes_there_are_no_reasons() -> None:
    """A front without nodes never asks."""
    assert str(cluster().result()) == ""


# --- 2 to 4: steps and seconds ---


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (READY, LOADING),
        (READY, BUSY),
        (READY, LOAD),
        (LOADING, LOAD),
        (BUSY, EVICT),
        (LOAD, EVICT),
        (EVICT, DRAIN),
    ],
)
def test_a_lower_step_is_better_if_all_else_is_usual(
    better: tuple[object, ...], worse: tuple[object, ...]
) -> None:
    """In whichever order the nodes are listed."""
    assert cluster(node("a", *better), node("b", *worse)).node() == "a"
    assert cluster(node("b", *worse), node("a", *better)).node() == "a"


def test_a_hot_model_is_loaded_by_another_node() -> None:
    """Once all slots are in use and memory is free there: the new copy serves later requests, too."""
    nodes = [cluster(node("a", resident(in_flight=number)), node("b")).node() for number in range(6)]
    assert nodes == ["a", "a", "a", "a", "b", "b"]


def test_a_copy_without_requests_is_used_before_another_node_loads_one() -> None:
    """Also while it loads."""
    idle = resident(state="loading", expected_load_s=10.0, loading_for_s=1.0)
    assert cluster(node("a", idle), node("b")).node() == "a"
    used = cluster(node("a", idle), node("b"))
    assert used.send(3) == ["a", "b", "a"]


def test_a_load_that_evicts_a_model_in_use_needs_a_longer_queue() -> None:
    """What the evicted model's clients wait for its next load counts, too."""
    evicting = node("b", *(resident(name, idle_s=1.0) for name in ("n", "o", "p")))
    assert cluster(node("a", resident(in_flight=9)), node("b")).node() == "b"
    assert cluster(node("a", resident(in_flight=9)), evicting).node() == "a"
    assert cluster(node("a", resident(in_flight=30)), evicting).node() == "b"


def test_the_least_needed_model_is_evicted() -> None:
    """Of two nodes, the one whose idle model has been idle for longer."""
    recently, long_ago = (
        node(name, resident("n", in_flight=1), resident("o", in_flight=1), resident("p", idle_s=idle_s))
        for name, idle_s in (("a", 10.0), ("b", 600.0))
    )
    assert cluster(recently, long_ago).node() == "b"


def test_a_fast_node_is_preferred_until_its_queue_is_as_slow() -> None:
    """Its responses count, not only its free slots."""
    nodes = cluster(node("slow", resident()), node("fast", resident()))
    for _ in range(50):
        nodes.times.note("slow", "m", seconds=8.0, tokens=100)
        nodes.times.note("fast", "m", seconds=2.0, tokens=100)
    assert set(nodes.send(10)) == {"fast"}
    assert Counter(nodes.send(30))["slow"] > 4


def test_failed_loads_and_downloads_are_last_resorts() -> None:
    """Whatever the others take."""
    broken, empty = node("a", failed=("m",)), node("b", models=())
    assert cluster(broken, empty, node("c", *DRAIN)).node(pull_bytes=1) == "c"
    assert cluster(broken, empty).choice(pull_bytes=1).estimate.step is Step.FAILED
    assert cluster(empty).choice(pull_bytes=10**9) == cluster(empty).choice(pull_bytes=10**9)
    assert cluster(empty).choice(pull_bytes=10**9).model_name == "m"


# --- conversations ---


def test_a_conversation_stays_where_its_prompt_is_cached() -> None:
    """Although another node has more free slots."""
    nodes = cluster(node("a", resident()), node("b", resident(in_flight=2)))
    choice = nodes.choice(conversation_node="b", prompt_s=20.0)
    assert (choice.node, choice.is_conversation_node) == ("b", True)
    assert choice.reason == "has the conversation, ready, 2 of 4 slots in use"
    assert nodes.node(prompt_s=20.0) == "a"


def test_a_conversation_leaves_a_node_with_a_long_queue() -> None:
    """The wait there is longer than the prompt takes elsewhere."""
    nodes = cluster(node("a", resident()), node("b", resident(in_flight=30)))
    assert nodes.node(conversation_node="b", prompt_s=3.0) == "a"
    assert nodes.node(conversation_node="b", prompt_s=300.0) == "b"


def test_a_conversation_whose_model_was_evicted_has_no_preference() -> None:
    """Its cache is gone with the model."""
    nodes = cluster(node("a", resident()), node("b"))
    choice = nodes.choice(conversation_node="b", prompt_s=20.0)
    assert (choice.node, choice.is_conversation_node) == ("a", False)


# --- 5: equal nodes ---


def test_5_ties_in_their_order() -> None:
    """The conversation, the share of slots in use, all requests, free memory, the order of the front."""
    assert cluster(node("a", resident()), node("b", resident())).node(conversation_node="b") == "b"
    assert cluster(node("a", resident(in_flight=1)), node("b", resident())).node() == "b"
    other = resident("n", in_flight=3)
    assert cluster(node("a", resident(), other), node("b", resident(), resident("n"))).node() == "b"
    assert cluster(node("a", resident(), resident("n")), node("b", resident())).node() == "b"
    assert cluster(node("b", resident()), node("a", resident())).node() == "b"


def test_requests_since_the_snapshot_are_no_herd() -> None:
    """A burst within one second does not go to the node that looked best at its beginning."""
    nodes = cluster(*(node(name, resident()) for name in "abc"))
    assert Counter(nodes.send(12)) == {"a": 4, "b": 4, "c": 4}


def test_a_cold_burst_loads_further_copies() -> None:
    """The first request loads the model; once it has a queue, the next nodes load it, too."""
    nodes = cluster(*(node(name) for name in "abc"))
    counts = Counter(nodes.send(30))
    assert set(counts) == {"a", "b", "c"}
    assert max(counts.values()) - min(counts.values()) <= 6


@pytest.mark.parametrize(
    ("residents", "reason"),
    [
        (READY, "ready, 1 of 4 slots in use"),
        (LOADING, "loading, 0 requests before"),
        (BUSY, "ready, 5 requests for 4 slots"),
        (LOAD, "has the files and free memory"),
        (EVICT, "has the files, evicts idle models"),
        (DRAIN, "has the files, waits for models in use"),
    ],
)
def test_a_choice_has_its_reason(residents: tuple[object, ...], reason: str) -> None:
    """For logs and users."""
    assert cluster(node("a", *residents)).choice().reason == reason


# --- properties ---

RESIDENTS = st.lists(
    st.builds(
        resident,
        st.sampled_from(["m", "n", "o"]),
        st.sampled_from(["loading", "ready", "draining", "stopping"]),
        gib=st.sampled_from([0, 4, 9]),
        in_flight=st.integers(0, 9),
        slots=st.sampled_from([None, 1, 4]),
        effective_ctx=st.sampled_from([4096, 8192]),
        is_pinned=st.booleans(),
        idle_s=st.sampled_from([None, 0.0, 100.0]),
    ),
    max_size=3,
    unique_by=lambda found: found.model_name,
)


@st.composite
def any_nodes(draw: st.DrawFn) -> Cluster:
    """Return up to four nodes in any states, and requests that were sent since their snapshots."""
    snapshots = [
        node(
            name,
            *draw(RESIDENTS),
            state=draw(st.sampled_from([*NodeState, NodeState.READY, NodeState.READY])),
            models=draw(st.sampled_from([MODELS, MODELS[1:], ()])),
            waits=draw(st.sampled_from([(), (waiting("m", 3),), (waiting("n", 1),)])),
            failed=draw(st.sampled_from([(), ("m",)])),
            gib=draw(st.sampled_from([None, 3, 12])),
            max_models=draw(st.sampled_from([None, 2])),
        )
        for name in "abcd"[: draw(st.integers(0, 4))]
    ]
    found = cluster(*snapshots)
    for snapshot in snapshots:
        for name in draw(st.lists(st.sampled_from(["m", "n"]), max_size=3)):
            found.sent.started(snapshot.name, name)
    return found


REQUESTS = st.fixed_dictionaries(
    {
        "excluded": st.frozensets(st.sampled_from("abcd")),
        "nodes": st.sampled_from([(), ("a", "b"), ("c*",)]),
        "pull_bytes": st.sampled_from([None, 10**9]),
        "conversation_node": st.sampled_from([None, "a", "d"]),
    }
)


@given(nodes=any_nodes(), request=REQUESTS)
def test_a_chosen_node_can_serve_the_request_and_else_each_node_has_a_reason(
    nodes: Cluster, request: dict[str, Any]
) -> None:
    """It takes requests, is not excluded, is allowed, and has the files or can download them. Twice, it is the same."""
    found = nodes.result(**request)
    assert found == nodes.result(**request)
    if isinstance(found, NoNode):
        assert [name for name, _ in found.reasons] == [snapshot.name for snapshot in nodes.snapshots]
        return
    chosen = next(snapshot for snapshot in nodes.snapshots if snapshot.name == found.node)
    assert chosen.takes_requests
    assert found.node not in request["excluded"]
    assert not request["nodes"] or is_allowed(found.node, request["nodes"])
    has_files = any(model.name == "m" for model in chosen.models)
    assert has_files or request["pull_bytes"] is not None
    assert (found.estimate.step is Step.PULL) == (not has_files)


@given(count=st.integers(1, 60), size=st.integers(1, 8), slots=st.sampled_from([1, 2, 4, 16]))
def test_a_burst_spreads_over_equal_nodes(count: int, size: int, slots: int) -> None:
    """The nodes have the model ready: their numbers of requests differ by at most one."""
    nodes = cluster(*(node(f"n{number}", resident(slots=slots)) for number in range(size)))
    counts = Counter(nodes.send(count))
    assert max(counts.values()) - min(counts[f"n{number}"] for number in range(size)) <= 1


def test_a_download_goes_to_a_node_that_can_run_the_model() -> None:
    """By the size of its files, or by what it needs elsewhere; others have their reasons."""
    small, large = a_node("small", models=(), gib=3), a_node("large", models=(), gib=8)
    down = a_node("down", models=(a_model(need_gib=6),), state=NodeState.DOWN)
    found = cluster(small, large, down).choice(pull_bytes=4 * GIB)
    assert (found.node, found.estimate.step) == ("large", Step.PULL)
    middle = a_node("middle", models=(), gib=5)
    refused = cluster(small, middle, down, large).result(
        pull_bytes=4 * GIB, no_pull={"large": "failed to download it (The disk is full)"}
    )
    assert str(refused) == (
        "small allows less memory than it needs; middle allows less memory than it needs; down is down; "
        "large failed to download it (The disk is full)"
    )
    assert cluster(a_node("any", models=(), gib=None)).node(pull_bytes=4 * GIB) == "any"
