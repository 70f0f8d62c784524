"""One node at this moment: its snapshot and the front's own requests since then."""

from tests.unit.nodes.cluster import GIB, LOAD_S, a_model, a_node, resident, waiting

from gglib.core.backends import UrlBackend
from gglib.core.memory import DeviceMemory
from gglib.core.nodes import NodeSnapshot
from gglib.core.runtime.status import RemoteStatus, ResidentStatus
from gglib.nodes.load_times import LoadTimes
from gglib.nodes.node_view import MODELS, NodeView, Room
from gglib.nodes.sent_requests import SentRequests

NAMES = ("m", "n", "o", "p")
ALL = tuple(a_model(name, sha256=name) for name in NAMES)
M, N = ALL[:2]


def view(snapshot: NodeSnapshot, sent: SentRequests | None = None) -> NodeView:
    """Return a node as a front with these requests sees it."""
    return NodeView(snapshot, sent or SentRequests(), LoadTimes())


def sent_to_a(*models: str) -> SentRequests:
    """Return requests that were sent after the last snapshot."""
    sent = SentRequests()
    for model in models:
        sent.started("a", model)
    return sent


def names(residents: tuple[ResidentStatus, ...]) -> list[str]:
    """Return the names of models in memory."""
    return [found.model_name for found in residents]


# --- requests ---


def test_requests_are_those_of_the_snapshot_and_those_since() -> None:
    """Running ones, waiting ones, and the front's own; of all models together, too."""
    snapshot = a_node("a", resident(in_flight=2), waits=(waiting("m", 3), waiting("n", 1)), models=ALL)
    sent = sent_to_a("m", "o")
    assert [view(snapshot, sent).requests(name) for name in NAMES] == [6, 1, 1, 0]
    assert view(snapshot, sent).all_requests() == 8


def test_requests_that_ended_since_the_snapshot_are_gone() -> None:
    """Those of other clients stay: the front does not see their end."""
    sent = sent_to_a("m", "m")
    sent.snapshot_arrived("a")
    sent.ended("a", "m")
    assert view(a_node("a", resident(in_flight=3)), sent).requests("m") == 2


def test_there_are_at_least_the_fronts_own_requests() -> None:
    """A snapshot that was taken before they arrived does not have them."""
    sent = sent_to_a("m", "m")
    sent.snapshot_arrived("a")
    assert view(a_node("a"), sent).requests("m") == 2


def test_a_view_with_other_counts_is_another_view() -> None:
    """Choices are tried out in it."""
    first = NodeView(a_node("a"), SentRequests(), LoadTimes(), order=3)
    second = first.with_sent(sent_to_a("m"))
    assert (first.requests("m"), second.requests("m"), second.order) == (0, 1, 3)


# --- models ---


def test_a_model_on_its_way_out_is_not_in_memory() -> None:
    """Nor is one that was never loaded."""
    found = view(a_node("a", resident("m"), resident("n", "loading"), resident("o", "draining"), models=ALL))
    assert [found.resident(name) is not None for name in NAMES] == [True, True, False, False]


def test_a_model_that_an_awaited_load_evicts_is_not_in_memory() -> None:
    """A request for P was sent since the snapshot, and M has been idle for longest."""
    snapshot = a_node(
        "a", resident("m", idle_s=9.0), resident("n", idle_s=5.0), resident("o", in_flight=1), models=ALL
    )
    found = view(snapshot, sent_to_a("p"))
    assert [found.resident(name) is not None for name in NAMES] == [False, True, True, False]


def test_slots_are_known_once_the_model_is_ready() -> None:
    """Until then they are gglib's default."""
    found = view(
        a_node("a", resident("m", slots=2), resident("n", slots=None), resident("o", slots=0), models=ALL)
    )
    assert [found.slots(name) for name in NAMES] == [2, 4, 1, 4]


def test_the_next_load_of_a_model_takes_as_long_as_its_last_one() -> None:
    """Else as long as any load of it; nothing is known of a model that the node no longer lists."""
    found = view(a_node("a", models=ALL))
    assert found.reload_s(resident("m", load_time_s=3.0)) == 3.0
    assert abs(found.reload_s(resident("m")) - LOAD_S) < 0.3
    assert found.reload_s(resident("gone")) == 0.0


def test_models_of_servers_elsewhere_are_known_by_their_backend_or_by_the_status() -> None:
    """One whose server was not reached has failed, like one whose load failed."""
    url = a_model("u", backend=UrlBackend(base_url="http://box/v1"))
    remotes = (
        RemoteStatus(model_id=1, model_name="m", host="http://box", is_reachable=False),
        RemoteStatus(model_id=2, model_name="n", host="http://box", in_flight=2),
    )
    found = view(a_node("a", models=ALL, remotes=remotes, failed=("o",)))
    assert [found.is_remote(model) for model in (url, *ALL[:3])] == [True, True, True, False]
    assert [found.has_failed(name) for name in NAMES] == [True, False, True, False]
    assert found.requests("n") == 2
    assert found.awaited() == []


