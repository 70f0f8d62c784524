"""``ps``: the view of a status."""

from typing import Any

import pytest

from gglib.cli.views import running
from gglib.cli.views.tables import fit_columns, table_lines
from gglib.runtime.scheduler.events import StopReason
from gglib.runtime.scheduler.swap_history import reason_code

EMPTY: dict[str, Any] = {"residents": [], "waiting": [], "failed": [], "last_swap": None}
TRANSFER = {"slots": 1, "tokens": 2006, "size_bytes": 9, "seconds": 0.02}


def resident(name: str = "small", **fields: Any) -> dict[str, Any]:
    """Return a resident of a status, ready for a while."""
    return {
        "model_id": 1,
        "model_name": name,
        "state": "ready",
        "effective_ctx": 8192,
        "in_flight": 1,
        "pid": 4711,
        "uptime_s": 125.0,
        "load_time_s": 3.24,
        "loading_for_s": None,
        "expected_load_s": None,
        "idle_ttl_s": None,
        **fields,
    }


def a_load(**fields: Any) -> dict[str, Any]:
    """Return a resident that is loading."""
    return resident(state="loading", in_flight=0, uptime_s=None, load_time_s=None, **fields)


def a_swap(**fields: object) -> dict[str, Any]:
    """Return a swap of a status."""
    return {
        "from_model": "big",
        "to_model": "small",
        "why": "'small' had waited 15.0 s while 'big' was busy",
        "request_id": "req_1",
        "waited_s": 15.0,
        "drain_s": 1.25,
        "stop_s": 0.04,
        "load_s": 3.24,
        "total_s": 19.53,
        "error": None,
        "ago_s": 12.4,
        **fields,
    }


def test_resident_has_a_cell_for_each_column() -> None:
    """Times have their units, and the column of idle times is shown only if a model has one."""
    columns, rows = running.resident_table(EMPTY | {"residents": [resident()]})
    assert columns == ["MODEL", "STATE", "CONTEXT", "IN FLIGHT", "UPTIME", "LOAD", "PID"]
    assert rows == [["small", "ready", "8192", "1", "2 min", "3.2 s", "4711"]]
    both = EMPTY | {"residents": [resident(idle_ttl_s=5400.0), a_load()]}
    columns, rows = running.resident_table(both)
    assert columns[6] == "TTL"
    assert [row[6] for row in rows] == ["1 h 30 min", "-"]
    assert rows[1] == ["small", "loading", "8192", "0", "-", "-", "-", "4711"]


def test_memory_threads_and_pin_are_shown_if_known() -> None:
    """A size that is not measured is marked; devices other than the RAM are named."""
    measured = resident(size={"ram": 5_200_000_000}, is_measured=True, is_pinned=True, threads=4)
    expected = a_load(size={"ram": 400_000_000, "gpu0": 8_000_000_000}, is_measured=False)
    columns, rows = running.resident_table(EMPTY | {"residents": [measured, expected, resident()]})
    assert columns == ["MODEL", "STATE", "CONTEXT", "IN FLIGHT", "UPTIME", "LOAD", "MEMORY", "THREADS", "PID"]
    assert [row[1] for row in rows] == ["ready, pinned", "loading", "ready"]
    assert [row[6:8] for row in rows] == [["5.2 GB", "4"], ["~400 MB, 8.0 GB gpu0", "-"], ["-", "-"]]


def test_the_estimate_is_beside_what_was_measured() -> None:
    """On each device; an expected size is the estimate already."""
    estimated = {"ram": 500_000_000, "gpu0": 7_900_000_000}
    size = {"ram": 480_000_000, "gpu0": 8_100_000_000}
    measured = resident(size=size, is_measured=True, estimated_size=estimated)
    expected = a_load(size={"ram": 520_000_000}, is_measured=False, estimated_size=estimated)
    columns, rows = running.resident_table(EMPTY | {"residents": [measured, expected]})
    assert columns[6:8] == ["MEMORY", "ESTIMATE"]
    assert [row[6:8] for row in rows] == [
        ["480 MB, 8.1 GB gpu0", "500 MB, 7.9 GB gpu0"],
        ["~520 MB", "-"],
    ]


def test_what_all_programs_use_of_the_gpus_is_a_line() -> None:
    """The RAM beside them; without GPUs other programs show it, and what is unknown is left out."""
    ram = {"total_bytes": 16_000_000_000, "available_bytes": 9_000_000_000}
    gpu = {"total_bytes": 24_000_000_000, "available_bytes": 20_500_000_000}
    unknown = {"total_bytes": 8_000_000_000, "available_bytes": None}
    devices = {"ram": ram, "gpu0": gpu, "gpu1": unknown}
    assert list(running.status_lines(EMPTY | {"devices": devices})) == [
        "In use by all programs: 7.0 GB of 16.0 GB, gpu0 3.5 GB of 24.0 GB"
    ]
    assert list(running.status_lines(EMPTY | {"devices": {"ram": ram, "gpu1": unknown}})) == []


