"""Follows the runtime's events: for ``gglib ps --watch`` and for the status line of a waiting request."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from gglib.cli.server.client import get_json_async, stream_events
from gglib.cli.server.instance import STATUS_PATH
from gglib.cli.server.nodes import get_nodes_async
from gglib.cli.server.response_json import SNAPSHOT, UNNAMED, parse_event, stream_error
from gglib.cli.views import render, running
from gglib.cli.views.tables import fit_columns, table_lines
from gglib.core.addresses import Endpoint
from gglib.core.errors import ShuttingDownError
from gglib.core.plain_text import escape_line, json_text
from gglib.http.sse import SseEvent
from gglib.http.tasks import run_until_first_ends

if TYPE_CHECKING:
    from rich.console import Group

EVENTS_PATH = "/gglib/events"
REQUEST_EVENTS_PATH = f"{EVENTS_PATH}?requests=true"
"""With the events of requests."""
_OPERATION = f"GET {EVENTS_PATH}"
REFRESHES_PER_S = 2
NODES_INTERVAL_S = 1.0
"""The nodes of a server have no events."""
NO_NODES_INTERVAL_S = 10.0
"""Nodes can be added while a server runs."""

Status = Mapping[str, Any]


def watch(server: Endpoint, heading: str, *, as_json: bool) -> None:
    """Show the models in memory until Ctrl-C or the server stops: live on a terminal, else one line per event.

    Raises ``GglibError``.
    """
    is_live = not as_json and sys.stdout.isatty()
    asyncio.run(_watch_live(server, heading) if is_live else _print_events(server, as_json=as_json))


@asynccontextmanager
async def stream_status(server: Endpoint) -> AsyncIterator[AsyncIterator[Status]]:
    """Yield the status (``GET /gglib/status``): the current one, then one after each event, until the server stops.

    An event does not include its effect on waiting requests, so the status is requested after each. Raises
    ``GglibError``.
    """
    async with stream_events(server, EVENTS_PATH) as events:

        async def statuses() -> AsyncIterator[Status]:
            async for event in events:
                data = parse_event(server, _OPERATION, event)
                if event.name == UNNAMED:
                    raise_unless_stopping(server, event, data)
                    return
                is_snapshot = event.name == SNAPSHOT
                yield data if is_snapshot else await get_json_async(server, STATUS_PATH, "Status")

        yield statuses()


async def _print_events(server: Endpoint, *, as_json: bool) -> None:
    is_first = True
    async with stream_events(server, EVENTS_PATH) as events:
        async for event in events:
            data = parse_event(server, _OPERATION, event)
            if as_json:
                line: str | None = json_text({"event": event.name, **data})
            elif is_first and event.name == SNAPSHOT:
                line = running.snapshot_line(data)
            else:
                line = running.event_line(event.name, data)
            is_first = False
            if line is not None:
                (render.show_verbatim if as_json else render.echo)(line)
            sys.stdout.flush()
            if event.name == UNNAMED:
                raise_unless_stopping(server, event, data)
                return


def raise_unless_stopping(server: Endpoint, event: SseEvent, data: Mapping[str, Any]) -> None:
    """Raise the error that ended a stream, except that of a server that stops."""
    error = data.get("error")
    if not isinstance(error, Mapping) or error.get("code") != ShuttingDownError.code:
        raise stream_error(server, _OPERATION, event)


async def _watch_live(server: Endpoint, heading: str) -> None:
    from rich.live import Live

    from gglib.cli.terminal.console import rich_console

    latest: tuple[Status, float] | None = None
    nodes: Sequence[Status] = ()

    def drawn() -> "Group":
        status, at_s = latest or (running.EMPTY_STATUS, time.monotonic())
        advanced = running.advanced_by(status, time.monotonic() - at_s)
        return _render(heading, {**advanced, "nodes": nodes})

    async def follow_status() -> None:
        nonlocal latest
        async with stream_status(server) as statuses:
            async for status in statuses:
                latest = status, time.monotonic()

    async def follow_nodes() -> None:
        nonlocal nodes
        while True:
            nodes = (await get_nodes_async(server))["nodes"]
            await asyncio.sleep(NODES_INTERVAL_S if nodes else NO_NODES_INTERVAL_S)

    with Live(console=rich_console(sys.stdout), get_renderable=drawn, refresh_per_second=REFRESHES_PER_S):
        for ended in await run_until_first_ends(follow_status(), follow_nodes()):
            ended.result()


def _render(heading: str, status: Status) -> "Group":
    from rich.console import Group
    from rich.text import Text

    width = render.terminal_width()
    columns, rows = running.resident_table(status)
    columns, cells = fit_columns(
        columns,
        [[escape_line(cell) for cell in row] for row in rows],
        width,
        droppable=running.DROPPABLE_COLUMNS,
    )
    styles = {running.STATE: render.STATE_STYLES}
    lines = [Text.assemble(*line) for line in table_lines(columns, cells, width, styles=styles)]
    return Group(
        Text(heading),
        *(lines if rows else [Text(running.NO_MODELS)]),
        *(Text(escape_line(line)) for line in running.status_lines(status)),
    )
