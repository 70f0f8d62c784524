"""The output of ``gglib ps``: a table of the models in memory, and sentences for the rest. Pure.

A status is the response of ``GET /gglib/status``; ``docs/api.md`` has its fields. That of a server with nodes has
``nodes``, too, as in ``GET /gglib/nodes``. The server may be older than this command and lack newer fields.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gglib.cli.views import nodes as node_views
from gglib.cli.views import render
from gglib.core.memory import RAM, DeviceBytes
from gglib.core.runtime.kept_prompts import transfer_text

Status = Mapping[str, Any]

MODEL = "MODEL"
NODE = "NODE"
STATE = "STATE"
MEMORY = "MEMORY"
ESTIMATE = "ESTIMATE"
THREADS = "THREADS"
TTL = "TTL"
LOAD = "LOAD"
PID = "PID"
CONTEXT = "CONTEXT"
IN_FLIGHT = "IN FLIGHT"
UPTIME = "UPTIME"
DROPPABLE_COLUMNS = (ESTIMATE, LOAD, PID, THREADS, UPTIME, CONTEXT, TTL, IN_FLIGHT, MEMORY, NODE, STATE)
"""Omitted in this order where the names leave no room for them."""
_OPTIONAL_COLUMNS = (NODE, MEMORY, ESTIMATE, THREADS, TTL)
"""Omitted if no model has a value."""
_NO_VALUE = "-"
_FAILED = "Failed to load"
NO_MODELS = "No model is loaded; the next request loads one."
EMPTY_STATUS: Status = {
    "residents": [],
    "waiting": [],
    "failed": [],
    "last_swap": None,
    "swaps": [],
    "loads": [],
    "limits": {},
    "used": {},
    "devices": {},
    "hint": None,
    "kept": None,
    "remotes": [],
    "nodes": [],
}


def resident_table(status: Status) -> tuple[list[str], list[list[str]]]:
    """Return the columns and rows of the models in memory, those of nodes last.

    Optional columns without a value are omitted.
    """
    columns = [MODEL, NODE, STATE, CONTEXT, IN_FLIGHT, UPTIME, LOAD, MEMORY, ESTIMATE, THREADS, TTL, PID]
    rows = [_resident_row(resident, node) for resident, node in _residents(status)]
    kept = [
        index
        for index, column in enumerate(columns)
        if column not in _OPTIONAL_COLUMNS or any(row[index] != _NO_VALUE for row in rows)
    ]
    return [columns[index] for index in kept], [[row[index] for index in kept] for row in rows]


def _residents(status: Status) -> Iterator[tuple[Status, str]]:
    """Return the models in memory with the names of their nodes; without nodes, no names."""
    nodes = status.get("nodes") or ()
    own = next((str(node["name"]) for node in nodes if node["is_own"]), _NO_VALUE)
    yield from ((resident, own) for resident in status["residents"])
    for node in nodes:
        if not node["is_own"]:
            yield from ((resident, str(node["name"])) for resident in node["residents"])


def _resident_row(resident: Status, node: str) -> list[str]:
    idle_ttl_s = resident.get("idle_ttl_s")
    return [
        str(resident["model_name"]),
        node,
        f"{resident['state']}, pinned" if resident.get("is_pinned") else str(resident["state"]),
        str(resident["effective_ctx"]),
        str(resident["in_flight"]),
        render.duration(resident["uptime_s"]),
        render.seconds(resident["load_time_s"]),
        _memory_cell(resident),
        _estimate_cell(resident),
        render.text(resident.get("threads")),
        _NO_VALUE if idle_ttl_s is None else render.exact_duration(idle_ttl_s),
        render.text(resident["pid"]),
    ]


def _memory_cell(resident: Status) -> str:
    return memory_text(resident.get("size") or {}, is_measured=bool(resident.get("is_measured")))


def _estimate_cell(resident: Status) -> str:
    """Return what was estimated, beside what was measured; an expected size is made from the estimate."""
    is_measured = bool(resident.get("is_measured"))
    return memory_text(resident.get("estimated_size") or {}, is_measured=True) if is_measured else _NO_VALUE


def memory_text(size: DeviceBytes, *, is_measured: bool) -> str:
    """Return the size of a model by device; ``~`` marks an expected size, which is not measured."""
    if not size:
        return _NO_VALUE
    shown = ", ".join(
        render.size(size_bytes) if device == RAM else f"{render.size(size_bytes)} {device}"
        for device, size_bytes in size.items()
    )
    return shown if is_measured else f"~{shown}"


def status_lines(status: Status) -> Iterator[str]:
    """Return the used memory, the loads, the queue, the last swap, the kept prompts, the failures and the hints.

    An indented line continues the line above.
    """
    if status.get("limits"):
        yield _memory_line(status["limits"], status["used"])
    if (line := _devices_line(status.get("devices") or {})) is not None:
        yield line
    for resident in status["residents"]:
        if resident["state"] == "loading":
            yield loading_line(resident)
    for waiting in status["waiting"]:
        yield _waiting_line(waiting)
    swap = status.get("last_swap")
    if swap is not None:
        yield from _last_swap_lines(swap)
        if swap["error"] is not None and not _is_reported(swap, status["failed"]):
            yield f"  error: {swap['error']}"
    yield from _kept_lines(status)
    nodes = status.get("nodes") or ()
    yield from node_views.queue_lines(nodes)
    yield from node_views.problem_lines(nodes)
    for failed in status["failed"]:
        yield f"{_FAILED} '{failed['model_name']}': {failed['reason']}"
    yield from map(_remote_line, status.get("remotes") or ())
    hints = (status.get("hint"), *(resident.get("keep_hint") for resident in status["residents"]))
    yield from (f"Hint: {hint}" for hint in hints if hint)


def _kept_lines(status: Status) -> Iterator[str]:
    """Return the files on the disk, the restored prompts, and why those of a model are not kept.

    The line of the last swap has what its model restored.
    """
    swap = status.get("last_swap") or {"to_model": None}
    kept = status.get("kept")
    if kept is not None and kept["files"]:
        files = f"{kept['files']} file{'s' if kept['files'] > 1 else ''}"
        yield f"Kept prompts: {files}, {render.size(kept['files_bytes'])} of {render.size(kept['limit_bytes'])}"
    for resident in status["residents"]:
        name = resident["model_name"]
        if (restored := resident.get("restored")) is not None and swap["to_model"] != name:
            yield f"'{name}' {_transfer_text('restored', restored)}"
        if (reason := resident.get("kept_off_reason")) is not None:
            yield f"Prompts of '{name}' are not kept: {reason}"


def _transfer_text(verb: str, transfer: Status) -> str:
    return transfer_text(verb, transfer["tokens"], transfer["seconds"])


def _remote_line(remote: Status) -> str:
    """Return the state of a server elsewhere and of the requests there."""
    line = f"'{remote['model_name']}' runs at {remote['host']}: {remote['in_flight']} in flight"
    if remote["is_reachable"] is not False:
        return line
    return f"{line}, failed {render.ago(remote['failed_ago_s'])}: {remote['last_failure']}"


def line_style(line: str) -> str:
    """Return the style of a line of ``status_lines``."""
    return "red" if line.startswith(_FAILED) else ""


def _memory_line(limits: Mapping[str, int], used: Mapping[str, int]) -> str:
    """Return the used memory and the budget of each device."""
    parts = (
        f"{'' if device == RAM else f'{device} '}{render.size(used.get(device, 0))} of {render.size(limit)}"
        for device, limit in limits.items()
    )
    return f"Memory: {', '.join(parts)}"


def _devices_line(devices: Mapping[str, Mapping[str, int | None]]) -> str | None:
    """Return how much of each device any program uses; None without GPUs, of which nothing else shows that."""
    shown = []
    for device, memory in devices.items():
        total, available = memory["total_bytes"], memory["available_bytes"]
        if total is not None and available is not None:
            used = f"{render.size(total - available)} of {render.size(total)}"
            shown.append((device, used))
    if all(device == RAM for device, _ in shown):
        return None
    parts = (used if device == RAM else f"{device} {used}" for device, used in shown)
    return f"In use by all programs: {', '.join(parts)}"


def loading_line(resident: Status) -> str:
    """Return the elapsed and expected time of a load."""
    so_far_s, whole_s = resident.get("loading_for_s"), resident.get("expected_load_s")
    what = f"Loading '{resident['model_name']}'"
    if so_far_s is None:
        return f"{what} ..."
    if whole_s is None:
        return f"{what}: {render.seconds(so_far_s)}"
    about_s = max(1, round(whole_s))
    link = " of about" if so_far_s <= about_s else ", expected about"
    return f"{what}: {render.seconds(so_far_s)}{link} {render.exact_duration(about_s)}"


def _waiting_line(waiting: Status) -> str:
    number, longest = waiting["waiting"], render.seconds(waiting["longest_wait_s"])
    how_many = "1 request, for" if number == 1 else f"{number} requests, the longest for"
    return f"Waiting for '{waiting['model_name']}': {how_many} {longest}"


def _last_swap_lines(swap: Status) -> Iterator[str]:
    moves = []
    if swap["from_model"] is not None:
        moves.append(f"'{swap['from_model']}' unloaded")
    if swap["to_model"] is not None:
        moves.append(f"'{swap['to_model']}' {'loaded' if swap['error'] is None else 'failed to load'}")
    when = "just now" if swap["ago_s"] < 1 else f"{render.duration(swap['ago_s'])} ago"
    yield f"Last swap, {when}: {', '.join(moves)}; {swap['why']}"
    if swap["total_s"]:  # 0 for a model that died
        yield f"  {_phase_times(swap)}"
    texts = [_transfer_text(verb, swap[verb]) for verb in ("saved", "restored") if swap.get(verb) is not None]
    if texts:
        yield f"  {', '.join(texts)}"
    if swap["request_id"] is not None:
        yield f"  requested by {swap['request_id']}"


def _is_reported(swap: Status, failed: Sequence[Status]) -> bool:
    """Whether the failure of the swap is among ``failed``, which is shown separately."""
    return any(
        known["model_name"] == swap["to_model"] and known["reason"] == swap["error"] for known in failed
    )


def _phase_times(swap: Status) -> str:
    """Return the durations of the swap's phases, in order, without phases that did not happen."""
    leaving = () if swap["from_model"] is None else ("drain", "stop")
    keys = leaving if swap["to_model"] is None else ("waited", *leaving, "load")
    return ", ".join(f"{key} {render.seconds(swap[f'{key}_s'])}" for key in (*keys, "total"))


