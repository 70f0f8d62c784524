"""The rows of the panels: which there are, their order, and their cells as text. Pure."""

from collections.abc import Callable, Sequence
from typing import Any

from gglib.cli.top.cells import Column, Row, bar
from gglib.cli.top.data import EndedSwap, FailedRequest, TopData
from gglib.cli.top.rates import Rates
from gglib.cli.top.ui import Panel, Ui
from gglib.cli.views import render
from gglib.cli.views.measures import NO_VALUE, short_rate, short_time
from gglib.cli.views.nodes import STATE_STYLES as NODE_STATE_STYLES
from gglib.cli.views.requests import model_cell
from gglib.cli.views.running import memory_text
from gglib.core.history.requests import RunningRequest
from gglib.core.plain_text import escape_line
from gglib.core.runtime.expectation import expectation
from gglib.core.runtime.kept_prompts import transfer_texts
from gglib.core.runtime.status import ResidentStatus, WaitingStatus
from gglib.proxy.routes.responses import Node, Status

BAR_WIDTH = 22
ENGINE_ERROR = "error of the engine"
"""Relayed unchanged, without a code."""

MODEL_COLUMNS = (
    Column(title="MODELS", width=0),
    Column(title="STATE", width=8),
    Column(title="CTX", width=8, is_right=True, drop=2),
    Column(title="IN FLIGHT", width=9, is_right=True, drop=6),
    Column(title="TOK/S", width=7, is_right=True),
    Column(title="REQ/S", width=6, is_right=True, drop=4),
    Column(title="MEMORY", width=8, most=24, drop=5),
    Column(title="IDLE", width=6, is_right=True, drop=3),
    Column(title="UNLOADS IN", width=10, is_right=True, drop=1),
    Column(title="PIN", width=3, drop=7),
)
QUEUE_COLUMNS = (
    Column(title="QUEUE", width=0),
    Column(title="WAITING", width=8, is_right=True),
    Column(title="LONGEST", width=8, is_right=True, drop=2),
    Column(title="RUNS IN", width=9, is_right=True),
    Column(title="WAITS FOR", width=15, most=60, drop=1),
)
REQUEST_COLUMNS = (
    Column(title="REQUESTS", width=0),
    Column(title="STATE", width=8),
    Column(title="AGE", width=8, is_right=True),
    Column(title="TOKENS", width=9, is_right=True, drop=6),
    Column(title="TOK/S", width=7, is_right=True, drop=5),
    Column(title="CLIENT", width=12, most=20, drop=4),
    Column(title="KEY", width=9, most=16, drop=3),
    Column(title="ROUTE", width=20, drop=2),
    Column(title="REQUEST ID", width=24, most=36, drop=1),
)
SWAP_COLUMNS = (
    Column(title="SWAPS", width=10),
    Column(title="TOOK", width=8, is_right=True),
    Column(title="AGO", width=9, is_right=True),
    Column(title="WHY", width=15, most=100, drop=1),
)
FAILED_COLUMNS = (
    Column(title="FAILED", width=10),
    Column(title="STATUS", width=8, is_right=True),
    Column(title="AGO", width=9, is_right=True),
    Column(title="MODEL", width=14, most=24, drop=5),
    Column(title="CLIENT", width=12, most=16, drop=4),
    Column(title="KEY", width=9, most=16, drop=3),
    Column(title="ROUTE", width=20, drop=2),
    Column(title="MESSAGE", width=15, most=80, drop=1),
)

NODE_COLUMNS = (
    Column(title="NODES", width=0),
    Column(title="STATE", width=8),
    Column(title="IN FLIGHT", width=9, is_right=True, drop=3),
    Column(title="WAITING", width=8, is_right=True, drop=4),
    Column(title="FREE", width=8, most=24, drop=2),
    Column(title="IN MEMORY", width=15, most=60, drop=5),
    Column(title="WHY", width=15, most=80, drop=1),
)

MODEL_ORDERS = ("name", "tokens/s", "memory", "in flight")
REQUEST_ORDERS = ("oldest first", "newest first", "model", "tokens", "client")


def model_rows(data: TopData, ui: Ui, now_s: float) -> list[Row]:
    """Return the rows of the models in memory."""
    since_s = now_s - data.status_s
    shown = [r for r in data.residents if _fits(ui, r.model_name, r.state)]
    return [
        _model_row(resident, data.rates, since_s) for resident in sorted(shown, key=_model_order(data, ui))
    ]