def test_full_table_fits_80_columns_without_the_droppable_ones() -> None:
    """Model, state, memory and idle time stay."""
    full = resident(
        "Qwen2.5-Coder-7B-Instruct",
        effective_ctx=131072,
        uptime_s=7300.0,
        idle_ttl_s=1800.0,
        size={"ram": 15_200_000_000},
        is_measured=True,
        threads=16,
    )
    columns, rows = running.resident_table(EMPTY | {"residents": [full]})
    fitting, _ = fit_columns(columns, rows, 80, droppable=running.DROPPABLE_COLUMNS)
    assert [column for column in columns if column not in fitting] == [
        running.LOAD,
        running.THREADS,
        running.PID,
    ]
    assert len(columns) == 10


@pytest.mark.parametrize(
    ("limits", "used", "line"),
    [
        ({"ram": 20 * 10**9}, {"ram": 5_200_000_000}, "Memory: 5.2 GB of 20.0 GB"),
        (
            {"ram": 20 * 10**9, "gpu0": 8 * 10**9},
            {"gpu0": 500_000_000},
            "Memory: 0 MB of 20.0 GB, gpu0 500 MB of 8.0 GB",
        ),
    ],
)
def test_used_memory_is_the_first_line(limits: dict[str, int], used: dict[str, int], line: str) -> None:
    """With the budget of each device; without a budget there is no line."""
    status = EMPTY | {"residents": [resident()], "limits": limits, "used": used}
    assert list(running.status_lines(status)) == [line]
    assert list(running.status_lines(status | {"limits": {}})) == []


def test_failed_load_is_red() -> None:
    """And no other line."""
    failed = [{"model_name": "c", "reason": "bad magic"}]
    lines = [*running.status_lines(EMPTY | {"failed": failed, "hint": "set max_models."})]
    assert [running.line_style(line) for line in lines] == ["red", ""]


def test_hint_is_the_last_line() -> None:
    """As the server sends it."""
    failed = [{"model_name": "c", "reason": "bad magic"}]
    *_, last = running.status_lines(EMPTY | {"failed": failed, "hint": "set max_models."})
    assert last == "Hint: set max_models."


def test_kept_prompts_are_shown() -> None:
    """What the last swap restored is in its lines; a model whose prompts are not kept says why."""
    kept = {
        "saved": TRANSFER,
        "restored": TRANSFER,
        "files": 3,
        "files_bytes": 120_000_000,
        "limit_bytes": 8 * 10**9,
    }
    residents = [
        resident("a", restored=TRANSFER),
        resident("b", restored=TRANSFER),
        resident("c", restored=None, kept_off_reason="its engine has a disk cache"),
    ]
    swap = a_swap(
        to_model="b", request_id=None, saved={**TRANSFER, "tokens": 50, "seconds": 1.5}, restored=TRANSFER
    )
    lines = list(running.status_lines(EMPTY | {"residents": residents, "kept": kept, "last_swap": swap}))
    assert lines[-4:] == [
        "  saved 50 tokens in 1.50 s, restored 2,006 tokens in 0.02 s",
        "Kept prompts: 3 files, 120 MB of 8.0 GB",
        "'a' restored 2,006 tokens in 0.02 s",
        "Prompts of 'c' are not kept: its engine has a disk cache",
    ]
    assert list(running.status_lines(EMPTY | {"kept": {**kept, "files": 0}})) == []
    one = running.status_lines(EMPTY | {"kept": {**kept, "files": 1}})
    assert list(one) == ["Kept prompts: 1 file, 120 MB of 8.0 GB"]