# --- memory ---


def test_a_node_without_limits_has_one_model_in_memory() -> None:
    """That is gglib's default; a number or a budget replaces it, and both apply."""
    assert view(a_node("a", gib=None)).limits == {MODELS: 1}
    assert view(a_node("a", gib=None, max_models=3)).limits == {MODELS: 3}
    assert view(a_node("a")).limits == {"gpu0": 12 * GIB}
    assert view(a_node("a", max_models=3)).limits == {"gpu0": 12 * GIB, MODELS: 3}


def test_a_launch_may_exceed_a_limit_alone_or_beside_pinned_models() -> None:
    """A pinned model does not stand in its own way."""
    pinned = a_node("a", resident("n", gib=9, is_pinned=True), resident("o", gib=3), models=ALL)
    assert view(pinned).exceeded(M) == ()
    assert view(pinned).exceeded(M, beside_pinned=True) == ("gpu0",)
    assert view(pinned).exceeded(N, beside_pinned=True) == ()
    assert view(pinned).exceeded(a_model(gib=13)) == ("gpu0",)


def test_free_memory_is_what_models_and_awaited_loads_leave() -> None:
    """A model that is being stopped takes none; other programs may leave less."""
    snapshot = a_node("a", resident("m"), resident("n", "stopping"), models=ALL)
    assert view(snapshot).free_bytes() == 8 * GIB
    assert view(snapshot, sent_to_a("o")).free_bytes() == 4 * GIB
    assert view(snapshot, sent_to_a("n")).free_bytes() == 4 * GIB
    memory = DeviceMemory(total_bytes=16 * GIB, available_bytes=1 * GIB)
    unknown = DeviceMemory(total_bytes=None, available_bytes=None)
    assert view(a_node("a", devices={"gpu0": memory, "ram": memory})).free_bytes() == 1 * GIB
    assert view(a_node("a", devices={"gpu0": unknown})).free_bytes() == 12 * GIB


def test_room_is_free_or_made_by_the_models_that_are_idle_for_longest() -> None:
    """Pinned models, and models in use, stay."""
    assert view(a_node("a", resident("n"), models=ALL)).room(M) == Room()
    snapshot = a_node("a", resident("n", idle_s=5.0), resident("o", idle_s=9.0), resident("p"), models=ALL)
    room = view(snapshot).room(M)
    assert (names(room.victims), room.is_enough) == (["o"], True)
    room = view(snapshot).room(a_model("m", gib=8))
    assert (names(room.victims), room.is_enough) == (["o", "n"], True)
    pinned = a_node("a", resident("n", is_pinned=True), resident("o"), resident("p", in_flight=1), models=ALL)
    room = view(pinned, sent_to_a("o")).room(M)
    assert (names(room.victims), room.is_enough) == ([], False)


def test_memory_of_devices_that_a_launch_does_not_use_does_not_matter() -> None:
    """Another program may have taken it."""
    gone = {"gpu1": DeviceMemory(total_bytes=16 * GIB, available_bytes=0)}
    snapshot = a_node("a", resident("n", gib=0), models=ALL, devices=gone)
    snapshot.status.limits["gpu1"] = 8 * GIB  # type: ignore[index]
    assert view(snapshot).room(M) == Room()


def test_awaited_loads_come_first() -> None:
    """Their memory is taken, and models that they evict are no victims of others."""
    snapshot = a_node("a", resident("n", idle_s=9.0), resident("o", idle_s=5.0), models=ALL)
    assert names(view(snapshot).room(M).victims) == []
    assert names(view(snapshot, sent_to_a("p")).room(M).victims) == ["n"]
    assert names(view(snapshot, sent_to_a("m")).room(M).victims) == []


def test_a_model_that_needs_more_context_is_replaced_by_itself() -> None:
    """Its own memory is room for its next load, once no request uses it."""
    full = a_node("a", resident("m", gib=12), models=ALL)
    assert view(full).room(M) == Room()
    assert view(full, sent_to_a("m")).room(M) == Room(is_enough=False)
    assert view(a_node("a", resident("m", "stopping", gib=12), models=ALL)).room(M) == Room()


def test_requests_of_a_draining_model_do_not_wait_for_it() -> None:
    """Only those that came after them do: the model is loaded again for them."""
    snapshot = a_node("a", resident("n", "draining", in_flight=2), models=ALL)
    assert view(snapshot).awaited() == []
    assert view(snapshot, sent_to_a("n")).awaited() == [N]
    assert view(snapshot, sent_to_a("n")).awaited("n") == []
    assert view(snapshot, sent_to_a("unknown")).awaited() == []
