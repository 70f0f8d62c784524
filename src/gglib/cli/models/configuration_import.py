"""``gglib import`` for the configuration file of another program: shows the plan, asks, applies it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gglib.core.errors import InvalidSettingError
from gglib.core.shell_quoting import quoted_command
from gglib.library.importers.configurations.programs import PROGRAMS, TITLES, program_of

if TYPE_CHECKING:
    from gglib.app.models.configurations import ConfigurationPlan
    from gglib.cli.context import Options


def configuration_file(where: str | None, file: str | None) -> tuple[str, Path] | None:
    """Return the program and the file that the arguments name; None if they name no configuration file.

    Raises ``InvalidSettingError`` for a program without a file, and for a file of another program.
    """
    if where in PROGRAMS:
        if file is None:
            raise InvalidSettingError(
                f"{TITLES[where]} has its models in a file: {quoted_command('import', where, 'FILE')} imports it."
            )
        return where, Path(file)
    if file is not None:
        raise InvalidSettingError(f"'{where}' takes no file: name one of {', '.join(PROGRAMS)} before it.")
    if where is None or os.path.isdir(where):  # noqa: PTH112 - False for what cannot be looked at
        return None
    program = program_of(where)
    return None if program is None else (program, Path(where))


def import_configuration(  # noqa: PLR0913 - the options of the command
    options: "Options", program: str, path: Path, *, yes: bool, dry_run: bool, as_json: bool
) -> bool:
    """Import a file and return whether everything succeeded."""
    from gglib.app.models.configurations import apply_import, plan_import
    from gglib.cli.sessions import with_catalog
    from gglib.cli.terminal.status_line import terminal_status
    from gglib.cli.views import configurations, render

    settings = options.settings()
    with terminal_status() as show:
        show(f"Reading {path.name} ...")
        plan = with_catalog(settings, lambda store: plan_import(program, path, store, settings))
    if not as_json:
        configurations.show(plan)
        if not plan.is_to_do:
            render.echo("Nothing to import: everything else is there already.")
    if plan.is_to_do and not dry_run and _confirm(program, path, assume_yes=yes, is_non_interactive=as_json):
        plan = with_catalog(settings, lambda store: apply_import(plan, store, settings))
        if not as_json:
            _show_results(options, plan)
    if as_json:
        render.show_json({"program": program, "file": str(path), **configurations.as_json(plan)})
    return not plan.has_failed


def _confirm(program: str, path: Path, *, assume_yes: bool, is_non_interactive: bool) -> bool:
    """Prompt the user on a terminal, unless the answer is preset."""
    from gglib.cli.terminal.console import require_interactive

    if assume_yes or is_non_interactive:
        return assume_yes
    command = quoted_command("import", "--yes", program, str(path))
    require_interactive("imported", f"{command} imports what is listed")
    return click.confirm("Import this?", default=True)


def _show_results(options: "Options", plan: "ConfigurationPlan") -> None:
    """Print the result of each part, and how a running server gets the settings."""
    from gglib.app.settings.entries import find_entry
    from gglib.cli.config_changes import effect_on_server
    from gglib.cli.views import configurations, render

    for line in configurations.result_lines(plan):
        render.echo(line)
    settings = options.tolerant_settings(is_quiet=True)
    failed = set(plan.faults)
    for change in plan.settings if not failed else ():
        render.echo(f"Set {change.key} in {settings.config_path}.")
    for effect in dict.fromkeys(
        effect_on_server(settings, find_entry(change.key).spec) for change in plan.settings
    ):
        if effect is not None:
            render.echo(effect)
    for fault in plan.faults:
        render.echo(fault, is_error=True)
