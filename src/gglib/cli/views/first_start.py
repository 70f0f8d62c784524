"""The output of ``gglib up`` around its smoke test: what runs, and what to type next. Pure.

Everything fits into a terminal of 24 lines and 80 columns, so that the address is still visible at the end.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from gglib.app.clients.client import Connection, Places
from gglib.app.clients.table import CLIENTS, find_client
from gglib.cli.clients.keys import key_hint
from gglib.cli.views.model_list import usage_hint
from gglib.core import shell_quoting
from gglib.core.models import ModelSummary

SNIPPET_CLIENT = "curl"
"""The client of the snippet: a program that almost every machine has."""


def request_lines(
    connection: Connection, model: ModelSummary, places: Places, *, key_names: Sequence[str] = ()
) -> Iterator[str]:
    """Yield a request to paste, or how to use a model that does not chat."""
    if model.capabilities.chat:
        snippet = find_client(SNIPPET_CLIENT).settings(connection, places).text
        yield "Try it in another terminal:"
        yield f"  {snippet}"
        yield f"  {shell_quoting.shell_command('run', model.name)}"
        if connection.key is not None and (hint := key_hint(connection.key, key_names, snippet)) is not None:
            yield hint
    else:
        yield usage_hint(model)


def connect_lines() -> Iterator[str]:
    """Yield the commands that connect other programs."""
    programs = [client.name for client in CLIENTS if client.program is not None]
    command = shell_quoting.shell_command
    yield f"{command('connect')}  shows the settings of {len(CLIENTS)} programs and libraries"
    yield f"{command('launch')}   starts one of: {', '.join(programs)}"


def serving_line(url: str) -> str:
    """Return the last line."""
    return f"Serving at {url}; Ctrl-C stops everything."


def running_lines(
    url: str, pid: int, loaded: Sequence[str] | None, unapplied: Sequence[str]
) -> Iterator[str]:
    """Yield what a second ``up`` says about the server that runs.

    ``loaded`` are the names of the models in memory; None: unknown. ``unapplied`` are from ``unapplied_options``.
    """
    yield f"gglib is already running at {url} (pid {pid})."
    if loaded is not None:
        yield (
            f"In memory: {', '.join(loaded)}" if loaded else "No model is loaded; the next request loads one."
        )
    if unapplied:
        again = shell_quoting.in_quotes(f"gglib up {' '.join(unapplied)}")
        yield (
            f"Not applied to it: {', '.join(unapplied)}. 'gglib stop --server' ends it, then {again} applies "
            f"{'it' if len(unapplied) == 1 else 'them'}."
        )


def unapplied_options(given: Mapping[str, str | bool | None], url: str) -> list[str]:
    """Return the options of a second ``up`` that the running server at ``url`` may lack, as they are typed.

    Only its address is known: any other option counts as different.
    """
    parts = urlsplit(url)
    is_applied: dict[str, set[object]] = {"port": {"0", str(parts.port)}, "host": {parts.hostname}}
    return [
        _option(name, value)
        for name, value in given.items()
        if value is not None and value not in is_applied.get(name, set())
    ]


def _option(name: str, value: object) -> str:
    option = f"--{name.replace('_', '-')}"
    return option if value is True else f"{option} {shlex.quote(str(value))}"