def test_the_hint_of_a_model_follows_that_of_swaps() -> None:
    """An older server has none."""
    shown = EMPTY | {"residents": [resident(keep_hint="keep its prompts.")], "hint": "keep both."}
    assert list(running.status_lines(shown)) == ["Hint: keep both.", "Hint: keep its prompts."]


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (80, "ready 131072 1 2 h 1 min 9.9 s 30 min 4194304"),
        (77, "ready 131072 1 2 h 1 min 30 min 4194304"),
        (40, "ready 1"),
        (20, ""),
    ],
)
def test_table_fits_a_terminal(width: int, shown: str) -> None:
    """The name is whole, columns of numbers make room for it."""
    name = "Qwen2.5-Coder-7B"
    wide = resident(name, effective_ctx=131072, uptime_s=7300.0, load_time_s=9.9, idle_ttl_s=1800.0)
    table = running.resident_table(EMPTY | {"residents": [wide | {"pid": 4194304}]})
    columns, rows = fit_columns(*table, width, droppable=running.DROPPABLE_COLUMNS)
    _, line = ("".join(text for text, _ in line) for line in table_lines(columns, rows, width))
    assert line.split() == [name, *shown.split()]
    assert len(line) <= max(width, len(name))


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"loading_for_s": 3.21, "expected_load_s": 8.4}, "Loading 'small': 3.2 s of about 8 s"),
        ({"loading_for_s": 0.1, "expected_load_s": 0.2}, "Loading 'small': 0.1 s of about 1 s"),
        ({"loading_for_s": 9.0, "expected_load_s": 8.4}, "Loading 'small': 9.0 s, expected about 8 s"),
        ({"loading_for_s": 65.0, "expected_load_s": 90.0}, "Loading 'small': 1 min 5 s of about 1 min 30 s"),
        ({"loading_for_s": 3.21}, "Loading 'small': 3.2 s"),
        ({}, "Loading 'small' ..."),
    ],
)
def test_load_has_its_progress(times: dict[str, object], expected: str) -> None:
    """The elapsed and the expected time; a load that takes longer still shows it."""
    assert list(running.status_lines(EMPTY | {"residents": [a_load(**times), resident()]})) == [expected]


def test_waiting_requests_and_failures_are_shown() -> None:
    """One request or several, with the longest wait; a reason for each model that does not load."""
    status = EMPTY | {
        "waiting": [
            {"model_name": "a", "waiting": 1, "longest_wait_s": 0.52},
            {"model_name": "b", "waiting": 3, "longest_wait_s": 12.0},
        ],
        "failed": [{"model_name": "c", "reason": "bad magic"}],
    }
    assert list(running.status_lines(status)) == [
        "Waiting for 'a': 1 request, for 0.5 s",
        "Waiting for 'b': 3 requests, the longest for 12.0 s",
        "Failed to load 'c': bad magic",
    ]


@pytest.mark.parametrize(
    ("swap", "expected"),
    [
        (
            a_swap(),
            [
                "Last swap, 12 s ago: 'big' unloaded, 'small' loaded; 'small' had waited 15.0 s while 'big' was busy",
                "  waited 15.0 s, drain 1.2 s, stop 0.0 s, load 3.2 s, total 19.5 s",
                "  requested by req_1",
            ],
        ),
        (
            a_swap(error="bad magic", request_id=None, why="'big' was idle"),
            [
                "Last swap, 12 s ago: 'big' unloaded, 'small' failed to load; 'big' was idle",
                "  waited 15.0 s, drain 1.2 s, stop 0.0 s, load 3.2 s, total 19.5 s",
                "  error: bad magic",
            ],
        ),
        (
            a_swap(from_model=None, why="there was room for it", request_id=None),
            [
                "Last swap, 12 s ago: 'small' loaded; there was room for it",
                "  waited 15.0 s, load 3.2 s, total 19.5 s",
            ],
        ),
        (
            a_swap(to_model=None, why="the user asked for it", request_id=None, ago_s=125.0),
            [
                "Last swap, 2 min ago: 'big' unloaded; the user asked for it",
                "  drain 1.2 s, stop 0.0 s, total 19.5 s",
            ],
        ),
        (
            a_swap(to_model=None, why="'big' died: killed", request_id=None, total_s=0.0),
            ["Last swap, 12 s ago: 'big' unloaded; 'big' died: killed"],
        ),
    ],
    ids=["swap", "failed", "came", "left", "died"],
)
def test_last_swap_has_models_reason_and_times(swap: dict[str, Any], expected: list[str]) -> None:
    """Evicted and loaded model, reason and age; the parts of its time; the request that caused it."""
    assert list(running.status_lines(EMPTY | {"last_swap": swap})) == expected


def test_failure_is_shown_once() -> None:
    """A model whose load failed in the last swap is shown only among the failed ones."""
    failed = [{"model_name": "small", "reason": "bad magic"}]
    status = EMPTY | {"failed": failed, "last_swap": a_swap(error="bad magic", request_id=None, ago_s=0.4)}
    assert list(running.status_lines(status)) == [
        "Last swap, just now: 'big' unloaded, 'small' failed to load; 'small' had waited 15.0 s while 'big' was busy",
        "  waited 15.0 s, drain 1.2 s, stop 0.0 s, load 3.2 s, total 19.5 s",
        "Failed to load 'small': bad magic",
    ]


def test_status_of_an_older_server_is_shown() -> None:
    """Fields that the server does not know are left out, and nothing fails."""
    young = {"loading_for_s", "expected_load_s", "idle_ttl_s"}
    old = {key: value for key, value in a_load().items() if key not in young}
    status = {"residents": [old], "waiting": [], "failed": []}
    assert running.resident_table(status)[1] == [["small", "loading", "8192", "0", "-", "-", "4711"]]
    assert list(running.status_lines(status)) == ["Loading 'small' ..."]