def queue_rows(data: TopData, ui: Ui, now_s: float) -> list[Row]:
    """Return the rows of the waiting requests, by model, the longest wait first."""
    status, since_s = data.status, now_s - data.status_s
    if status is None:
        return []
    shown = sorted((w for w in status.waiting if _fits(ui, w.model_name)), key=lambda w: -w.longest_wait_s)
    return [_queue_row(status, waiting, since_s) for waiting in shown]


def request_rows(data: TopData, ui: Ui, now_s: float) -> list[Row]:
    """Return the rows of the requests in progress."""
    since_s = now_s - data.running_s
    shown = [
        r
        for r in data.running
        if _fits(ui, r.model, r.state, r.client, r.key, r.route, r.request_id, r.address, r.requested_model)
    ]
    key, is_reversed = _REQUEST_ORDERS[ui.orders[Panel.REQUESTS] % len(_REQUEST_ORDERS)]
    return [
        _request_row(request, data.rates, since_s) for request in sorted(shown, key=key, reverse=is_reversed)
    ]


def swap_rows(data: TopData, ui: Ui, now_s: float) -> list[Row]:
    """Return the rows of the last swaps, the newest first."""
    shown = (s for s in data.swaps if _fits(ui, s.swap.from_model, s.swap.to_model, s.swap.why, s.swap.error))
    return [_swap_row(swap, now_s) for swap in shown]


def failed_rows(data: TopData, ui: Ui, now_s: float) -> list[Row]:
    """Return the rows of models that failed to load, and of failed requests, the newest first."""
    loads = data.status.failed if data.status is not None else ()
    rows = [
        _row(
            f.model_name,
            "load failed",
            NO_VALUE,
            NO_VALUE,
            f.model_name,
            NO_VALUE,
            NO_VALUE,
            NO_VALUE,
            f.reason,
            style="red",
        )
        for f in loads
        if _fits(ui, f.model_name, f.reason, "load failed")
    ]
    shown = (f for f in data.failed if _fits(ui, *_failed_texts(f)))
    return rows + [_failed_row(failed, now_s) for failed in shown]


def node_rows(data: TopData, ui: Ui, now_s: float) -> list[Row]:
    """Return the rows of the nodes, this machine first."""
    del now_s
    return [
        _node_row(node)
        for node in data.nodes
        if _fits(ui, node.name, node.state, node.failure, *(r.model_name for r in node.residents))
    ]


def row_ids(data: TopData, ui: Ui, panel: Panel) -> list[str]:
    """Return the ids of the rows of a panel, in their order: names of models, ids of requests."""
    make = model_rows if panel is Panel.MODELS else request_rows
    return [row.id for row in make(data, ui, data.status_s)]


def _model_row(resident: ResidentStatus, rates: Rates, since_s: float) -> Row:
    name = resident.model_name
    slots = "" if resident.slots is None else f"/{resident.slots}"
    is_loading = resident.state == "loading"
    idle_s = None if resident.idle_s is None else resident.idle_s + since_s
    ttl_s = resident.idle_ttl_s
    left_s = None if idle_s is None or ttl_s is None or resident.is_pinned else max(0.0, ttl_s - idle_s)
    return _row(
        name,
        name,
        resident.state,
        str(resident.effective_ctx),
        f"{resident.in_flight}{slots}",
        short_rate(rates.tokens_by_model.get(name)),
        short_rate(rates.requests_by_model.get(name)),
        memory_text(resident.size, is_measured=resident.is_measured),
        "" if idle_s is None else _whole_time(idle_s),
        "" if left_s is None else _whole_time(left_s),
        "pin" if resident.is_pinned else "",
        style=render.STATE_STYLES.get(resident.state, ""),
        is_state=True,
        tail=_loading_text(resident, since_s) if is_loading else "",
    )


def _loading_text(resident: ResidentStatus, since_s: float) -> str:
    """Return the progress of a load: elapsed and expected time, and a bar."""
    if resident.loading_for_s is None:
        return ""
    so_far_s, whole_s = resident.loading_for_s + since_s, resident.expected_load_s
    if not whole_s:
        return short_time(so_far_s)
    return f"{bar(so_far_s / whole_s, BAR_WIDTH)} {short_time(so_far_s)} of about {short_time(whole_s)}"


def _queue_row(status: Status, waiting: WaitingStatus, since_s: float) -> Row:
    expected = expectation(status, waiting.model_name, since_s)
    runs_in = NO_VALUE if expected.seconds is None else short_time(expected.seconds)
    if expected.seconds is not None and expected.is_minimum:
        runs_in = f">{runs_in}"
    return _row(
        waiting.model_name,
        waiting.model_name,
        str(waiting.waiting),
        short_time(waiting.longest_wait_s + since_s),
        runs_in,
        expected.cause,
    )


