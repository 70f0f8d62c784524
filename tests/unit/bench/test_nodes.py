"""The simulated nodes agree with figures computed by hand, and the compared rules do what they say."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from bench.nodes.front import Ask, Front, Policy
from bench.nodes.lineup import OURS, POLICIES, RIVALS
from bench.nodes.machine import Clock, Machine
from bench.nodes.metrics import Figures, measure, run
from bench.nodes.ours import Ours
from bench.nodes.report import page, plot
from bench.nodes.rivals import (
    Affinity,
    LeastLoaded,
    LeastLoadedBySnapshot,
    RandomOfTwo,
    RoundRobin,
    StepsAlone,
)
from bench.nodes.traces import FEW, HOT, LOAD_S, TRACES, Client, NodeSpec, Think, Trace, alike, once

A, B = FEW[0], FEW[1]


def an_ask(model: Any = A, *, tokens: int = 100, conversation: str = "", **ask: Any) -> Ask:
    """Return a request of 2 s, with a prompt of 1 s."""
    fields = {"token_s": 0.02, "prompt_s": 1.0, "new_prompt_s": 1.0, **ask}
    return Ask(model=model, tokens=tokens, conversation=conversation, **fields)


def a_trace(*clients: Callable[[], Client], nodes: list[NodeSpec] | None = None, fronts: int = 1) -> Trace:
    """Return a trace with these clients, on two nodes unless a test says otherwise."""
    specs = nodes or [NodeSpec(models=FEW), NodeSpec(models=FEW)]
    return Trace(
        name="t",
        title="t",
        description="t",
        nodes=lambda _: specs,
        clients=lambda _nodes, _seed: [client() for client in clients],
        fronts=fronts,
    )


def figures(trace: Trace, policy: Callable[[], Policy]) -> Figures:
    """Return the figures of one run."""
    return run(trace, policy, nodes=2, seed=0)


ONE = [NodeSpec(models=FEW)]


def test_a_cold_request_waits_for_the_load() -> None:
    """Load, prompt and tokens follow one another."""
    found = figures(a_trace(lambda: once(1.0, an_ask()), nodes=ONE), Ours)
    assert (found.mean_wait_s, found.mean_first_s, found.mean_total_s) == pytest.approx(
        (LOAD_S, LOAD_S + 1.0, LOAD_S + 3.0)
    )
    assert (found.loads, found.load_s, found.lost) == (1, LOAD_S, 0)


def test_a_fifth_request_waits_for_a_slot() -> None:
    """The four before it are slowed down by one another: a tenth for each that was there before."""
    found = figures(a_trace(*[lambda: once(1.0, an_ask())] * 5, nodes=ONE), Ours)
    assert found.worst_wait_s == pytest.approx(LOAD_S + 3.0)


def test_a_conversation_pays_for_its_prompt_again_if_its_node_changes() -> None:
    """With round robin each turn is at the other node, whose cache lacks the turn before; gglib stays."""

    def talk() -> Client:
        for turn in range(4):
            yield an_ask(conversation="c", prompt_s=1.0 + turn, new_prompt_s=1.0)
            yield Think(1.0)

    trace = a_trace(talk)
    assert figures(trace, Ours).lost_prompt_s == 0.0
    assert figures(trace, RoundRobin).lost_prompt_s == pytest.approx(3.0)


def test_an_idle_model_is_evicted_for_another() -> None:
    """Memory for one: each request for another model is a load."""
    clients = [
        lambda at_s=at_s, model=model: once(at_s, an_ask(model))
        for at_s, model in ((1.0, A), (20.0, B), (40.0, A))
    ]
    found = figures(a_trace(*clients, nodes=[NodeSpec(models=FEW, gib=A.gib)]), Ours)
    assert found.loads == 3
    assert found.worst_wait_s == pytest.approx(LOAD_S + 0.3)


def test_a_model_in_use_is_drained_after_a_while() -> None:
    """B waits for 15 s, then for the response of A that runs, the stop and the load."""
    busy = [lambda at_s=float(at_s): once(at_s, an_ask(A, tokens=200)) for at_s in range(1, 60, 2)]
    found = figures(
        a_trace(*busy, lambda: once(10.0, an_ask(B)), nodes=[NodeSpec(models=FEW, gib=A.gib)]), Ours
    )
    assert found.loads >= 3
    assert 15.0 + LOAD_S < found.worst_wait_s < 60.0


def test_requests_of_a_dead_node_are_sent_again_or_lost() -> None:
    """Those that had not begun wait until the front notices; the one that ran breaks off."""
    nodes = [NodeSpec(models=FEW, dies_at_s=8.0), NodeSpec(models=FEW)]
    clients = [lambda: once(1.0, an_ask(A, tokens=1000)), lambda: once(8.5, an_ask(A))]
    found = figures(a_trace(*clients, nodes=nodes), lambda: LeastLoaded(Affinity.STRICT))
    assert found.lost == 1
    assert LOAD_S < found.worst_wait_s < LOAD_S + 5.0


@pytest.mark.parametrize(
    ("policy", "loads"),
    [
        (RoundRobin, 2),
        (lambda: RoundRobin(Affinity.STRICT), 1),
        (LeastLoaded, 2),
        (lambda: LeastLoaded(Affinity.STRICT), 1),
        (RandomOfTwo, 2),
        (lambda: RandomOfTwo(Affinity.STRICT), 1),
        (StepsAlone, 1),
    ],
)
def test_affinity_keeps_a_model_at_one_node(policy: Callable[[], Policy], loads: int) -> None:
    """Two requests at once: without affinity they are spread."""
    found = figures(a_trace(*[lambda: once(1.0, an_ask())] * 2), policy)
    assert found.loads == loads


def test_a_herd_follows_an_old_snapshot() -> None:
    """Twelve requests within a second: without the front's own counts they all go to one of two nodes."""

    def warm(model: Any) -> Client:
        yield an_ask(model)

    clients = [*[lambda: warm(HOT[0])] * 2, *[lambda: once(20.01, an_ask(HOT[0]))] * 12]
    trace = a_trace(*clients, nodes=alike(HOT)(2))
    counted = figures(trace, LeastLoaded)
    herd = figures(trace, LeastLoadedBySnapshot)
    assert herd.worst_wait_s > counted.worst_wait_s + 1.0


