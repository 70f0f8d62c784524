"""The eviction rules are compared within the memory of a machine, and the figures equal those computed by hand."""

from collections.abc import Callable
from functools import partial
from xml.etree import ElementTree as ET

import pytest
from bench.policies.memory.lineup import (
    OURS,
    RULES,
    by_budget,
    by_count,
    ruled,
    safe_count,
    table,
)
from bench.policies.memory.metrics import figures_of, measure
from bench.policies.memory.report import page, plot
from bench.policies.memory.traces import GIB, TRACES, MemoryTrace, sized
from bench.policies.simulator import Ask, Client, Model, Simulation, SimulationError, Think

from gglib.runtime.scheduler.events import (
    Effect,
    Event,
    Eviction,
    Exited,
    Launch,
    Requested,
    Stop,
    StopReason,
)
from gglib.runtime.scheduler.scheduler import Scheduler

SMALL, LARGE, HUGE = sized(1, "small", 1.0), sized(2, "large", 4.0), sized(3, "huge", 8.0)
QUICK_TRACES = [trace for trace in TRACES if trace.name in {"rag", "agents", "coding"}]


def asks(*models: Model, think_s: float = 1.0) -> Client:
    """Send a request of 1 s to each model in turn."""
    for model in models:
        yield Ask(model, 1.0)
        yield Think(think_s)


def trace_of(client: Callable[[], Client], *models: Model, ram_gib: float) -> MemoryTrace:
    """Return a trace of one client."""
    budget = {"ram": int(ram_gib * GIB)}
    return MemoryTrace(name="t", title="t", clients=lambda _: [client()], models=models, budget=budget)


# --- the machine ---