def advanced_by(status: Status, seconds: float) -> Status:
    """Return the status with its times advanced by ``seconds``."""

    def later(values: Status, *names: str) -> dict[str, Any]:
        return {
            **values,
            **{name: values[name] + seconds for name in names if values.get(name) is not None},
        }

    swap = status.get("last_swap")
    return {
        **status,
        "residents": [later(resident, "uptime_s", "loading_for_s") for resident in status["residents"]],
        "waiting": [later(waiting, "longest_wait_s") for waiting in status["waiting"]],
        "last_swap": None if swap is None else later(swap, "ago_s"),
    }


_STOP_REASONS = {
    "idle": "idle, and a request needs another model",
    "overdue": "requests for another model reached the swap timeout",
    "unwanted": "no request waits for it",
    "too_small": "a request needs a larger context",
    "expired": "its idle timeout expired",
    "silent": "its engine stopped responding",
    "asked": "requested by the user",
    "shutdown": "gglib is stopping",
    "removed": "it was removed from the catalogue",
    "changed": "its file changed",
    "updated": "a newer version was pulled, or its options were changed",
    "priority": "an interactive request needs another model",
    "out_of_memory": "idle, and the load of another model ran out of memory",
    "excess": "idle, and the models exceed max_models or the memory budget",
}
"""Why a model is unloaded, by the reasons of ``swaps`` in the status."""


