"""The rows of the panels of ``gglib top``."""

from dataclasses import replace

import pytest
from tests.support.top_values import (
    NOW_S,
    a_node,
    data,
    failed_load,
    finished,
    loading,
    resident,
    running,
    swap,
)

from gglib.cli.top import rows
from gglib.cli.top.cells import Column, Row
from gglib.cli.top.data import with_finished, with_swap, without_server
from gglib.cli.top.rates import Rates
from gglib.cli.top.ui import Panel, Ui
from gglib.core.memory import DeviceMemory
from gglib.core.runtime.kept_prompts import KeptTransfer
from gglib.core.runtime.status import LoadCount, ResidentStatus

UI = Ui()


def cells(row: Row, columns: tuple[Column, ...]) -> dict[str, str]:
    """Return the cells of a row by the title of their column."""
    return {column.title: cell for column, cell in zip(columns, row.cells, strict=True)}


def test_model_has_its_rates_memory_and_idle_time() -> None:
    """The idle time goes on between two readings."""
    known = data(
        resident(
            in_flight=3,
            size={"ram": 1_200_000_000, "gpu0": 300_000_000},
            is_measured=True,
            idle_s=10.0,
            idle_ttl_s=600.0,
        )
    )
    known = replace(known, rates=Rates(tokens_by_model={"small": 35.24}, requests_by_model={"small": 1234.0}))
    (row,) = rows.model_rows(known, UI, NOW_S + 2)
    assert cells(row, rows.MODEL_COLUMNS) == {
        "MODELS": "small",
        "STATE": "ready",
        "CTX": "8192",
        "IN FLIGHT": "3/4",
        "TOK/S": "35.2",
        "REQ/S": "1.2k",
        "MEMORY": "1.2 GB, 300 MB gpu0",
        "IDLE": "12 s",
        "UNLOADS IN": "10 min",
        "PIN": "",
    }
    assert (row.style, row.is_state, row.tail) == ("green", True, "")


def test_pinned_model_is_never_unloaded() -> None:
    """Nor is one without an idle timeout; a model without slots shows its requests alone."""
    known = data(
        resident("a", is_pinned=True, idle_s=1.0, idle_ttl_s=60.0, slots=None), resident("b", idle_s=1.0)
    )
    first, second = (cells(row, rows.MODEL_COLUMNS) for row in rows.model_rows(known, UI, NOW_S))
    assert (first["PIN"], first["UNLOADS IN"], first["IN FLIGHT"]) == ("pin", "", "0")
    assert (second["PIN"], second["UNLOADS IN"], second["IDLE"]) == ("", "", "1 s")


@pytest.mark.parametrize(
    ("model", "tail"),
    [
        (loading("big", 1.0, 4.0), f"[{'#' * 10}{'.' * 10}] 2.0 s of about 4.0 s"),
        (loading("big", 9.0, 4.0), f"[{'#' * 20}] 10.0 s of about 4.0 s"),
        (loading("big", 1.0, None), "2.0 s"),
        (resident("big", state="loading"), ""),
    ],
)
def test_load_has_a_bar_that_moves_between_readings(model: ResidentStatus, tail: str) -> None:
    """By the elapsed share of the expected time."""
    (row,) = rows.model_rows(data(model), UI, NOW_S + 1)
    assert row.tail == tail


def test_models_are_sorted_by_name_and_by_values() -> None:
    """In the orders that ``s`` steps through."""
    known = data(
        resident("b", in_flight=1, size={"ram": 5}),
        resident("a", in_flight=3, size={"ram": 9}),
        resident("c", size={"ram": 7}),
    )
    known = replace(known, rates=Rates(tokens_by_model={"c": 5.0, "b": 1.0}))
    found = []
    for order in range(len(rows.MODEL_ORDERS)):
        ui = Ui(orders={Panel.MODELS: order, Panel.REQUESTS: 0})
        found.append("".join(rows.row_ids(known, ui, Panel.MODELS)))
    assert found == ["abc", "cba", "acb", "abc"]


def test_queue_shows_when_requests_run() -> None:
    """The longest wait first; ``>`` marks a minimum, ``-`` what is unknown."""
    known = data(loading("big", 1.0, 4.0), waiting=(("other", 1, 0.5), ("big", 2, 3.0)))
    first, second = (cells(row, rows.QUEUE_COLUMNS) for row in rows.queue_rows(known, UI, NOW_S + 1))
    assert first == {
        "QUEUE": "big",
        "WAITING": "2",
        "LONGEST": "4.0 s",
        "RUNS IN": "2.0 s",
        "WAITS FOR": "its load",
    }
    assert (second["QUEUE"], second["RUNS IN"]) == ("other", "-")
    minimum = data(waiting=(("x", 1, 1.0), ("y", 1, 0.5)), loads=(loads_of("x"),))
    assert cells(rows.queue_rows(minimum, UI, NOW_S)[0], rows.QUEUE_COLUMNS)["RUNS IN"] == ">3.0 s"
    assert rows.queue_rows(without_server(known, "gone"), UI, NOW_S) == []


