"""The simulator's figures equal those computed by hand, and the policies behave as described."""

from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest
from bench.policies.keep_warm import AlwaysASwap, NoKeepWarm, TurnaroundOnly
from bench.policies.lineup import OURS, POLICIES
from bench.policies.metrics import bound_of, figures_of, least_makespan_s, measure
from bench.policies.report import page, plot
from bench.policies.rivals import ArrivalOrder, Collate
from bench.policies.simulator import (
    Ask,
    Client,
    Model,
    Outcome,
    Policy,
    Run,
    Simulation,
    SimulationError,
    Think,
)
from bench.policies.traces import BROKEN, TRACES, A, B, Trace, later

from gglib.runtime.scheduler.events import (
    BecameReady,
    Effect,
    Event,
    Grant,
    Launch,
    Requested,
    RequestEnded,
    Stop,
)
from gglib.runtime.scheduler.scheduler import Scheduler


def asks(model: Model, service_s: float, *, count: int = 1, think_s: float = 0.0) -> Client:
    """Return the same request several times."""
    for _ in range(count):
        yield Ask(model, service_s)
        yield Think(think_s)


def run(policy: Policy, *clients: Client) -> Run:
    """Return the events on a machine with room for one model."""
    return Simulation(policy, clients).run()


def granted(happened: Run) -> list[float | None]:
    """Return when each request was granted, in the order of the requests."""
    return [record.granted_at for record in happened.records]


def test_loads_services_and_stops_add_up() -> None:
    """A at 0 (load 4, response 3), B at 1: granted at 4 and at 7 + stop 0.3 + load 4; all over at 13.3."""
    happened = run(Scheduler(keep_warm=NoKeepWarm()), asks(A, 3.0), later(1.0, asks(B, 2.0)))
    assert granted(happened) == pytest.approx([4.0, 11.3])
    assert happened.launched == ("a", "b")
    assert [record.ended_at for record in happened.records] == pytest.approx([7.0, 13.3])
    trace = Trace(name="t", title="t", clients=lambda _: [], models=(A, B), watched=B)
    figures = figures_of(happened, trace)
    assert figures.launches == 2
    assert figures.makespan_s == pytest.approx(13.3)
    assert (figures.median_wait_s, figures.worst_wait_s) == pytest.approx(((4.0 + 10.3) / 2, 10.3))
    assert figures.watched_wait_s == pytest.approx(10.3)
    assert figures.lost == 0


def test_engine_serves_four_at_a_time() -> None:
    """Of five requests that are granted together the fifth waits for a free slot: 4 + 2 + 2."""
    happened = run(Scheduler(), *(asks(A, 2.0) for _ in range(5)))
    assert granted(happened) == [4.0] * 5
    assert [record.ended_at for record in happened.records] == [6.0] * 4 + [8.0]


def test_bound_is_the_longest_wait_and_a_turn() -> None:
    """With a response of 3 s, a turn is 3 + 0.3 + 4: B may wait 15 + 7.3, and with only one model, one load."""
    happened = run(Scheduler(), asks(A, 3.0))
    two = Trace(name="t", title="t", clients=lambda _: [], models=(A, B))
    trace = Trace(name="t", title="t", clients=lambda _: [], models=(A,))
    assert bound_of(happened, two) == pytest.approx(15 + 7.3)
    assert bound_of(happened, trace) == 4.0


def test_broken_model_is_refused_when_its_load_ends() -> None:
    """Its request ends after 0.5 s without a wait, and counts neither as lost nor as waiting."""
    happened = run(Scheduler(), asks(BROKEN, 2.0), later(1.0, asks(A, 2.0)))
    first, second = happened.records
    assert (first.outcome, first.ended_at) == (Outcome.REFUSED, 0.5)
    assert second.granted_at == 5.0
    figures = figures_of(happened, Trace(name="t", title="t", clients=lambda _: [], models=(A, BROKEN)))
    assert (figures.lost, figures.worst_wait_s) == (0, 4.0)