def _request_row(request: RunningRequest, rates: Rates, since_s: float) -> Row:
    return _row(
        request.request_id,
        model_cell(request),
        request.state,
        short_time(request.age_s + since_s),
        str(request.chunks) if request.chunks else "",
        short_rate(rates.tokens_by_request.get(request.request_id)),
        request.client or request.address or NO_VALUE,
        request.key or NO_VALUE,
        request.route,
        request.request_id,
        style="yellow" if request.state == "waiting" else "",
        is_state=True,
    )


def _swap_row(ended: EndedSwap, now_s: float) -> Row:
    swap = ended.swap
    moves = f"-> {swap.to_model or 'unloaded'}"
    if swap.from_model is not None:
        moves = f"{swap.from_model} {moves}"
    reason = swap.why if swap.error is None else f"{swap.error} ({swap.why})"
    why = "; ".join((reason, *transfer_texts(swap.saved, swap.restored)))
    took = short_time(swap.total_s) if swap.total_s else NO_VALUE
    style = "" if swap.error is None else "red"
    return _row(moves, moves, took, short_time(now_s - ended.ended_s), why, style=style)


def _failed_texts(failed: FailedRequest) -> tuple[str | None, ...]:
    request = failed.request
    return (
        *(request.error or ENGINE_ERROR, request.model, request.requested_model, request.key, request.client),
        *(request.address, request.route, request.request_id, request.error_message),
        None if request.status is None else str(request.status),
    )


def _failed_row(failed: FailedRequest, now_s: float) -> Row:
    request = failed.request
    return _row(
        request.request_id,
        request.error or ENGINE_ERROR,
        NO_VALUE if request.status is None else str(request.status),
        short_time(now_s - failed.ended_s),
        request.model or request.requested_model or NO_VALUE,
        request.client or request.address or NO_VALUE,
        request.key or NO_VALUE,
        request.route,
        request.error_message or NO_VALUE,
    )


def _node_row(node: Node) -> Row:
    answers = node.state in {"ready", "draining"}
    free = {
        device: memory.available_bytes
        for device, memory in node.devices.items()
        if memory.available_bytes is not None
    }
    residents = (
        resident.model_name if resident.state == "ready" else f"{resident.model_name} ({resident.state})"
        for resident in node.residents
    )
    return _row(
        node.name,
        node.name,
        node.state,
        str(node.in_flight) if answers else NO_VALUE,
        str(node.waiting) if answers else NO_VALUE,
        memory_text(free, is_measured=True),
        ", ".join(residents) or NO_VALUE,
        node.failure or "",
        style=NODE_STATE_STYLES[node.state],
        is_state=True,
    )


def _whole_time(seconds: float) -> str:
    """Return a duration without tenths of a second."""
    return f"{seconds:.0f} s" if seconds < 99.95 else short_time(seconds)


def _row(id_: str, *cells: str, style: str = "", is_state: bool = False, tail: str = "") -> Row:
    shown = tuple(map(escape_line, cells))
    return Row(id=id_, cells=shown, style=style, is_state=is_state, tail=escape_line(tail))


def _fits(ui: Ui, *texts: str | None) -> bool:
    """Whether one of the texts contains the filter."""
    wanted = ui.filter_text.casefold()
    return not wanted or any(wanted in text.casefold() for text in texts if text)


def _model_order(data: TopData, ui: Ui) -> Callable[[ResidentStatus], Any]:
    """Return the key of the order of the models; the name decides between equal ones."""
    tokens = data.rates.tokens_by_model
    keys: Sequence[Callable[[ResidentStatus], Any]] = (
        lambda resident: (0, resident.model_name),
        lambda resident: (-tokens.get(resident.model_name, 0.0), resident.model_name),
        lambda resident: (-sum(resident.size.values()), resident.model_name),
        lambda resident: (-resident.in_flight, resident.model_name),
    )
    return keys[ui.orders[Panel.MODELS] % len(keys)]


_REQUEST_ORDERS: Sequence[tuple[Callable[[RunningRequest], Any], bool]] = (
    (lambda request: (request.age_s, request.request_id), True),
    (lambda request: (request.age_s, request.request_id), False),
    (lambda request: (request.model or "", -request.age_s, request.request_id), False),
    (lambda request: (request.chunks, request.age_s, request.request_id), True),
    (lambda request: (request.client or "", -request.age_s, request.request_id), False),
)