def test_a_load_lasts_as_long_as_its_file_is_large() -> None:
    """0.6 s for the start and 0.7 s for each GiB."""
    assert LARGE.load_s == pytest.approx(0.6 + 4 * 0.7)
    assert sized(1, "m", 0.5, 8.0).size == {"ram": GIB // 2, "gpu0": 8 * GIB}


def test_figures_of_a_run() -> None:
    """Three requests, two loads of 1.3 and 3.4 s side by side: the third request does not wait."""
    trace = trace_of(lambda: asks(SMALL, LARGE, SMALL), SMALL, LARGE, ram_gib=5)
    run = Simulation(ruled(trace, RULES[OURS]), trace.clients(1), capacity=2, budget=trace.budget).run()
    figures = figures_of(run, trace)
    assert figures.load_s == pytest.approx((1.3 + 3.4) * 1000 / 3)
    assert (figures.loads, figures.small_loads) == pytest.approx((2000 / 3, 1000 / 3))
    assert (figures.median_wait_s, figures.mean_wait_s, figures.worst_wait_s) == pytest.approx(
        (1.3, 4.7 / 3, 3.4)
    )
    assert figures.makespan_s == pytest.approx(1.3 + 1 + 1 + 3.4 + 1 + 1 + 1)
    assert figures.lost == 0


def test_models_beyond_the_budget_end_the_run() -> None:
    """A fixed number of models says nothing about their sizes."""
    trace = trace_of(lambda: asks(SMALL, LARGE), SMALL, LARGE, ram_gib=4.9)
    with pytest.raises(SimulationError, match="no room for large"):
        measure(trace, partial(Scheduler, capacity=2), seeds=[1])
    assert measure(trace, partial(ruled, trace, RULES[OURS]), seeds=[1]).lost == 0


class EvictsForNothing:
    """A policy that evicts the first model for a request that cannot fit."""

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Launch the small model, and stop it for the huge one."""
        match event:
            case Requested(ticket, spec) if spec is HUGE.spec:
                return [Stop(1, Eviction(StopReason.IDLE, now, ticket))]
            case Requested(_, spec):
                return [Launch(1, spec, 1)]
            case Exited() | _:
                return []


def test_an_eviction_for_what_cannot_fit_ends_the_run() -> None:
    """A request for 8 GiB is refused by gglib, and evicts nothing, with a budget of 5 GiB."""

    def clients() -> list[Client]:
        return [asks(SMALL), asks(HUGE)]

    budget = {"ram": 5 * GIB}
    with pytest.raises(SimulationError, match="small was evicted for what cannot fit"):
        Simulation(EvictsForNothing(), clients(), capacity=2, budget=budget).run()
    run = Simulation(Scheduler(capacity=2, budget=budget), clients(), capacity=2, budget=budget).run()
    assert run.launched == ("small",)


# --- the rules ---


def test_the_rules_evict_different_models() -> None:
    """A large model and a small one leave room for half a GiB, and the launch lacks the other half.

    The large one was used before the small one, so it is the least recently used one, and its load costs less for its
    size; but the load of the small one costs less.
    """
    other = sized(4, "other", 1.0)
    trace = trace_of(lambda: asks(LARGE, SMALL, other, think_s=5.0), SMALL, LARGE, other, ram_gib=5.5)
    evicted = {
        name: "small" if _ends_with(trace, name, LARGE) else "large"
        for name in (OURS, "least recently used", "idle / (load x weight)", "load / size")
    }
    assert evicted == {
        OURS: "small",
        "least recently used": "large",
        "idle / (load x weight)": "small",
        "load / size": "large",
    }


def _ends_with(trace: MemoryTrace, rule: str, model: Model) -> bool:
    """Whether a model is in memory at the end of the trace: one more request does not load it."""

    def clients() -> Client:
        yield from trace.clients(1)[0]
        yield Ask(model, 1.0)

    run = Simulation(ruled(trace, RULES[rule]), [clients()], capacity=9, budget=trace.budget).run()
    return run.launched.count(model.spec.model_name) == 1


def test_the_safe_count_is_that_of_the_largest_models() -> None:
    """On the device with the least room."""
    trace = trace_of(lambda: asks(SMALL), SMALL, LARGE, HUGE, ram_gib=12)
    assert [
        safe_count(trace_of(lambda: asks(SMALL), SMALL, LARGE, HUGE, ram_gib=gib)) for gib in (7, 8, 12, 13)
    ] == [
        0,
        1,
        2,
        3,
    ]
    gpu = sized(5, "gpu", 0.0, 8.0)
    both = MemoryTrace(
        name="t", title="t", clients=trace.clients, models=(gpu, gpu), budget={"ram": GIB, "gpu0": 12 * GIB}
    )
    assert safe_count(both) == 1


def test_counts_that_exceed_the_memory_are_left_out() -> None:
    """Two of the three models fit by chance on this trace, three do not."""
    trace = trace_of(lambda: asks(SMALL, LARGE, SMALL, HUGE), SMALL, LARGE, HUGE, ram_gib=9)
    assert set(by_count(trace, [1])) == {1, 2}


def test_budgets_without_room_for_every_model_are_left_out() -> None:
    """Half of 9 GiB is too little for a model of 8 GiB."""
    trace = trace_of(lambda: asks(SMALL, HUGE), SMALL, HUGE, ram_gib=9)
    assert set(by_budget(trace, (0.5, 1.0), seeds=[1])) == {1.0}


@pytest.mark.parametrize("trace", QUICK_TRACES, ids=lambda trace: trace.name)
def test_gglib_is_among_the_best(trace: MemoryTrace) -> None:
    """At most 5 % more load seconds than any other policy, and no request is lost."""
    rows = table(trace, seeds=[1, 2])
    assert rows[OURS].lost == 0
    assert rows[OURS].load_s <= 1.05 * min(figures.load_s for figures in rows.values())


# --- the report ---


def test_report_shows_every_policy() -> None:
    """Each policy has its row in the table and its bars in a plot that is well-formed XML."""
    trace = trace_of(lambda: asks(SMALL, LARGE, SMALL), SMALL, LARGE, ram_gib=5)
    rows = table(trace, seeds=[1])
    text = page({trace: rows}, {trace: by_budget(trace, (1.0, 2.0), seeds=[1])})
    drawing = "".join(ET.fromstring(plot(trace, rows)).itertext())  # noqa: S314 - our own text
    for name in rows:
        assert f"| {name} |" in text or f"| **{name}** |" in text
        assert name in drawing
    assert "Budget 5.0 GiB; small 1.0 GiB, large 4.0 GiB." in text
    assert "| t | 10.0 GiB |" in text