def test_client_timeout_counts_as_lost() -> None:
    """A client that waits 2 s for a load of 4 s gives up then, and its request counts as lost."""
    happened = run(Scheduler(), iter_of(Ask(A, 1.0, patience_s=2.0)))
    figures = figures_of(happened, Trace(name="t", title="t", clients=lambda _: [], models=(A,)))
    assert happened.records[0].outcome is Outcome.GAVE_UP
    assert (figures.lost, figures.worst_wait_s, figures.makespan_s) == (1, 2.0, 2.0)


def iter_of(step: Ask) -> Client:
    """Return a client of one step."""
    yield step


@pytest.mark.parametrize("name", POLICIES)
def test_seed_determines_the_run(name: str) -> None:
    """The same seed gives the same figures, another seed gives others."""
    trace = TRACES[0]
    assert measure(trace, POLICIES[name], seeds=[1]) == measure(trace, POLICIES[name], seeds=[1])
    assert measure(trace, POLICIES[name], seeds=[1]) != measure(trace, POLICIES[name], seeds=[2])


@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace.name)
def test_scheduler_keeps_its_bound_and_loses_no_request(trace: Trace) -> None:
    """On every trace no request waits longer than promised, and every request for a good model is served."""
    figures = measure(trace, POLICIES[OURS], seeds=[1, 2])
    assert figures.is_within_bound
    assert figures.lost == 0


# --- the rivals ---


def mixed() -> list[Client]:
    """Return A from 0 to 10, B requested at 5, A requested again at 6."""
    return [asks(A, 6.0), later(5.0, asks(B, 1.0)), later(6.0, asks(A, 8.0))]


def test_arrival_order_is_strict() -> None:
    """The second request for A waits behind B, although A is running: two swaps."""
    happened = run(ArrivalOrder(), *mixed())
    assert happened.launched == ("a", "b", "a")
    assert granted(happened) == pytest.approx([4.0, 14.3, 19.6])


def test_collate_serves_the_running_model_first() -> None:
    """The second request for A is granted at once; B is granted when A is idle and its lull is over."""
    happened = run(Collate(lull_s=0.25), *mixed())
    assert granted(happened) == pytest.approx([4.0, 14.0 + 0.25 + 4.3, 6.0])


def test_lull_keeps_the_model_of_a_loop() -> None:
    """A client that returns after 0.1 s keeps its model against a waiter if idle means a lull of 0.25 s."""

    def clients() -> list[Client]:
        return [asks(A, 2.0, count=3, think_s=0.1), later(1.0, asks(B, 1.0))]

    assert run(Collate(lull_s=0.25), *clients()).launched == ("a", "b")
    assert run(Collate(lull_s=0.0), *clients()).launched == ("a", "b", "a")


def test_keep_warm_lasts_at_most_a_swap() -> None:
    """A is idle at 6, and B is requested then: granted after 1 s of keep-warm, or after 4 s if allowed."""
    for keep_warm, held_s in ((NoKeepWarm(), 0.0), (TurnaroundOnly(1.0), 1.0), (AlwaysASwap(), 4.0)):
        happened = run(Scheduler(keep_warm=keep_warm), asks(A, 2.0), later(5.0, asks(B, 1.0)))
        assert granted(happened) == pytest.approx([4.0, 6.0 + held_s + 4.3])


def test_keep_warm_ends_when_the_waiter_is_overdue() -> None:
    """An idle model is kept within ``swap_wait_s``: B is requested at 5, A is idle at 6 and stopped at 7."""
    policy = Scheduler(keep_warm=AlwaysASwap(), swap_wait_s=2.0)
    assert granted(run(policy, asks(A, 2.0), later(5.0, asks(B, 1.0)))) == pytest.approx([4.0, 7.0 + 4.3])


def test_keep_warm_never_breaks_the_promise() -> None:
    """However soon A's client returns, B is granted once it has waited ``swap_wait_s`` and A's response has ended."""
    policy = Scheduler(keep_warm=AlwaysASwap(), swap_wait_s=5.0)
    happened = run(policy, asks(A, 2.0, count=9, think_s=0.1), later(5.0, asks(B, 1.0)))
    waiter = next(record for record in happened.records if record.ask.model is B)
    assert waiter.granted_at == pytest.approx(4.0 + 2.0 * 3 + 0.1 * 2 + 4.3)


