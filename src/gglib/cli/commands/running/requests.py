"""``gglib requests``: lists, shows, follows and cancels requests."""

import re
from typing import TYPE_CHECKING, Any

import click

from gglib.cli.context import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gglib.cli.history.results import FoundRequests, ShownRequest
    from gglib.cli.history.sources import HistorySource
    from gglib.core.history.requests import RequestFilter, StoredRequest

_NUMBER = re.compile(r"[1-9]\d{0,17}")
_STATUS = re.compile(r"[45]\d\d")
_ALL = "all"


class _Limit(click.ParamType[Any]):
    name = "N"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """Return a number of requests; None: all."""
        text = str(value)
        if text == _ALL:
            return None
        if not re.fullmatch(r"\d{1,9}", text):
            self.fail(f"'{text}' is not a number, and not '{_ALL}'.", param, ctx)
        return int(text)


@click.command("requests")
@click.argument("words", metavar="[TEXT]", nargs=-1)
@click.option(
    "-n", "--limit", type=_Limit(), default="20", show_default=True, metavar="N", help="Number, or 'all'."
)
@click.option("-f", "--follow", is_flag=True, help="Print requests as they end, until Ctrl-C.")
@click.option("--running", is_flag=True, help="Requests in progress only.")
@click.option("--failed", is_flag=True, help="With an error, or an incomplete response.")
@click.option("--status", metavar="STATUS", help="Status of the response: 404, 4xx or 'failed'.")
@click.option("--error", metavar="CODE", help="Code of the error: model_not_found.")
@click.option("--slow", metavar="SECONDS", help="Of at least this duration: 2, 500ms, 1m.")
@click.option("--swap", is_flag=True, help="That caused a swap of models.")
@click.option("--since", metavar="TIME", help="Ended since 90m, 7d, 10:30, yesterday or 2026-11-28T10:30.")
@click.option("--until", metavar="TIME", help="Ended before then.")
@click.option("--model", metavar="MODEL", help="Of this model, or MODEL:PROFILE.")
@click.option("--key", metavar="NAME", help="With this access key; '-': without one.")
@click.option("--client", metavar="NAME", help="Of this client program.")
@click.option("--profile", metavar="NAME", help="With this profile.")
@click.option("--route", metavar="ROUTE", help="To this route: /v1/chat/completions.")
@click.option("--node", metavar="NAME", help="Computed by this machine.")
@click.option("--body", is_flag=True, help="Print the recorded bodies of the request TEXT.")
@click.option("--cancel", metavar="ID", multiple=True, help="Cancel a request in progress, or several.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(  # noqa: PLR0913 - one for each option that is no filter
    options: Options,
    /,
    words: tuple[str, ...],
    limit: int | None,
    cancel: tuple[str, ...],
    *,
    follow: bool,
    running: bool,
    body: bool,
    as_json: bool,
    **filters: Any,  # noqa: ANN401 - the options of ``request_filter``
) -> None:
    """List requests, newest last, or show one.

    TEXT is a number or an id of the list, and shows that request; any other text is searched in names, ids and error
    messages. Without a running server, the recorded requests of this home are listed.
    """
    if cancel and not any(filters.values()):
        cancel, words = (*cancel, *words), ()  # ids that follow the first one
    text = _only_word(words)
    modes = {"--follow": follow, "--running": running, "--body": body}
    _check_usage(text, cancel, filters, {name for name, is_on in modes.items() if is_on})
    if cancel:
        _cancel(options, cancel, as_json=as_json)
    elif text is not None and (body or _NUMBER.fullmatch(text)):
        _show_one(options, text, with_body=body, as_json=as_json)
    elif follow:
        _follow(options, _filter(options, text, filters), limit, as_json=as_json)
    else:
        wanted = _filter(options, text, filters)
        _list(options, wanted, limit, only_running=running or limit == 0, as_json=as_json)


def _only_word(words: tuple[str, ...]) -> str | None:
    """Return the text; None without one. Raises ``click.UsageError`` for several words."""
    if len(words) < 2:
        return words[0] if words else None
    first, *rest = words
    if first in {"cancel", "show"}:
        option = "--cancel " if first == "cancel" else ""
        raise click.UsageError(f"Did you mean 'gglib requests {option}{' '.join(rest)}'?")
    raise click.UsageError(f'A text of several words needs quotes: gglib requests "{" ".join(words)}"')


def _check_usage(text: str | None, cancel: tuple[str, ...], filters: dict[str, Any], modes: set[str]) -> None:
    """Raise ``click.UsageError`` for options that exclude each other."""
    is_plain = not any(filters.values()) and not modes - {"--body"}
    if cancel and (text or modes or not is_plain):
        raise click.UsageError(
            "--cancel takes ids and no other option: 'gglib requests --running' lists them."
        )
    if "--body" in modes and (text is None or not is_plain):
        raise click.UsageError("--body needs one request: gglib requests --body NUMBER")
    if {"--follow", "--running"} <= modes:
        raise click.UsageError("Use either --follow or --running: the former prints requests as they end.")
    if "--follow" in modes and filters["until"] is not None:
        raise click.UsageError("--follow has no end: leave out --until.")
    if text is not None and _NUMBER.fullmatch(text) and not is_plain:
        raise click.UsageError(f"'{text}' is the number of one request: leave out the other options.")


def _filter(options: Options, text: str | None, filters: dict[str, Any]) -> "RequestFilter":
    from datetime import datetime

    from gglib.cli.history.filters import request_filter
    from gglib.cli.history.model_names import complete_model

    model, profile = filters.pop("model"), filters.pop("profile")
    if model is not None:
        model, profile = complete_model(options, model, profile)
    now = datetime.now().astimezone()
    return request_filter(text=text, model=model, profile=profile, now=now, **filters)