def loads_of(name: str) -> LoadCount:
    """Return the loads of a model, which took 3 s each."""
    return LoadCount(model_name=name, outcome="ready", count=2, total_s=6.0)


def test_request_shows_who_sent_it() -> None:
    """The program, else the address; the profile follows the model."""
    known = data(
        requests=(
            running("a", chunks=17, client="aider", key="alice", profile="precise", age_s=9.0),
            running(
                "b", state="waiting", model=None, requested_model="gpt-4", address="10.0.0.7", age_s=100.0
            ),
            running("c", model=None, route="/v1/models", age_s=0.0),
        )
    )
    known = replace(known, rates=Rates(tokens_by_request={"a": 12.3}))
    oldest, middle, newest = (
        cells(row, rows.REQUEST_COLUMNS) for row in rows.request_rows(known, UI, NOW_S + 1)
    )
    assert oldest["REQUESTS"] == "gpt-4"
    assert (oldest["STATE"], oldest["AGE"], oldest["CLIENT"], oldest["KEY"]) == (
        "waiting",
        "2 min",
        "10.0.0.7",
        "-",
    )
    assert (middle["REQUESTS"], middle["TOKENS"], middle["TOK/S"]) == ("small:precise", "17", "12.3")
    assert (middle["CLIENT"], middle["KEY"], middle["REQUEST ID"]) == ("aider", "alice", "a")
    assert (newest["REQUESTS"], newest["CLIENT"], newest["TOKENS"]) == ("-", "-", "")


def test_requests_are_sorted() -> None:
    """In the orders that ``s`` steps through; equal ones by age."""
    known = data(
        requests=(
            running("a", age_s=3.0, model="y", chunks=1, client="z"),
            running("b", age_s=2.0, model="x", chunks=9, client="z"),
            running("c", age_s=1.0, model="x", chunks=5, client="a"),
        )
    )
    found = []
    for order in range(len(rows.REQUEST_ORDERS)):
        ui = Ui(orders={Panel.MODELS: 0, Panel.REQUESTS: order})
        found.append("".join(rows.row_ids(known, ui, Panel.REQUESTS)))
    assert found == ["abc", "cba", "bca", "bca", "cab"]


def test_swap_has_its_reason_or_its_error() -> None:
    """An unload alone, a load alone, and a load that failed."""
    known = data()
    for number, one in enumerate(
        (
            swap(),
            swap(None, "small", total_s=1.0),
            swap("big", None, total_s=0.0, why="it died"),
            swap(error="out of memory"),
        )
    ):
        known = with_swap(known, one, NOW_S + 10 * number)
    found = rows.swap_rows(known, UI, NOW_S + 60)
    assert [row.cells[0] for row in found] == ["big -> small", "big -> unloaded", "-> small", "big -> small"]
    assert [row.cells[1] for row in found] == ["3.2 s", "-", "1.0 s", "3.2 s"]
    assert [row.cells[2] for row in found] == ["30.0 s", "40.0 s", "50.0 s", "60.0 s"]
    assert found[0].cells[3] == "out of memory ('big' was idle)"
    assert [row.style for row in found] == ["red", "", "", ""]


def test_swap_has_the_tokens_that_it_saved_and_restored() -> None:
    """After its reason."""
    saved = KeptTransfer(slots=1, tokens=50, size_bytes=1, seconds=1.5)
    restored = KeptTransfer(slots=1, tokens=2006, size_bytes=1, seconds=0.02)
    (row,) = rows.swap_rows(with_swap(data(), swap(saved=saved, restored=restored), NOW_S), UI, NOW_S)
    assert row.cells[3] == "'big' was idle; saved 50 tokens in 1.50 s; restored 2,006 tokens in 0.02 s"


