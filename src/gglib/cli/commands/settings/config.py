"""``gglib config``: shows and changes the settings in ``config.toml``."""

from typing import TYPE_CHECKING, Any

import click

from gglib.cli.context import Options
from gglib.cli.help.pages import HelpGroup

if TYPE_CHECKING:
    from gglib.app.settings.entries import Entry

_DECIDE_ACCESS = ("host", "insecure", "api_keys")
"""Settings with which a server may be refused its start."""


def _require_value(ctx: click.Context, _: click.Parameter, value: str | None) -> str | None:
    """Return the value. Raises ``click.UsageError`` with the command to type if it is missing, as in ``port=9000``."""
    from gglib.core.shell_quoting import quoted_command

    if value is not None or ctx.resilient_parsing:
        return value
    name, mark, rest = ctx.params.get("key", "").partition("=")
    hint = f": type {quoted_command('config', 'set', name, rest)}" if mark and rest else ""
    raise click.UsageError(f"Missing argument 'VALUE'{hint}.", ctx)


@click.group("config", cls=HelpGroup, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """Show the settings and where each comes from.

    Sources are the defaults, config.toml, GGLIB_* in the environment, and the options of the running server.
    'gglib config set KEY VALUE' changes config.toml. Keys are never shown.
    """
    if ctx.invoked_subcommand is None:
        _show_all(ctx.obj, as_json=as_json)
    elif as_json:
        raise click.UsageError(
            f"--json belongs after the command: 'gglib config {ctx.invoked_subcommand} --json'."
        )


@command.command("get")
@click.argument("key")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def get(options: Options, key: str, *, as_json: bool) -> None:
    """Print the effective value of a setting.

    KEY is the name of a setting, or of an entry of its table: port, aliases.fast, memory.gpu0, api_keys.NAME.models.
    """
    from gglib.app.settings.effective import effective_setting, entry_value
    from gglib.app.settings.entries import find_entry
    from gglib.cli.views import render

    entry = find_entry(key)
    settings = options.tolerant_settings()
    setting = effective_setting(entry.spec, settings)
    value = entry_value(setting, settings, entry.path)
    if as_json:
        render.show_json(
            {"setting": key, "value": value, "source": setting.source, "overrides": setting.overrides}
        )
    else:
        render.show_verbatim(setting.shown_as_text(value))


@command.command("set")
@click.argument("key")
@click.argument("value", metavar="VALUE", callback=_require_value, required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def set_(options: Options, key: str, value: str, *, as_json: bool) -> None:
    """Set a setting in config.toml.

    Comments and all other lines stay. Lists are separated by commas. KEY may be an entry of a table: aliases.fast,
    memory.gpu0, api_keys.NAME.models.
    """
    from gglib.app.settings.config_writer import set_setting
    from gglib.app.settings.entries import config_value, find_entry, value_of
    from gglib.app.settings.home import prepare_home
    from gglib.app.toml_editing import entry_line
    from gglib.cli.context import absolute_path
    from gglib.cli.setting_names import warn_of_unknown_names

    entry = find_entry(key)
    settings = options.tolerant_settings(is_quiet=True)
    before = _content_of(options)
    if entry.spec.key in {"tls_cert", "tls_key"}:
        value = absolute_path(value)  # as the shell completes it; a relative one in the file is in the home
    wanted = config_value(entry, value, before)
    if value_of(before, entry.path) == wanted:
        unchanged = f"config.toml has {entry_line(entry.path[-1], wanted)} already."
        _show_change(options, entry, unchanged, as_json=as_json)
        return
    prepare_home(settings)
    set_setting(settings.config_path, entry.path, wanted)
    change = f"Set {entry_line(entry.path[-1], wanted)} in {settings.config_path}."
    _show_change(options, entry, change, as_json=as_json)
    warn_of_unknown_names(options.tolerant_settings(), entry.path[:2])


@command.command("unset")
@click.argument("key")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def unset(options: Options, key: str, *, as_json: bool) -> None:
    """Remove a setting from config.toml, so that its default is used."""
    from gglib.app.settings.config_writer import unset_setting
    from gglib.app.settings.entries import KEYS, find_entry, is_setting, value_of
    from gglib.cli.views import render
    from gglib.core.errors import InvalidSettingError

    settings = options.tolerant_settings(is_quiet=True)
    content = _content_of(options)
    if key in content and not is_setting(key):  # a misspelt one, which prevents a start
        unset_setting(settings.config_path, (key,))
        if as_json:
            render.show_json(_change_fields(key, None, None))
        else:
            render.echo(f"Removed '{key}' from {settings.config_path}.")
        return
    entry = find_entry(key)
    if entry.spec.key == KEYS and (len(entry.path) < 3 or entry.path[-1] == "key"):
        raise InvalidSettingError(
            "'gglib key revoke NAME' removes a key, 'gglib key list' shows their names."
        )
    if value_of(content, entry.path) is None:
        raise InvalidSettingError(
            f"{settings.config_path} does not set '{key}': 'gglib config' shows what does."
        )
    unset_setting(settings.config_path, entry.path)
    _show_change(options, entry, f"Removed '{key}' from {settings.config_path}.", as_json=as_json)


@command.command("path")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def path(options: Options, *, as_json: bool) -> None:
    """Print the path of config.toml."""
    from gglib.cli.views import render

    config_path = options.tolerant_settings().config_path
    if as_json:
        render.show_json({"path": str(config_path), "exists": config_path.exists()})
    else:
        render.show_verbatim(str(config_path))


@command.command("edit")
@click.pass_obj
def edit(options: Options) -> None:
    """Open config.toml in $VISUAL or $EDITOR, and check it afterwards."""
    from gglib.app.settings.config_reader import check_config
    from gglib.app.settings.home import prepare_home
    from gglib.cli.terminal.editor import edit_file
    from gglib.cli.views import render
    from gglib.core.errors import InvalidSettingError

    settings = options.tolerant_settings(is_quiet=True)
    prepare_home(settings)
    is_changed = edit_file(settings.config_path)
    problems = check_config(settings.config_path)
    for problem in problems:
        render.echo(problem, is_error=True)
    if problems:
        raise InvalidSettingError(
            "config.toml is not valid, and a running server keeps its settings: 'gglib config edit' opens it again."
        )
    if not is_changed:
        render.echo("config.toml is unchanged.")
        return
    restart = "'gglib reload' shows what a running server applied, and what needs a restart."
    render.echo(f"config.toml is valid. {restart}")


def _show_all(options: Options, *, as_json: bool) -> None:
    from gglib.app.settings.effective import effective_settings
    from gglib.cli.server.instance import find_instance
    from gglib.cli.views import render
    from gglib.cli.views import settings as view
    from gglib.system.process_arguments import process_arguments

    settings = options.tolerant_settings()
    shown = effective_settings(settings)
    instance = find_instance(settings)
    server = [] if instance is None else view.server_options(process_arguments(instance.pid))
    if as_json:
        render.show_json(
            {
                "path": str(settings.config_path),
                "exists": settings.config_path.exists(),
                "settings": shown,
                "server_options": server,
            }
        )
        return
    missing = "" if settings.config_path.exists() else " (does not exist: all settings have their defaults)"
    render.echo(f"config.toml: {settings.config_path}{missing}\n")
    render.show_table(view.COLUMNS, view.setting_rows(shown), wrapped=(view.VALUE,), spilled=view.VALUE)
    for line in view.footer(server):
        render.echo(f"\n{line}")


def _content_of(options: Options) -> dict[str, Any]:
    """Return the content of ``config.toml``, of which other values may be invalid. Raises ``InvalidSettingError``."""
    from gglib.app.settings.config_reader import read_content

    return read_content(options.tolerant_settings(is_quiet=True).config_path)


def _show_change(options: Options, entry: "Entry", sentence: str, *, as_json: bool) -> None:
    """Print what was changed, how a running server gets it, and what overrides it."""
    from gglib.app.serving.exposure import problem_of
    from gglib.app.settings.config_reader import first_problem
    from gglib.app.settings.entries import value_of
    from gglib.cli.config_changes import effect_on_server, warn_of_overrides
    from gglib.cli.views import render

    settings = options.tolerant_settings(is_quiet=True)
    effect = effect_on_server(settings, entry.spec)
    if as_json:
        value = value_of(_content_of(options), entry.path)
        render.show_json(_change_fields(".".join(entry.path), value, effect))
    else:
        render.echo(sentence)
        if effect is not None:
            render.echo(effect)
            options.mark_reported(first_problem(settings.config_path) or "")
    options.tolerant_settings()
    warn_of_overrides(settings, entry.spec)
    if entry.spec.key in _DECIDE_ACCESS:
        exposed = problem_of(settings.host, has_keys=bool(settings.api_keys), is_insecure=settings.insecure)
        if exposed is not None:
            render.warn(exposed)


def _change_fields(setting: str, value: object, effect: str | None) -> dict[str, object]:
    """Return a change as JSON: the value in ``config.toml``, null if it has none, and what a running server does."""
    return {"setting": setting, "value": value, "effect": effect}
