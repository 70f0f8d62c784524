"""Which changes of a node are announced."""

from dataclasses import replace

import pytest

from gglib.core.memory import DeviceMemory
from gglib.core.models import ModelSummary
from gglib.core.nodes import ModelContent, NodeModel, NodeSnapshot, NodeState
from gglib.core.runtime.status import RemoteStatus, ResidentStatus, RuntimeStatus, SwapStatus, WaitingStatus
from gglib.nodes.peers.differences import has_changed

GB = 10**9
RESIDENT = ResidentStatus(
    model_id=1, model_name="m", state="ready", effective_ctx=8192, uptime_s=1.0, idle_s=1.0
)
REMOTE = RemoteStatus(model_id=2, model_name="far", host="https://far.example", failed_ago_s=1.0)
WAITING = WaitingStatus(model_name="m", waiting=1, longest_wait_s=1.0, runs_in_s=3.0)
SWAP = SwapStatus(from_model=None, to_model="m", why="there was room", ago_s=1.0)
STATUS = RuntimeStatus(residents=(RESIDENT,), remotes=(REMOTE,), waiting=(WAITING,), last_swap=SWAP)
SNAPSHOT = NodeSnapshot(
    name="box",
    url="http://box:8080",
    state=NodeState.READY,
    status=STATUS,
    devices={"ram": DeviceMemory(total_bytes=64 * GB, available_bytes=32 * GB)},
    seen_at_s=1.0,
)


def with_ram(total_bytes: int | None, available_bytes: int | None) -> NodeSnapshot:
    """Return the snapshot with other RAM."""
    return replace(
        SNAPSHOT, devices={"ram": DeviceMemory(total_bytes=total_bytes, available_bytes=available_bytes)}
    )


def with_status(**changes: object) -> NodeSnapshot:
    """Return the snapshot with another status."""
    return replace(SNAPSHOT, status=replace(STATUS, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "later",
    [
        replace(SNAPSHOT, seen_at_s=2.0),
        with_status(residents=(replace(RESIDENT, uptime_s=2.0, idle_s=2.0, loading_for_s=1.0),)),
        with_status(remotes=(replace(REMOTE, failed_ago_s=2.0),)),
        with_status(waiting=(replace(WAITING, longest_wait_s=2.0, runs_in_s=2.0),)),
        with_status(last_swap=replace(SWAP, ago_s=2.0)),
        with_ram(64 * GB, 32 * GB - GB // 2),
    ],
)
def test_times_and_a_little_memory_are_no_change(later: NodeSnapshot) -> None:
    """They change with each probe."""
    assert not has_changed(SNAPSHOT, later)


@pytest.mark.parametrize(
    "later",
    [
        replace(SNAPSHOT, state=NodeState.DOWN),
        replace(SNAPSHOT, failure="It failed."),
        replace(SNAPSHOT, version="9"),
        replace(
            SNAPSHOT, models=(NodeModel(summary=ModelSummary(id=1, name="m"), content=ModelContent(None, 1)),)
        ),
        with_status(residents=(replace(RESIDENT, in_flight=1),)),
        with_status(residents=()),
        with_status(waiting=()),
        with_status(last_swap=None),
        with_ram(64 * GB, 30 * GB),
        with_ram(128 * GB, 32 * GB),
        with_ram(64 * GB, None),
        with_ram(None, None),
        replace(SNAPSHOT, devices={}),
    ],
)
def test_everything_else_is_a_change(later: NodeSnapshot) -> None:
    """In both directions."""
    assert has_changed(SNAPSHOT, later)
    assert has_changed(later, SNAPSHOT)


def test_unknown_memory_that_stays_unknown_is_no_change() -> None:
    """On systems that report none."""
    assert not has_changed(with_ram(None, None), replace(with_ram(None, None), seen_at_s=5.0))


def test_a_status_without_a_swap_is_compared() -> None:
    """Nothing was loaded yet."""
    assert not has_changed(with_status(last_swap=None), replace(with_status(last_swap=None), seen_at_s=2.0))