def test_fronts_do_not_know_of_each_other() -> None:
    """Their requests are the same clients'."""
    clients = [lambda: once(1.0, an_ask())] * 4
    assert figures(a_trace(*clients, fronts=2), Ours).requests == 4


def test_a_front_without_nodes_tries_again() -> None:
    """A client's retry, once a second, until a node is there: here the run is ended first."""
    clock = Clock()
    machine = Machine(clock, "a", gib=12, speed=1.0, models=FEW)
    front = Front(clock, [machine], Ours())
    machine.die()
    clock.after(10.0, lambda: front.ask(an_ask(), lambda: None))
    clock.run(is_over=lambda: clock.now > 20.0)
    assert [record.sends for record in front.records] == [0]


@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace.name)
def test_gglib_serves_every_trace(trace: Trace) -> None:
    """Every request is answered, except those that ran at a node that died; the same seed gives the same figures."""
    found = run(trace, Ours, nodes=2, seed=1)
    assert found == run(trace, Ours, nodes=2, seed=1)
    assert found.lost <= 8 if trace.name == "death" else found.lost == 0


def test_the_page_has_every_policy_and_trace() -> None:
    """The rule of gglib first, in bold."""
    trace = replace(TRACES[0], clients=lambda _nodes, _seed: [once(1.0, an_ask(HOT[0]))])
    table = {name: measure(trace, policy, nodes=2, seeds=[1]) for name, policy in POLICIES.items()}
    text = page({trace: {2: table}}, {trace: {0.0: table[OURS]}}, {2: 1})
    assert "| **gglib** |" in text
    assert all(f"| {name} |" in text for name in RIVALS)
    assert trace.title in plot(trace, {2: table})
