"""The output of ``gglib requests``: a table of finished and running requests, or all fields of one. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from gglib.cli.history.results import ShownBodies
from gglib.cli.views import measures
from gglib.cli.views.growing_table import GrowingTable
from gglib.cli.views.measures import NO_VALUE
from gglib.core.history.requests import RequestFilter, RunningRequest, StoredRequest

STATUS, ERROR, SWAP = "STATUS", "ERROR", "SWAP"
DROPPABLE = (
    *("NODE", SWAP, "CACHED", "ROUTE", "TOK/S", "FIRST", "IN", "OUT", "WAITED", "KEY", "CLIENT"),
    *("COUNT", ERROR, "ID", "TOTAL", STATUS),
)
"""Omitted in this order where the names leave no room for them: who sent it and how long it took stay longest."""
OPTIONAL = ("KEY", "CLIENT", "CACHED", "COUNT", "NODE", SWAP, ERROR)
"""Omitted in a list without a value for them."""
_STATE_STYLES = {"waiting": "yellow", "running": "cyan"}

SHOWN_WAIT_S = 0.1
"""A shorter time before a refusal is not said to be a wait."""

Row = dict[str, str]
"""Cells by column."""


def finished_row(request: StoredRequest, now: datetime) -> Row:
    """Return the cells of a finished request. One without a number has the end of its request id."""
    return {
        "ID": measures.short_ids([request.request_id])[0] if request.id is None else str(request.id),
        "TIME": measures.moment(request.ended_at_s, now),
        "MODEL": model_cell(request),
        "KEY": request.key or NO_VALUE,
        "CLIENT": request.client or NO_VALUE,
        "ROUTE": request.route or NO_VALUE,
        STATUS: NO_VALUE if request.status is None else str(request.status),
        "WAITED": measures.interval(wait_of(request)),
        "FIRST": measures.interval(None if was_never_served(request) else request.first_byte_s),
        "TOTAL": measures.interval(request.duration_s),
        "IN": measures.number(request.prompt_tokens),
        "CACHED": measures.number(request.cached_tokens),
        "OUT": measures.number(request.completion_tokens),
        "TOK/S": measures.rate(request.tokens_per_s),
        "COUNT": f"x {request.count:,}" if request.count > 1 else NO_VALUE,
        "NODE": request.node or NO_VALUE,
        SWAP: request.swap or NO_VALUE,
        ERROR: request.error or NO_VALUE,
    }


def running_row(request: RunningRequest, short_id: str, now: datetime) -> Row:
    """Return the cells of a request in progress: its arrival, its state, and its age so far."""
    return {
        **dict.fromkeys(COLUMNS, NO_VALUE),
        "ID": short_id,
        "TIME": measures.moment(now.timestamp() - request.age_s, now),
        "MODEL": model_cell(request),
        "KEY": request.key or NO_VALUE,
        "CLIENT": request.client or NO_VALUE,
        "ROUTE": request.route or NO_VALUE,
        STATUS: request.state,
        "WAITED": measures.interval(request.age_s if request.state == "waiting" else request.waited_s),
        "TOTAL": measures.interval(request.age_s),
        "OUT": measures.number(request.chunks or None),
    }


COLUMNS = (
    *("ID", "TIME", "MODEL", "KEY", "CLIENT", "ROUTE", STATUS, "WAITED", "FIRST", "TOTAL"),
    *("IN", "CACHED", "OUT", "TOK/S", "COUNT", "NODE", SWAP, ERROR),
)
"""In the order of the table."""


def was_never_served(request: StoredRequest) -> bool:
    """Whether the request ended while it waited for its model: its client left, or it was refused or cancelled."""
    return request.model is not None and request.waited_s is None and bool(request.error)


def wait_of(request: StoredRequest) -> float | None:
    """Return how long the request waited for its model, in seconds; None if it needed none."""
    return request.duration_s if was_never_served(request) else request.waited_s


def model_cell(request: StoredRequest | RunningRequest) -> str:
    """Return the model with its profile; the requested name if it was not resolved."""
    model = request.model or request.requested_model or NO_VALUE
    return f"{model}:{request.profile}" if request.profile else model


def request_rows(
    finished: Sequence[StoredRequest], running: Sequence[RunningRequest], now: datetime
) -> list[Row]:
    """Return the rows of a list: finished requests in their order, then those in progress."""
    short_ids = measures.short_ids([request.request_id for request in running])
    return [
        *(finished_row(request, now) for request in finished),
        *(running_row(request, short_id, now) for request, short_id in zip(running, short_ids, strict=True)),
    ]


def request_table(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Return the columns and rows of a table. Optional columns without a value are omitted."""
    columns = [
        column for column in COLUMNS if column not in OPTIONAL or any(row[column] != NO_VALUE for row in rows)
    ]
    return columns, [[row[column] for column in columns] for row in rows]


