"""``gglib connect``: prints or writes the settings of a client."""

from typing import TYPE_CHECKING

import click

from gglib.cli.context import Options

if TYPE_CHECKING:
    from gglib.app.clients.client import Client, Settings
    from gglib.cli.clients.target import Target


@click.command("connect")
@click.argument("client", required=False)
@click.option("--model", metavar="M", help="Model for the client. Default: as for a request without one.")
@click.option("--key-env", metavar="NAME", help="Variable with the access key. Default: GGLIB_CLIENT_KEY.")
@click.option("--write", "is_writing", is_flag=True, help="Change the client's file, after showing the diff.")
@click.option("-y", "--yes", is_flag=True, help="With --write: do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(  # noqa: PLR0913 - click passes each option
    options: Options,
    client: str | None,
    *,
    model: str | None,
    key_env: str | None,
    is_writing: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Show how a program connects to gglib.

    CLIENT is an agent, an application or a library; without it, all are listed. The settings are for the running
    server, else for the configured address. --write keeps everything else in the file, and a backup beside it.
    """
    from gglib.app.clients.table import find_client
    from gglib.cli.clients.places import places
    from gglib.cli.clients.target import find_target

    if client is None:
        if is_writing or model is not None:
            raise click.UsageError("Name the client, as 'gglib connect' lists them.")
        _show_all(as_json=as_json)
        return
    if is_writing and as_json:
        raise click.UsageError("--write and --json exclude each other.")
    found = find_client(client)
    target = find_target(options, model, key_env)
    settings = found.settings(target.connection, places())
    if as_json:
        _show_json(found, target, settings)
        return
    _show_target(target, settings)
    if is_writing:
        _write(found, settings, is_confirmed=yes)
    else:
        _show_settings(found, settings)


def _show_all(*, as_json: bool) -> None:
    from gglib.app.clients.table import CLIENTS
    from gglib.cli.views import clients, render

    if as_json:
        render.show_json([clients.client_fields(client) for client in CLIENTS])
        return
    render.show_table(clients.COLUMNS, clients.client_rows(CLIENTS), droppable=clients.DROPPABLE)
    render.show_line(
        "'gglib connect NAME' shows the settings, 'gglib launch NAME' starts a program with them."
    )


def _show_target(target: "Target", settings: "Settings") -> None:
    """Print which server the settings are for. To stderr, so that stdout can be copied as a whole."""
    from gglib.cli.clients.keys import key_hint
    from gglib.cli.views import render

    connection = target.connection
    state = "" if target.is_running else ", which is not running"
    render.echo(
        f"Settings for gglib at {connection.url}{state}: model '{connection.model}', context {connection.context}.",
        is_error=True,
    )
    text = f"{settings.text}\n{settings.start}\n{settings.note}"
    if connection.key is not None and (hint := key_hint(connection.key, target.key_names, text)) is not None:
        render.echo(hint, is_error=True)


def _show_settings(client: "Client", settings: "Settings") -> None:
    from gglib.cli.clients.places import shown_path
    from gglib.cli.views import clients, render
    from gglib.core.plain_text import escape_line

    click.echo(
        click.style(client.title, bold=True) + f"  ({escape_line(shown_path(settings.where))})\n", err=True
    )
    render.show_verbatim(settings.text)
    hints = [*clients.settings_lines(settings)]
    if settings.file is not None:
        hints.append(
            f"'gglib connect {client.name} --write' adds it to {shown_path(str(settings.file.path))}."
        )
    if client.launch_command is not None:
        hints.append(f"Or without any of this: {client.launch_command}")
    for line in hints:
        _show_hint(f"\n{line}" if line is hints[0] else line, settings, is_error=True)


def _show_hint(line: str, settings: "Settings", *, is_error: bool = False) -> None:
    """Print a line below the settings; the one with the command that starts the client stays whole."""
    from gglib.cli.views import render

    show = render.show_verbatim if settings.start and line.endswith(settings.start) else render.echo
    show(line, is_error=is_error)


def _show_json(client: "Client", target: "Target", settings: "Settings") -> None:
    from gglib.cli.views import clients, render

    connection, file = target.connection, settings.file
    render.show_json(
        {
            "client": clients.client_fields(client),
            "url": connection.url,
            "is_running": target.is_running,
            "model": connection.model,
            "context": connection.context,
            "key": connection.key and {"name": connection.key.name, "variable": connection.key.variable},
            "where": settings.where,
            "text": settings.text,
            "file": file and {"path": str(file.path), "format": file.format.value},
            "start": settings.start or None,
            "note": settings.note or None,
        }
    )


def _write(client: "Client", settings: "Settings", *, is_confirmed: bool) -> None:
    """Show the change of the client's file, ask, and write it. Raises ``GglibError``."""
    from gglib.app.clients.config_change import plan_change, write_change
    from gglib.cli.terminal.console import require_interactive
    from gglib.cli.views import clients, render
    from gglib.core.errors import GglibError

    if settings.file is None:
        raise GglibError(
            f"{client.title} has no file that gglib can change: 'gglib connect {client.name}' shows what to do."
        )
    try:
        change = plan_change(settings.file)
    except GglibError:
        render.show_verbatim(settings.text)
        raise
    if not change.is_needed:
        render.echo(f"{change.path} has these settings.")
        return
    render.show_verbatim(change.diff())
    if not is_confirmed:
        require_interactive("written", f"'gglib connect {client.name} --write --yes' writes it")
        click.confirm(f"Write {change.path}?", default=True, abort=True)
    backup = write_change(change)
    render.echo(f"Wrote {change.path}." + (f" The old file is {backup.name}." if backup else ""))
    for line in clients.settings_lines(settings):
        _show_hint(line, settings)