def test_watch_begins_with_the_current_state() -> None:
    """Also when no model is loaded: so a user sees that it is connected."""
    assert running.snapshot_line(EMPTY) == running.NO_MODELS
    waiting = {"model_name": "big", "waiting": 1, "longest_wait_s": 2.0}
    line = running.snapshot_line(
        {**EMPTY, "residents": [resident(), resident("big", state="loading")], "waiting": [waiting]}
    )
    assert line == "'small' is ready; 'big' is loading; Waiting for 'big': 1 request, for 2.0 s"


@pytest.mark.parametrize(
    ("name", "data", "line"),
    [
        ("loading", {"model_name": "a", "expected_s": 2.4}, "Loading 'a', about 2 s"),
        ("ready", {"model_name": "a", "load_s": 1.5}, "'a' is ready after 1.5 s"),
        ("load_failed", {"model_name": "a", "reason": "no memory"}, "'a' failed to load: no memory"),
        (
            *("stopping", {"model_name": "a", "reason": "idle"}),
            "Unloading 'a': idle, and a request needs another model",
        ),
        ("stopping", {"model_name": "a", "reason": "new"}, "Unloading 'a': new"),
        ("gone", {"model_name": "a", "died": None}, "'a' is unloaded"),
        ("gone", {"model_name": "a", "died": "signal 9"}, "'a' is unloaded: signal 9"),
        (
            *("prompts_saved", {"model_name": "a", "transfer": TRANSFER}),
            "'a' saved 2,006 tokens in 0.02 s",
        ),
        (
            *("prompts_restored", {"model_name": "a", "transfer": TRANSFER}),
            "'a' restored 2,006 tokens in 0.02 s",
        ),
        ("queued", {"model_name": "a"}, "A request is queued for 'a'"),
        ("swap", {"swap": {}}, None),
        ("snapshot", EMPTY, None),
    ],
)
def test_each_event_is_a_line(name: str, data: dict[str, Any], line: str | None) -> None:
    """Except those that another line covers."""
    assert running.event_line(name, data) == line


def test_every_eviction_reason_has_a_text() -> None:
    """Those of the scheduler."""
    assert set(running._STOP_REASONS) == {reason_code(reason) for reason in StopReason}


def a_node(name: str, *residents: dict[str, Any], is_own: bool = False, **fields: Any) -> dict[str, Any]:
    """Return a node of ``GET /gglib/nodes``."""
    return {
        "name": name,
        "is_own": is_own,
        "state": "ready",
        "failure": None,
        "waiting": 0,
        "residents": list(residents),
        **fields,
    }


def test_models_of_nodes_have_a_column() -> None:
    """This machine's are those of the status, which is newer than what its node says."""
    nodes = [a_node("this", resident("old"), is_own=True), a_node("box", resident("far")), a_node("idle")]
    columns, rows = running.resident_table(EMPTY | {"residents": [resident("near")], "nodes": nodes})
    assert columns[:2] == ["MODEL", "NODE"]
    assert [row[:2] for row in rows] == [["near", "this"], ["far", "box"]]


def test_nodes_have_lines_for_their_queues_and_failures() -> None:
    """Only those with something to say."""
    nodes = [a_node("this", is_own=True), a_node("box", waiting=2), a_node("far", failure="It is down.")]
    assert list(running.status_lines(EMPTY | {"nodes": nodes})) == [
        "Waiting at box: 2 requests",
        "It is down.",
    ]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"effective_ctx": 4096}, "Loaded 'm' with a context of 4096 tokens."),
        ({"effective_ctx": 4096, "node": "box"}, "Loaded 'm' on box with a context of 4096 tokens."),
        ({"effective_ctx": None, "node": "box"}, "Loaded 'm' on box."),
    ],
)
def test_a_load_is_a_sentence(fields: dict[str, Any], sentence: str) -> None:
    """The node may not have reported the context yet."""
    assert running.loaded_text({"model_name": "m", **fields}) == sentence


@pytest.mark.parametrize(
    ("stopped", "sentence"),
    [
        ({"stopped": ["a", "b"]}, "Unloaded a, b."),
        ({"stopped": ["a"], "node": "box"}, "Unloaded a on box."),
        ({"stopped": [], "node": None}, "'m' was not loaded."),
        ({"stopped": [], "node": "box"}, "'m' was not loaded on box."),
    ],
)
def test_an_unload_is_a_sentence(stopped: dict[str, Any], sentence: str) -> None:
    """Of an alias list, all its models."""
    assert running.unloaded_text(stopped, "m") == sentence