def droppable(wanted: RequestFilter) -> tuple[str, ...]:
    """Return the columns that may be omitted, the first ones first; what was searched for stays longer."""
    if not wanted.caused_swap:
        return DROPPABLE
    others = [column for column in DROPPABLE if column != SWAP]
    return (*others[: others.index("COUNT")], SWAP, *others[others.index("COUNT") :])


def status_styles(rows: Sequence[Row]) -> dict[str, dict[str, str]]:
    """Return the styles of the cells of a table."""
    cells = {row[STATUS] for row in rows}
    styles = {cell: _STATE_STYLES.get(cell) or _style_of_cell(cell) for cell in cells}
    return {STATUS: styles, ERROR: {row[ERROR]: "red" for row in rows if row[ERROR] != NO_VALUE}}


def _style_of_cell(cell: str) -> str:
    return measures.status_style(int(cell) if cell.isdigit() else None, None)


def request_fields(request: StoredRequest, now: datetime) -> dict[str, str | None]:
    """Return all that is known of a finished request, by label; what has no value is None."""
    error = ": ".join(filter(None, (request.error, request.error_message))) or None
    many = f"{request.count:,} requests share this row: times and speed are means, tokens are sums"
    return {
        "Request": NO_VALUE if request.id is None else str(request.id),
        "Id": request.request_id,
        "Ended": measures.date_and_time(request.ended_at_s, now),
        "Count": many if request.count > 1 else None,
        **_origin_fields(request),
        "Status": "no response" if request.status is None else str(request.status),
        "Error": error,
        **_time_fields(request),
        "Tokens": _token_text(request),
        "Speed": None if request.tokens_per_s is None else f"{measures.rate(request.tokens_per_s)} tokens/s",
        "Swap": request.swap,
        "Node": request.node,
    }


def running_fields(request: RunningRequest, now: datetime) -> dict[str, str | None]:
    """Return all that is known of a request in progress, by label; what has no value is None."""
    return {
        "Id": request.request_id,
        "Arrived": measures.date_and_time(now.timestamp() - request.age_s, now),
        **_origin_fields(request),
        "State": request.state,
        "Age": measures.interval(request.age_s),
        "Waited": None if request.waited_s is None else measures.interval(request.waited_s),
        "Chunks": measures.number(request.chunks) if request.chunks else None,
    }


def _origin_fields(request: StoredRequest | RunningRequest) -> dict[str, str | None]:
    model = model_cell(request)
    requested = request.requested_model
    is_other = requested and request.model and requested not in {request.model, model}
    return {
        "Model": f"{model}, requested as {requested}" if is_other else model,
        "Key": request.key,
        "Client": ", ".join(filter(None, (request.client, request.address))) or None,
        "Route": f"{request.route}, streamed" if request.is_streamed else request.route,
    }