@pytest.mark.parametrize(("think_s", "until_b_s"), [(0.1, 0.1 + 1.0 + 4.0 + 4.3), (5.0, 4.3)])
def test_ours_keeps_models_for_returning_clients(think_s: float, until_b_s: float) -> None:
    """After two quick returns A is kept for its client, and again after its last response; after slow ones never."""
    third_answer_at_s = 4.0 + 3 * 1.0 + 2 * think_s
    happened = run(
        Scheduler(), asks(A, 1.0, count=4, think_s=think_s), later(third_answer_at_s - 0.5, asks(B, 1.0))
    )
    waiter = next(record for record in happened.records if record.ask.model is B)
    assert waiter.granted_at == pytest.approx(third_answer_at_s + until_b_s)


def test_swap_factor_scales_loads_and_stops() -> None:
    """With a factor of a tenth, loads and stops last a tenth, and responses are unchanged."""
    clients = [asks(A, 3.0), later(1.0, asks(B, 2.0))]
    happened = Simulation(Scheduler(keep_warm=NoKeepWarm()), clients, swap_factor=0.1).run()
    assert granted(happened) == pytest.approx([0.4, 3.4 + 0.43])


def test_least_makespan_pays_a_swap_for_each_turn() -> None:
    """With a bound of 30 s and swaps of 5 s a turn lasts 20 s: 100 s of work need five of them."""
    assert least_makespan_s(100.0, bound_s=30.0, swap_s=5.0) == 125.0


# --- the rules of the house ---


def test_unserved_request_is_lost() -> None:
    """If a policy never serves a request, the client leaves after ten minutes, and the request counts as lost."""
    happened = run(Scripted(), asks(A, 1.0))
    assert (happened.records[0].outcome, happened.records[0].ended_at) == (Outcome.GAVE_UP, 600.0)


class Scripted:
    """A policy that gives set orders on the first event of each kind."""

    def __init__(self, **orders: Callable[[], list[Effect]]) -> None:
        self._orders = orders

    def handle(self, event: Event, now: float) -> list[Effect]:  # noqa: ARG002 - a policy is told the time
        """Return the next set order for this kind of event."""
        order = self._orders.pop(type(event).__name__, None)
        return order() if order else []


@pytest.mark.parametrize(
    ("orders", "complaint"),
    [
        ({Requested: [Launch(1, A.spec, 1), Launch(2, A.spec, 1)]}, "no room"),
        ({Requested: [Launch(1, A.spec, 1), Grant(1, 1)]}, "cannot answer"),
        ({Requested: [Launch(1, A.spec, 1)], BecameReady: [Grant(1, 1), Stop(1)]}, "stopped in use"),
        ({Requested: [Launch(1, A.spec, 1)], BecameReady: [Grant(1, 1), Grant(1, 1)]}, "not waiting"),
        (
            {Requested: [Launch(1, A.spec, 1)], BecameReady: [Grant(1, 1)], RequestEnded: [Grant(1, 1)]},
            "not waiting",
        ),
    ],
)
def test_impossible_orders_end_the_run(orders: dict[type, list[Effect]], complaint: str) -> None:
    """An order that no machine could execute is a fault of the policy, and gives no figure."""
    by_name = {kind.__name__: (lambda effects=effects: effects) for kind, effects in orders.items()}
    with pytest.raises(SimulationError, match=complaint):
        run(Scripted(**by_name), asks(A, 1.0))


# --- the report ---


def test_report_shows_every_policy() -> None:
    """Each policy has its row in the table and its bars in a plot that is well-formed XML."""
    trace = TRACES[-1]
    table = {name: measure(trace, policy, seeds=[1]) for name, policy in POLICIES.items()}
    text = page({1.0: {trace: table}}, {(OURS, 15.0): {trace: table[OURS]}})
    drawing = "".join(ET.fromstring(plot(trace, table)).itertext())  # noqa: S314 - our own text
    for name in POLICIES:
        assert f"| {name} |" in text or f"| **{name}** |" in text
        assert name in drawing
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows[:3]} == {3}
    assert len({line.count("|") for line in rows[3 : len(POLICIES) + 5]}) == 1
