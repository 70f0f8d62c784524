"""What a request may expect at one node: the step, and seconds."""

from typing import Any

import pytest
from tests.unit.nodes.cluster import LOAD_S, a_model, a_node, resident, waiting

from gglib.core.backends import UrlBackend
from gglib.core.nodes import NodeModel, NodeSnapshot
from gglib.core.runtime.status import LoadCount, RemoteStatus
from gglib.nodes.estimates import SWAP_S, Estimate, Step, estimate
from gglib.nodes.load_times import LoadTimes
from gglib.nodes.node_view import NodeView
from gglib.nodes.sent_requests import SentRequests

RESPONSE_S = 8.0
MODELS = tuple(a_model(name, sha256=name) for name in ("m", "n", "o", "p"))
LOADED = tuple(LoadCount(model_name=m.name, outcome="ready", count=1, total_s=LOAD_S) for m in MODELS)


def of(
    snapshot: NodeSnapshot,
    *sent_models: str,
    context: int = 8192,
    now: float = 100.0,
    model: NodeModel = MODELS[0],
) -> Estimate:
    """Return the estimate for a request for M after these requests were sent."""
    sent, loads = SentRequests(), LoadTimes()
    for name in sent_models:
        sent.started("a", name)
    loads.note(snapshot)
    view = NodeView(snapshot, sent, loads)
    return estimate(view, model, context=context, response_s=RESPONSE_S, now=now)


def node(*residents: Any, **status: Any) -> NodeSnapshot:
    """Return a node with four models, whose loads take 10 s."""
    return a_node("a", *residents, models=MODELS, loads=LOADED, **status)


def test_1_ready_with_a_free_slot() -> None:
    """The request runs at once."""
    found = of(node(resident(in_flight=2)), "m")
    assert found == Estimate(step=Step.READY, wait_s=0.0, requests=3, slots=4)


@pytest.mark.parametrize(
    ("loading_for_s", "now", "rest_s"), [(4.0, 100.0, 6.0), (4.0, 101.0, 5.0), (30.0, 100.0, 1.0)]
)
def test_2_loading(loading_for_s: float, now: float, rest_s: float) -> None:
    """The rest of its load is expected, less the age of the snapshot; a load that is late takes a little longer."""
    found = of(node(resident(state="loading", loading_for_s=loading_for_s, expected_load_s=LOAD_S)), now=now)
    assert found.step is Step.LOADING
    assert found.wait_s == pytest.approx(rest_s)


def test_2_loading_with_a_queue() -> None:
    """The requests before it fill the slots when the model is ready; a node that was never seen has no age."""
    loading = resident(state="loading", expected_load_s=LOAD_S, slots=None)
    found = of(node(loading, waits=(waiting("m", 5),), seen_at_s=None))
    assert found.step is Step.LOADING
    assert found.wait_s == pytest.approx(LOAD_S + 2 / 4 * RESPONSE_S)
    unknown = of(node(resident(state="loading")))
    assert (unknown.step, unknown.wait_s) == (Step.LOADING, 0.0)


def test_2_requests_already_wait_for_its_load() -> None:
    """The front's first request since the snapshot causes the load; the next one causes none."""
    found = of(node(), "m")
    assert found == Estimate(step=Step.LOADING, wait_s=LOAD_S, requests=1, slots=4)


def test_3_all_slots_in_use() -> None:
    """The next slot is free after a share of a response."""
    found = of(node(resident(in_flight=4)))
    assert found.step is Step.SLOTS_BUSY
    assert found.wait_s == pytest.approx(RESPONSE_S / 4)
    found = of(node(resident(in_flight=4, slots=2), waits=(waiting("m", 1),)))
    assert found.step is Step.SLOTS_BUSY
    assert found.wait_s == pytest.approx(4 * RESPONSE_S / 2)


def test_4_memory_is_free() -> None:
    """The request waits for the load that it causes."""
    found = of(node(resident("n", in_flight=1)))
    assert found == Estimate(step=Step.LOAD, wait_s=LOAD_S, slots=4, load_s=LOAD_S)


def test_5_idle_models_are_evicted() -> None:
    """What their next loads cost counts less, the longer they have been idle."""
    used = [resident(name, in_flight=1) for name in ("n", "o")]
    just_used = of(node(*used, resident("p", idle_s=0.0)))
    assert just_used == Estimate(step=Step.EVICT, wait_s=LOAD_S, slots=4, load_s=LOAD_S, lost_s=LOAD_S)
    assert of(node(*used, resident("p", idle_s=60.0))).lost_s == pytest.approx(LOAD_S / 2)
    assert of(node(*used, resident("p", idle_s=-60.0))).lost_s == LOAD_S  # a node may report anything


def test_6_models_in_use_must_be_drained() -> None:
    """The node keeps them for its ``swap_wait_s``, and awaited models have their turns before."""
    full = node(*(resident(name, in_flight=1) for name in ("n", "o", "p")))
    found = of(full)
    assert found.step is Step.DRAIN
    assert found.wait_s == pytest.approx(SWAP_S + RESPONSE_S + LOAD_S)
    assert (found.load_s, found.lost_s) == (LOAD_S, LOAD_S)
    awaited = node(*(resident(name, in_flight=1) for name in ("n", "o")), waits=(waiting("p", 1),), gib=8)
    assert of(awaited).wait_s == pytest.approx(SWAP_S + RESPONSE_S + LOAD_S + (LOAD_S + RESPONSE_S))
    behind = of(full, "m")
    assert (behind.step, behind.load_s) == (Step.DRAIN, 0.0)


def test_6_a_context_that_is_too_small_is_replaced() -> None:
    """At once if no request uses the model, else after its responses."""
    assert of(node(resident(effective_ctx=4096))).step is Step.LOAD
    assert of(node(resident(effective_ctx=4096, in_flight=1))).step is Step.DRAIN
    assert of(node(resident(effective_ctx=4096)), context=4096).step is Step.READY


def test_7_the_last_load_failed_there() -> None:
    """Whether or not there is room."""
    assert of(node(failed=("m",))).step is Step.FAILED


def test_servers_elsewhere_are_ready_unless_they_were_not_reached() -> None:
    """How many requests they take is unknown, so there is always room for one more."""
    model = a_model(backend=UrlBackend(base_url="http://box/v1"))
    remote = RemoteStatus(model_id=1, model_name="m", host="http://box", in_flight=9)
    found = of(node(remotes=(remote,)), model=model)
    assert found == Estimate(step=Step.READY, wait_s=0.0, requests=9, slots=10)
    down = RemoteStatus(model_id=1, model_name="m", host="http://box", is_reachable=False)
    assert of(node(remotes=(down,)), model=model).step is Step.FAILED