def test_failures_are_loads_and_requests() -> None:
    """A model that cannot be loaded comes first: its requests will fail, too."""
    known = data(failed=(failed_load("big", "out of memory"),))
    request = finished(
        "a", status=None, error="client_left", model=None, requested_model="gpt-4", client="aider", key="bob"
    )
    known = with_finished(known, request, NOW_S)
    known = with_finished(
        known, finished("b", status=503, error="model_load_failed", error_message="no memory"), NOW_S
    )
    load, *requests = (cells(row, rows.FAILED_COLUMNS) for row in rows.failed_rows(known, UI, NOW_S + 1))
    assert (load["FAILED"], load["STATUS"], load["MODEL"], load["MESSAGE"]) == (
        "load failed",
        "-",
        "big",
        "out of memory",
    )
    by_error = {row["FAILED"]: row for row in requests}
    assert by_error["client_left"] == {
        "FAILED": "client_left",
        "STATUS": "-",
        "AGO": "1.0 s",
        "MODEL": "gpt-4",
        "CLIENT": "aider",
        "KEY": "bob",
        "ROUTE": "/v1/chat/completions",
        "MESSAGE": "-",
    }
    assert by_error["model_load_failed"]["MESSAGE"] == "no memory"
    known = with_finished(known, finished("c", status=500), NOW_S)
    assert rows.failed_rows(known, UI, NOW_S + 1)[1].cells[:2] == ("error of the engine", "500")
    known = replace(known, failed=known.failed[1:])
    assert len(rows.failed_rows(without_server(known, "gone"), UI, NOW_S)) == 2


@pytest.mark.parametrize(
    ("text", "counts"),
    [("", (2, 1, 2, 1, 2)), ("SMALL", (1, 0, 1, 1, 1)), ("aider", (0, 0, 1, 0, 0)), ("zzz", (0, 0, 0, 0, 0))],
)
def test_filter_hides_rows_of_all_panels(text: str, counts: tuple[int, ...]) -> None:
    """By any text of the row, ignoring case."""
    known = data(
        resident("small"),
        resident("big"),
        waiting=(("big", 1, 1.0),),
        requests=(running("a"), running("b", model="big", client="aider")),
        failed=(failed_load("big", "no"),),
    )
    known = with_finished(with_swap(known, swap(), NOW_S), finished("c", error="x"), NOW_S)
    ui = Ui(filter_text=text)
    makers = (rows.model_rows, rows.queue_rows, rows.request_rows, rows.swap_rows, rows.failed_rows)
    assert tuple(len(make(known, ui, NOW_S)) for make in makers) == counts


def test_control_characters_are_escaped() -> None:
    """A name or an error may have any character; the id stays as it is, for the server."""
    name = "a\x1b[31m\nb"
    (row,) = rows.model_rows(data(resident(name)), UI, NOW_S)
    assert row.cells[0] == r"a\x1b[31m\nb"
    assert row.id == name
    known = with_finished(data(), finished("x", error="e", error_message="\x9b2J"), NOW_S)
    assert all(cell.isprintable() for cell in rows.failed_rows(known, UI, NOW_S)[0].cells)


@pytest.mark.parametrize("text", ["gpt-5", "404", "10.0.0.9", "req_x", "MODEL_NOT"])
def test_filter_finds_what_a_failed_request_shows(text: str) -> None:
    """A name that is no model in the catalogue is in the column MODEL, too."""
    failed = finished(
        "req_x", status=404, error="model_not_found", model=None, requested_model="gpt-5", client=None
    )
    known = with_finished(data(), replace(failed, address="10.0.0.9"), NOW_S)
    assert len(rows.failed_rows(known, Ui(filter_text=text), NOW_S)) == 1
    assert rows.failed_rows(known, Ui(filter_text="claude"), NOW_S) == []


def test_nodes_have_their_work_and_what_is_wrong() -> None:
    """Of one that does not answer, neither its queue nor its memory is known; the filter finds models in memory."""
    box = a_node("box", resident("small"), loading("big"), in_flight=2, waiting=5)
    gone = a_node("gone", state="down", failure="It is down.", devices={})
    known = replace(data(), nodes=(a_node("own", is_own=True), box, gone))
    shown = [cells(row, rows.NODE_COLUMNS) for row in rows.node_rows(known, UI, NOW_S)]
    assert [row["NODES"] for row in shown] == ["own", "box", "gone"]
    assert shown[1] == {
        "NODES": "box",
        "STATE": "ready",
        "IN FLIGHT": "2",
        "WAITING": "5",
        "FREE": "12.0 GB",
        "IN MEMORY": "small, big (loading)",
        "WHY": "",
    }
    assert list(shown[2].values()) == ["gone", "down", "-", "-", "-", "-", "It is down."]
    assert [row.id for row in rows.node_rows(known, Ui(filter_text="big"), NOW_S)] == ["box"]


def test_free_memory_that_is_unknown_is_not_zero() -> None:
    """A GPU may report its size only."""
    memory = {
        "ram": DeviceMemory(total_bytes=None, available_bytes=10**9),
        "gpu0": DeviceMemory(total_bytes=10**10, available_bytes=None),
    }
    known = replace(data(), nodes=(a_node("box", devices=memory),))
    assert [cells(row, rows.NODE_COLUMNS)["FREE"] for row in rows.node_rows(known, UI, NOW_S)] == ["1.0 GB"]