def snapshot_line(status: Status) -> str:
    """Return the state at the beginning of a watch."""
    states = [f"'{resident['model_name']}' is {resident['state']}" for resident in status["residents"]]
    states += [_waiting_line(waiting) for waiting in status["waiting"]]
    return "; ".join(states) or NO_MODELS


def event_line(name: str, data: Status) -> str | None:
    """Return an event as a line; None if other lines cover it."""
    model = f"'{data.get('model_name')}'"
    match name:
        case "loading":
            line = f"Loading {model}, about {render.exact_duration(max(1, round(data['expected_s'])))}"
        case "ready":
            line = f"{model} is ready after {render.seconds(data['load_s'])}"
        case "load_failed":
            line = f"{model} failed to load: {data['reason']}"
        case "stopping":
            line = f"Unloading {model}: {_STOP_REASONS.get(data['reason'], data['reason'])}"
        case "gone":
            line = f"{model} is unloaded" + (f": {data['died']}" if data["died"] else "")
        case "prompts_saved":
            line = f"{model} {_transfer_text('saved', data['transfer'])}"
        case "prompts_restored":
            line = f"{model} {_transfer_text('restored', data['transfer'])}"
        case "queued":
            line = f"A request is queued for {model}"
        case _:
            return None
    return line


def loaded_text(loaded: Status) -> str:
    """Return what was loaded, as a sentence."""
    where = f" on {loaded['node']}" if loaded.get("node") else ""
    context = loaded["effective_ctx"]
    with_context = "" if context is None else f" with a context of {context} tokens"
    return f"Loaded '{loaded['model_name']}'{where}{with_context}."


def unloaded_text(stopped: Status, model: str) -> str:
    """Return what was unloaded, as a sentence; ``model`` is the name that was asked for."""
    where = f" on {stopped['node']}" if stopped.get("node") else ""
    names = stopped["stopped"]
    return f"Unloaded {', '.join(names)}{where}." if names else f"'{model}' was not loaded{where}."
