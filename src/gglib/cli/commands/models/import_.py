"""``gglib import``: adds the models of other programs in place, and imports their configurations."""

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gglib.cli.context import Options
    from gglib.library.importers.import_models import ImportItem, OnScan


@click.command("import")
@click.argument("where", metavar="[WHERE]", required=False)
@click.argument("file", metavar="[FILE]", required=False)
@click.option("-y", "--yes", is_flag=True, help="Import without a prompt.")
@click.option("--dry-run", is_flag=True, help="Only list what would be imported.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(  # noqa: PLR0913 - click passes each option
    ctx: click.Context,
    where: str | None,
    file: str | None,
    *,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Add models of other programs without copying them.

    Lists the models first, and the skipped ones with the reason.

    WHERE is a directory, 'hf' (Hugging Face cache), 'ollama' or 'lm-studio'. Default: all three.

    WHERE FILE imports a configuration: 'llama-swap config.yaml', or 'llama-cpp presets.ini' for the presets of
    llama.cpp's router. A FILE that ends with .yaml or .ini is enough. Nothing in it is run, and what has no
    counterpart is listed.
    """
    from gglib.cli.models.configuration_import import configuration_file, import_configuration

    options: Options = ctx.obj
    found = configuration_file(where, file)
    if found is not None:
        if not import_configuration(options, *found, yes=yes, dry_run=dry_run, as_json=as_json):
            ctx.exit(1)
        return
    from gglib.app.models.catalog import add_imported, find_importable
    from gglib.cli.sessions import with_catalog
    from gglib.cli.views import local_models, render
    from gglib.library.importers.import_models import ImportState

    settings = options.settings()
    with _scan_progress() as on_file:
        items = with_catalog(settings, lambda store: find_importable(where, store, on_file))
    new = [item for item in items if item.state is ImportState.NEW]
    if not as_json:
        _show_items(items, where)
    if new and not dry_run and _confirm_add(new, where, assume_yes=yes, is_non_interactive=as_json):
        added = with_catalog(settings, lambda store: add_imported(new, store))
        items = [*added, *(item for item in items if item not in new)]
        for item in () if as_json else added:
            render.echo(local_models.format_imported(item))
    if as_json:
        render.show_json([_as_json(item) for item in items])
    if any(item.state is ImportState.FAILED for item in items):
        ctx.exit(1)


@contextmanager
def _scan_progress() -> "Iterator[OnScan]":
    """Yield a callback that shows the current file on a terminal: large headers on a slow disk take time."""
    from gglib.cli.terminal.status_line import terminal_status
    from gglib.core.file_names import shown

    with terminal_status() as show:
        yield lambda path: show(f"Reading {shown(path.name)} ...")


def _confirm_add(
    new: "Sequence[ImportItem]", where: str | None, *, assume_yes: bool, is_non_interactive: bool
) -> bool:
    """Prompt the user on a terminal, unless the answer is preset."""
    from gglib.cli.terminal.console import require_interactive
    from gglib.cli.views import render
    from gglib.core.shell_quoting import quoted_command

    if assume_yes or is_non_interactive:
        return assume_yes
    what = "this model" if len(new) == 1 else f"these {len(new)} models"
    command = quoted_command("import", "--yes", *([] if where is None else [where]))
    require_interactive("added", f"{command} adds {what}")
    size = render.size(sum(item.model.size_bytes for item in new if item.model is not None))
    return click.confirm(f"Add {what} ({size}) without copying?", default=True)


def _show_items(items: "Sequence[ImportItem]", where: str | None) -> None:
    from gglib.cli.views import local_models, render
    from gglib.core.file_names import escaped
    from gglib.library.importers.import_models import ImportState

    for line in local_models.not_added_lines(items):
        render.show_line(line)
    rows = [
        (
            escaped(item.name),
            render.text(item.model.facts.quantization),
            render.size(item.model.size_bytes),
            item.source,
            "-" if item.model.projector is None else escaped(item.model.projector.name),
            escaped(str(item.path)),
        )
        for item in items
        if item.state is ImportState.NEW and item.model is not None
    ]
    if rows:
        columns = ("NAME", "QUANT", "SIZE", "FROM", "PROJECTOR", "FILE")
        render.show_table(columns, rows, droppable=("FILE", "PROJECTOR", "FROM", "QUANT", "SIZE"))
    elif items:
        click.echo("No new models.")
    else:
        render.echo(f"No models were found in {where}." if where else "No other program's models were found.")


def _as_json(item: "ImportItem") -> dict[str, object]:
    model = item.model
    return {
        "name": item.name,
        "state": item.state.value,
        "from": item.source,
        "path": str(item.path),
        "reason": item.reason,
        "aliases": [] if model is None else list(model.aliases),
        "size_bytes": None if model is None else model.size_bytes,
        "quantization": None if model is None else model.facts.quantization,
        "repo": None if model is None else model.source.repo,
        "revision": None if model is None else model.source.revision,
        "projector": None if model is None or model.projector is None else str(model.projector),
    }
