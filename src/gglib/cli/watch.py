"""Follows what happens to the models in memory: ``gglib ps --watch``."""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gglib.cli.client import followed
from gglib.cli.instance import status_of
from gglib.cli.views import render, running
from gglib.core.addresses import Endpoint
from gglib.core.plain_text import escape_line, json_text
from gglib.http.sse import read_events

if TYPE_CHECKING:
    from rich.console import Group

EVENTS_PATH = "/gglib/events"
SNAPSHOT = "snapshot"
REFRESHES_PER_S = 2


def watch(server: Endpoint, heading: str, *, as_json: bool) -> None:
    """Show what is in memory until Ctrl-C or the end of the server: live on a terminal, else a line for each event.

    Raises ``GglibError``.
    """
    if as_json or not sys.stdout.isatty():
        for name, data in events_of(server):
            line = json_text({"event": name, **data}) if as_json else running.event_line(name, data)
            if line is not None:
                render.say(line)
            sys.stdout.flush()
        return
    _watch_live(server, heading)


def events_of(server: Endpoint) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the data of each event. Raises ``GglibError``."""
    with followed(server, EVENTS_PATH) as lines:
        for event in read_events(lines):
            yield event.name, json.loads(event.data)


def _watch_live(server: Endpoint, heading: str) -> None:
    from rich.console import Console
    from rich.live import Live

    seen: tuple[Mapping[str, Any], float] | None = None

    def drawn() -> "Group":
        status, at_s = seen or (running.NOTHING, time.monotonic())
        return _screen(heading, running.aged(status, time.monotonic() - at_s))

    with Live(console=Console(highlight=False), get_renderable=drawn, refresh_per_second=REFRESHES_PER_S):
        for name, data in events_of(server):
            seen = data if name == SNAPSHOT else status_of(server), time.monotonic()


def _screen(heading: str, status: Mapping[str, Any]) -> "Group":
    from rich.console import Group
    from rich.text import Text

    columns, rows = running.resident_table(status)
    cells = [[escape_line(cell) for cell in row] for row in rows]
    table = render.table(columns, cells, folded=(running.MODEL,)) if rows else Text(running.EMPTY)
    return Group(Text(heading), table, *(Text(escape_line(line)) for line in running.sentences(status)))
