"""What ``gglib node`` shows of nodes."""

import pytest

from gglib.cli.views.nodes import COLUMNS, failure_lines, node_fields, node_rows, unknown_node_error
from gglib.core.memory import DeviceMemory
from gglib.core.models import ModelSummary
from gglib.core.nodes import ModelContent, NodeModel, NodeSnapshot, NodeState
from gglib.core.runtime.status import ResidentStatus, RuntimeStatus, WaitingStatus

GB = 10**9
MODEL = NodeModel(summary=ModelSummary(id=1, name="small"), content=ModelContent(None, None))
READY = NodeSnapshot(
    name="box",
    url="http://box:8080",
    state=NodeState.READY,
    models=(MODEL,),
    status=RuntimeStatus(
        residents=(
            ResidentStatus(model_id=1, model_name="small", state="ready", effective_ctx=8192, in_flight=2),
            ResidentStatus(model_id=2, model_name="large", state="loading", effective_ctx=8192),
        ),
        waiting=(
            WaitingStatus(model_name="large", waiting=3, longest_wait_s=1.0),
            WaitingStatus(model_name="small", waiting=1, longest_wait_s=1.0),
        ),
    ),
    devices={
        "ram": DeviceMemory(total_bytes=64 * GB, available_bytes=12 * GB),
        "gpu0": DeviceMemory(total_bytes=24 * GB, available_bytes=20 * GB),
        "gpu1": DeviceMemory(total_bytes=24 * GB, available_bytes=None),
    },
    version="0.1.0",
)
DOWN = NodeSnapshot(
    name="tower", url="http://tower:8080", state=NodeState.DOWN, failure="It is gone.", status=READY.status
)
IDLE = NodeSnapshot(name="idle", url="http://idle:8080", state=NodeState.DRAINING, version="0.1.0")


def test_a_row_has_what_is_known_now() -> None:
    """Of a node that does not answer, what was known before is not shown."""
    rows = node_rows([READY, DOWN, IDLE])
    assert rows == [
        (
            *("box", "ready", "http://box:8080", "0.1.0", "1"),
            *("small, large (loading)", "12.0 GB, gpu0 20.0 GB", "4"),
        ),
        ("tower", "down", "http://tower:8080", "-", "-", "-", "-", "-"),
        ("idle", "draining", "http://idle:8080", "0.1.0", "0", "-", "-", "0"),
    ]
    assert {len(row) for row in rows} == {len(COLUMNS)}


def test_the_reasons_are_listed() -> None:
    """Of the nodes that have one."""
    assert failure_lines([READY, DOWN, IDLE]) == ["It is gone."]


def test_json_has_the_numbers() -> None:
    """In bytes."""
    assert node_fields(READY) == {
        "name": "box",
        "url": "http://box:8080",
        "state": "ready",
        "failure": None,
        "version": "0.1.0",
        "models": ["small"],
        "residents": [
            {"model_name": "small", "state": "ready", "in_flight": 2},
            {"model_name": "large", "state": "loading", "in_flight": 0},
        ],
        "waiting": 4,
        "available_bytes": {"ram": 12 * GB, "gpu0": 20 * GB, "gpu1": None},
    }


@pytest.mark.parametrize(
    ("known", "source", "sentence"),
    [
        ([], None, "There is no node 'bix': 'gglib node add URL' adds one."),
        (["box"], "config.toml", "There is no node 'bix'"),
        (["box"], "GGLIB_NODES", "config.toml has no node 'bix': the nodes in use are from GGLIB_NODES."),
    ],
)
def test_an_unknown_name_is_explained(known: list[str], source: str | None, sentence: str) -> None:
    """By what there is instead."""
    assert str(unknown_node_error("bix", known, source)).startswith(sentence)
