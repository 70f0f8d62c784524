"""What ``gglib node`` shows of nodes."""

from typing import Any

import pytest

from gglib.cli.views.nodes import (
    COLUMNS,
    copies_text,
    no_match_warning,
    node_rows,
    problem_lines,
    queue_lines,
    restriction_line,
    unknown_node_error,
)

GB = 10**9


def a_node(name: str = "box", **fields: Any) -> dict[str, Any]:
    """Return an idle node of ``GET /gglib/nodes``."""
    return {
        "name": name,
        "is_own": False,
        "url": f"http://{name}:8080",
        "state": "ready",
        "failure": None,
        "version": "0.1.0",
        "models": [],
        "residents": [],
        "devices": {},
        "waiting": 0,
        "in_flight": 0,
        **fields,
    }


READY = a_node(
    models=[{"name": "small"}],
    residents=[
        {"model_name": "small", "state": "ready"},
        {"model_name": "large", "state": "loading"},
    ],
    devices={
        "ram": {"total_bytes": 64 * GB, "available_bytes": 12 * GB},
        "gpu0": {"total_bytes": 24 * GB, "available_bytes": 20 * GB},
        "gpu1": {"total_bytes": 24 * GB, "available_bytes": None},
    },
    waiting=4,
    in_flight=2,
)
DOWN = a_node("tower", state="down", failure="It is gone.", models=[{"name": "small"}])
IDLE = a_node("idle", state="draining", version=None, waiting=1)
OWN = a_node("this", is_own=True, url=None, waiting=3)


def test_a_row_has_what_is_known_now() -> None:
    """Of a node that does not answer, what was known before is not shown."""
    rows = node_rows([OWN, READY, DOWN, IDLE])
    assert rows == [
        ("this", "ready", "this machine", "0.1.0", "0", "-", "-", "3", "0"),
        (
            *("box", "ready", "http://box:8080", "0.1.0", "1"),
            *("small, large (loading)", "12.0 GB, gpu0 20.0 GB", "4", "2"),
        ),
        ("tower", "down", "http://tower:8080", "-", "-", "-", "-", "-", "-"),
        ("idle", "draining", "http://idle:8080", "-", "0", "-", "-", "1", "0"),
    ]
    assert {len(row) for row in rows} == {len(COLUMNS)}


def test_problems_are_listed() -> None:
    """Of the nodes that have one, then the names that stand for different files."""
    conflict = {"message": "'m' is another file on a than on b."}
    assert list(problem_lines([READY, DOWN, IDLE], [conflict])) == ["It is gone.", conflict["message"]]


def test_queues_of_other_nodes_are_sentences() -> None:
    """Those of this machine are shown by model."""
    assert list(queue_lines([OWN, READY, IDLE, DOWN])) == [
        "Waiting at box: 4 requests",
        "Waiting at idle: 1 request",
    ]


def test_copies_have_their_states() -> None:
    """Where the model is in memory."""
    copies: list[dict[str, Any]] = [
        {"node": "a", "name": "m", "state": "ready"},
        {"node": "b", "name": "m", "state": None},
    ]
    assert copies_text(copies) == "a (ready), b"
    assert copies_text(()) == ""


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


def test_the_nodes_of_a_model_are_shown() -> None:
    """With a warning if no node is called so."""
    assert restriction_line("m", ("gpu*", "box")) == "'m' is served only by the nodes gpu*, box."
    assert restriction_line("m", ()) == "'m' is served by all nodes."
    assert no_match_warning((), ("a",)) is None
    assert no_match_warning(("gpu*",), ()) is None  # they are not known
    assert no_match_warning(("gpu*", "A"), ("a",)) is None
    warning = no_match_warning(("gpu*",), ("a", "b"))
    assert warning == "no node matches gpu*, so requests for the model fail: the nodes are a, b."
