"""Nodes are killed while requests arrive: the short version of ``python -m bench.node_kills``."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.integration.chaos.verdict import Heard, Kind, Verdict
from tests.integration.cluster.kills.promises import Answer, Run, history_complaints, run_complaints
from tests.integration.cluster.kills.storm import KillsPlan, front_complaint, kill_nodes, storm_cluster

PLAN = KillsPlan(seed=1, requests=150, requests_per_s=10.0, kill_every_s=4.0, dead_s=(0.5, 2.0))


@pytest.fixture
def directory() -> Iterator[Path]:
    """Yield a directory with a short path."""
    path = Path(tempfile.mkdtemp(prefix="gk-"))
    yield path
    shutil.rmtree(path)


async def test_every_request_ends_and_every_node_keeps_its_promises(directory: Path) -> None:
    """Only streams of a killed node end with an error; nothing is left of it."""
    with storm_cluster(directory, PLAN) as machines:
        report = await kill_nodes(PLAN, machines)
    assert not report.ends.complaints, f"seed {PLAN.seed}: {report}\n" + "\n".join(report.ends.complaints)
    assert report.ends.kills > 1
    assert len(report.served) == len(machines.nodes)


def test_a_wrong_row_of_the_front_is_noticed() -> None:
    """One that is missing, twice, or of another end or node."""
    row = {"status": 200, "error": None, "node": "a"}
    heard = Heard(status=200, headers={"x-gglib-node": "a"}, began_at_s=1.0)
    answered = Verdict(Kind.ANSWERED)
    assert front_complaint(answered, heard, [row]) == ""
    assert front_complaint(Verdict(Kind.CUT, "node_lost"), heard, [row | {"error": "node_lost"}]) == ""
    assert front_complaint(answered, replace(heard, began_at_s=20.0), [row | {"node": "b"}]) == ""
    for stored in ([], [row, row], [row | {"error": "node_lost"}], [row | {"node": "b"}]):
        assert front_complaint(answered, heard, stored)


def swap(old: str | None, new: str | None, **values: Any) -> dict[str, Any]:
    """Return a swap as the admin API has it."""
    times = {"waited_s": 0.0, "drain_s": 0.0, "stop_s": 0.0, "load_s": 1.0, "total_s": 1.0, "ended_at": 0.0}
    return {"from_model": old, "to_model": new, "why": "", "error": None, **times, **values}


def complaints(*swaps: dict[str, Any], residents: tuple[str, ...] = ()) -> list[str]:
    """Return the broken promises of a run with two models and 3 s until a swap."""
    run = Run(max_models=2, swap_wait_s=3.0, residents=[[{"model_name": name} for name in residents]])
    run.add_swaps(
        reversed([{**swap, "ended_at": swap["ended_at"] or number} for number, swap in enumerate(swaps)])
    )
    return list(run_complaints(run))


def test_the_promises_of_a_good_run_are_kept() -> None:
    """A swap that waits for others has its turn later."""
    good = (swap(None, "a"), swap(None, "b"), swap("a", "c"), swap("c", None))
    assert complaints(*good, residents=("b", "c")) == []
    slow = swap("a", "c", waited_s=6.0, total_s=7.0, ended_at=20.0)
    other = swap("b", "d", load_s=2.0, total_s=2.0, ended_at=17.0)
    assert complaints(*good[:2], other, slow) == []


@pytest.mark.parametrize(
    ("swaps", "residents", "promise"),
    [
        ((), ("a", "b", "c"), "promise 5"),
        ((), ("a", "a"), "promise 5"),
        ((swap(None, "a"), swap(None, "b"), swap(None, "c")), (), "promise 5"),
        ((swap(None, "a"), swap(None, "a")), (), "promise 2"),
        ((swap(None, "a"), swap("a", "b", waited_s=6.0, total_s=7.0, ended_at=20.0)), (), "promise 3"),
        ((swap(None, "a", error="it cannot be loaded"),), (), "promise 7"),
    ],
)
def test_a_broken_promise_is_noticed(
    swaps: tuple[dict[str, Any], ...], residents: tuple[str, ...], promise: str
) -> None:
    """One of each that can be seen from outside."""
    found = complaints(*swaps, residents=residents)
    assert len(found) == 1
    assert found[0].startswith(promise)


def test_a_wrong_history_is_noticed() -> None:
    """Answers that are stored twice, not at all, or with an error."""
    row = {"request_id": "1", "status": 200, "error": None, "error_message": None}
    one = Answer(request_id="1", node="a", ended_at_s=100.0)
    assert list(history_complaints([one], {"a": [row], "b": [row | {"status": 499}]}, {})) == []
    assert list(history_complaints([one], {"a": []}, {"a": [101.0]})) == []
    assert list(history_complaints([one], {"a": []}, {"a": [90.0, 200.0]})) == [
        "a: the answered request 1 is stored 0 times"
    ]
    assert len(list(history_complaints([one], {"a": [row, row]}, {"a": [90.0]}))) == 1
    assert len(list(history_complaints([one], {"b": []}, {}))) == 1
    failed = row | {"status": 502, "error": "upstream_error", "error_message": "It died."}
    assert "502 upstream_error: It died." in next(history_complaints([], {"a": [failed]}, {}))