def _list(
    options: Options, wanted: "RequestFilter", limit: int | None, *, only_running: bool, as_json: bool
) -> None:
    from gglib.cli.history.sources import RUNNING, find_all, history_source
    from gglib.cli.views import render

    source = history_source(options)
    found = find_all(source, wanted, limit=limit, state=RUNNING if only_running else None)
    if as_json:
        render.show_json(found)
    elif (only := _only_match(found, wanted)) is not None:
        _show_one(options, only, with_body=False, as_json=False)
    else:
        _show_list(found, wanted, source, is_remote=options.remote is not None, only_running=only_running)


def _only_match(found: "FoundRequests", wanted: "RequestFilter") -> str | None:
    """Return the id of the only request that was found, if the text is its id, or the end of it."""
    from gglib.core.history.requests import RequestFilter

    ids = [request.request_id for request in found.running]
    ids += [request.request_id for request in found.requests]
    if wanted.text is None or wanted != RequestFilter(text=wanted.text) or len(ids) != 1:
        return None
    return ids[0] if ids[0].endswith(wanted.text) else None


def _show_list(
    found: "FoundRequests",
    wanted: "RequestFilter",
    source: "HistorySource",
    *,
    is_remote: bool,
    only_running: bool,
) -> None:
    from datetime import datetime

    from gglib.cli.history.unknown_names import unknown_name_note
    from gglib.cli.views import render, requests

    rows = requests.request_rows(found.requests[::-1], found.running, datetime.now().astimezone())
    if rows:
        columns, cells = requests.request_table(rows)
        styles = requests.status_styles(rows)
        render.show_table(columns, cells, droppable=requests.droppable(wanted), styles=styles)
    note = requests.list_note(
        is_empty=not rows,
        is_filtered=wanted != type(wanted)(),
        is_off=found.is_off,
        is_remote=is_remote,
        has_more=found.next_before is not None,
        only_running=only_running,
    )
    if note == requests.NOTHING_FITS:
        note = unknown_name_note(source, key=wanted.key, client=wanted.client) or note
    if note is not None:
        render.show_note(note)


def _show_one(options: Options, request: str, *, with_body: bool, as_json: bool) -> None:
    from datetime import datetime

    from gglib.cli.views import render, requests
    from gglib.core.errors import GglibError
    from gglib.core.plain_text import escape_block

    shown = _find_one(options, request)
    if with_body and shown.bodies is None:
        raise GglibError(requests.NO_BODIES)
    if as_json:
        render.show_json(shown)
        return
    now = datetime.now().astimezone()
    if shown.request is not None:
        render.show_fields(requests.request_fields(shown.request, now), wrapped=("Error",))
    elif shown.running is not None:
        render.show_fields(requests.running_fields(shown.running, now))
    if shown.bodies is None:
        return
    if with_body:
        for line in requests.body_lines(shown.bodies):
            click.echo(escape_block(line))  # commands in a body stay as they were sent
    elif shown.request is not None:
        render.show_note(f"Its bodies are recorded: 'gglib requests --body {request}' prints them.")


def _find_one(options: Options, request: str) -> "ShownRequest":
    from gglib.cli.history.sources import history_source
    from gglib.core.errors import GglibError, RequestNotFoundError

    try:
        return history_source(options).show(request)
    except GglibError as error:
        is_missing = str(error) == str(RequestNotFoundError(request))  # of a server, too
        if not is_missing or _STATUS.fullmatch(request) is None:
            raise
        raise GglibError(
            f"There is no request '{request}': 'gglib requests --status {request}' lists those with this status."
        ) from error


def _follow(options: Options, wanted: "RequestFilter", limit: int | None, *, as_json: bool) -> None:
    from gglib.cli.history.follow import follow
    from gglib.cli.history.sources import PAGE_SIZE
    from gglib.cli.views import render

    show = _print_json if as_json else _line_printer()
    first = PAGE_SIZE if limit is None else min(limit, PAGE_SIZE)
    follow(options, wanted, limit=first, show=show, note=lambda note: render.echo(note, is_error=True))


def _print_json(request: "StoredRequest") -> None:
    import sys

    import msgspec

    from gglib.core.plain_text import json_text

    click.echo(json_text(msgspec.to_builtins(request)))
    sys.stdout.flush()


def _line_printer() -> "Callable[[StoredRequest], None]":
    """Return a function that prints requests as rows of one table."""
    import sys
    from dataclasses import replace
    from datetime import datetime

    from gglib.cli.views import render, requests
    from gglib.core.plain_text import escape_line

    table = requests.followed_table()

    def show(request: "StoredRequest") -> None:
        # Events have no numbers, so all rows have ids.
        cells = requests.finished_row(replace(request, id=None), datetime.now().astimezone())
        row = {column: escape_line(cell) for column, cell in cells.items()}
        width = render.terminal_width() if sys.stdout.isatty() else None
        render.show_styled(table.lines(row, width, requests.status_styles([row])))
        sys.stdout.flush()

    return show


def _cancel(options: Options, typed: "Sequence[str]", *, as_json: bool) -> None:
    from gglib.cli.history.cancel import cancel_requests
    from gglib.cli.server.instance import server_endpoint
    from gglib.cli.views import render

    cancelled = cancel_requests(server_endpoint(options), typed)
    if as_json:
        render.show_json({"cancelled": cancelled})
    else:
        render.echo(f"Cancelled {', '.join(cancelled)}.")