def _time_fields(request: StoredRequest) -> dict[str, str | None]:
    """Return the parts of the duration, aligned; they add up to the total."""
    if was_never_served(request) and request.duration_s >= SHOWN_WAIT_S:
        return {"Took": f"{measures.interval(request.duration_s)}, waiting for its model until it ended"}
    parts = list(duration_parts(request))
    total = measures.interval(request.duration_s)
    if len(parts) < 2:
        return {"Took": f"{total}, {parts[0][0]}" if parts else total}
    return {
        "Took": total,
        **{f"  {name}": measures.interval(part_s) for name, part_s in parts},
    }


def duration_parts(request: StoredRequest) -> Iterator[tuple[str, float]]:
    """Yield the parts of the duration that are known, in order: the wait, the first token, the generation.

    A response that is not streamed has no first token that could be distinguished from the others.
    """
    rest_s = request.duration_s
    if request.waited_s is not None and request.waited_s >= 0.0005:
        yield "waited", request.waited_s
        rest_s -= request.waited_s
    first_s = request.first_byte_s
    if request.is_streamed and first_s is not None:
        yield "first token", max(0.0, first_s - (request.duration_s - rest_s))
        yield "generation", max(0.0, request.duration_s - first_s)
    elif rest_s < request.duration_s:
        yield "response", max(0.0, rest_s)


def _token_text(request: StoredRequest) -> str | None:
    """Return the tokens in and out, with the share that was cached; None if unknown."""
    if request.prompt_tokens is None and request.completion_tokens is None:
        return None
    cached = f" ({request.cached_tokens:,} cached)" if request.cached_tokens else ""
    return f"{measures.number(request.prompt_tokens)} in{cached}, {measures.number(request.completion_tokens)} out"


EMPTY = "No requests yet: 'gglib run MODEL PROMPT' sends one, 'gglib connect' shows how other programs do."
NOTHING_FITS = "No request fits: leave out an option, or list the newest with 'gglib requests'."
NOTHING_RUNS = "No request is in progress."
IS_OFF = "Requests are not stored: 'gglib config set history true' stores them from now on."
IS_OFF_REMOTELY = (
    "Requests are not stored: 'gglib config set history true' on the server's machine stores them."
)
HAS_MORE = "There are older ones: -n 100 lists more, -n all lists all."
NO_BODIES = (
    "The bodies of this request were not recorded: 'gglib config set record_bodies key:NAME' records those of later "
    "requests with a key, 'model:NAME' of a model, 'true' of all."
)


def list_note(  # noqa: PLR0913 - one for each fact
    *, is_empty: bool, is_filtered: bool, is_off: bool, is_remote: bool, has_more: bool, only_running: bool
) -> str | None:
    """Return what a list does not show by itself; None if there is nothing to say."""
    if only_running:
        return NOTHING_RUNS if is_empty else None
    if is_off:
        return IS_OFF_REMOTELY if is_remote else IS_OFF
    if is_empty:
        return NOTHING_FITS if is_filtered else EMPTY
    return HAS_MORE if has_more else None


def followed_table() -> GrowingTable:
    """Return the table of ``-f``, whose rows come one by one."""
    samples = {
        "ID": "00000000",
        "TIME": "00:00:00",
        "MODEL": "m" * 12,
        ERROR: "client_left",
        STATUS: "200",
        **dict.fromkeys(("WAITED", "FIRST", "TOTAL"), "999 ms"),
        **dict.fromkeys(("IN", "OUT", "TOK/S"), "1,000"),
    }
    return GrowingTable(
        COLUMNS,
        samples,
        droppable=DROPPABLE,
        optional=[column for column in OPTIONAL if column != ERROR],
    )


def body_lines(bodies: ShownBodies) -> Iterator[str]:
    """Yield the recorded bodies with headings."""
    for heading, text, is_cut in (
        ("Request body", bodies.request, bodies.is_request_cut),
        ("Response body", bodies.response, bodies.is_response_cut),
    ):
        yield ""
        yield f"{heading}{', incomplete' if is_cut else ''}:"
        yield text.rstrip("\n") or "(empty)"
