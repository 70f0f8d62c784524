"""``gglib key``: makes, lists, limits and revokes access keys."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import click

from gglib.cli.context import Options
from gglib.cli.help.pages import HelpGroup

if TYPE_CHECKING:
    from gglib.app.settings import Settings
    from gglib.core.api_keys import ApiKey

COLUMNS = ("NAME", "MODELS", "ADMIN", "PRIORITY", "RPM", "TPM", "PARALLEL")
_DROPPABLE = ("PARALLEL", "TPM", "RPM", "PRIORITY")
_LIMIT_HELP = {
    "rpm": "Requests per minute.",
    "tpm": "Tokens per minute, prompts and answers together.",
    "parallel": "Requests at once.",
}


def _limit_options(function: Callable[..., None]) -> Callable[..., None]:
    for name, text in reversed(_LIMIT_HELP.items()):
        function = click.option(f"--{name}", metavar="N|none", help=text)(function)
    return function


@click.group("key", cls=HelpGroup)
def command() -> None:
    """Make, list, limit and revoke access keys.

    Clients on other machines send a key as their API key. Once there is one, every request needs a key.
    """


@command.command("new")
@click.argument("name")
@click.option("--admin", is_flag=True, help="Let it use the admin API, and all models.")
@click.option(
    "--models",
    "models",
    multiple=True,
    metavar="PATTERN",
    help="Models it may use; may be repeated. Default: all.",
)
@click.option("--priority", type=click.Choice(("interactive", "batch")), help="Priority of its requests.")
@_limit_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def new(  # noqa: PLR0913 - click passes each option
    options: Options,
    /,
    name: str,
    *,
    admin: bool,
    models: tuple[str, ...],
    priority: str | None,
    as_json: bool,
    **limits: str | None,
) -> None:
    """Make a key, and print it once.

    It is added to config.toml below [api_keys.NAME]. Stdout has only the key.
    """
    from gglib.app.settings.config_reader import read_content
    from gglib.app.settings.config_writer import add_key
    from gglib.app.settings.entries import KEYS
    from gglib.app.settings.home import prepare_home
    from gglib.app.settings.new_keys import KeyRights, generate_key, key_entry
    from gglib.cli.keys.applied import apply_change
    from gglib.cli.setting_names import warn_of_unknown_names
    from gglib.cli.views import keys, render

    settings = options.tolerant_settings(is_quiet=True)
    existing = read_content(settings.config_path).get(KEYS)
    key = generate_key()
    patterns = [part.strip() for pattern in models for part in pattern.split(",")]
    rights = KeyRights(is_admin=admin, models=patterns, priority=priority, limits=_given_limits(limits))
    entry = key_entry(name, key, rights, existing)
    prepare_home(settings)
    add_key(settings.config_path, name, entry)
    if as_json:
        render.show_json({"name": name, **entry})
    else:
        render.show_verbatim(key)
    for line in keys.made_lines(name, str(settings.config_path), is_first=not existing):
        render.echo(line, is_error=True)
    is_quiet = apply_change(options.tolerant_settings(is_quiet=True))
    warn_of_unknown_names(options.tolerant_settings(is_quiet=is_quiet), (KEYS, name))


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(options: Options, *, as_json: bool) -> None:
    """List the keys, their rights and limits; the keys themselves are not shown."""
    from gglib.app.settings.effective import key_fields
    from gglib.cli.views import keys, render

    settings = options.tolerant_settings(is_quiet=True)
    in_use = _keys_in_use(settings)
    options.tolerant_settings()
    rows = [{"name": name, **key_fields(key)} for name, key in in_use.items()]
    if as_json:
        render.show_json(rows)
    elif not rows:
        render.show_note(keys.NO_KEYS)
    else:
        render.show_table(COLUMNS, keys.key_rows(rows), wrapped=("MODELS",), droppable=_DROPPABLE)
        if (source := _source(settings)) not in {None, "config.toml"}:
            render.echo(f"They are from {source}, which overrides config.toml.", is_error=True)


@command.command("limit")
@click.argument("name")
@_limit_options
@click.option(
    "--priority", type=click.Choice(("interactive", "batch", "none")), help="Priority of its requests."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def limit(
    options: Options, /, name: str, *, priority: str | None, as_json: bool, **limits: str | None
) -> None:
    """Set the limits of a key in config.toml, or show them and what is used.

    Requests beyond a limit get status 429. 'none' removes a limit. Requests in progress continue.
    """
    from gglib.cli.keys.limits import change_limits, show_limits

    changes: dict[str, object] = dict(_given_limits(limits))
    if priority is not None:
        changes["priority"] = None if priority == "none" else priority
    settings = options.tolerant_settings(is_quiet=True)
    is_quiet = False
    if changes:
        is_quiet = change_limits(settings, name, changes, source=_source(settings), is_quiet=as_json)
    if as_json or not changes:
        show_limits(settings, name, _keys_in_use(options.tolerant_settings(is_quiet=True)), as_json=as_json)
    options.tolerant_settings(is_quiet=is_quiet)


@command.command("revoke")
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Revoke it without a prompt.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; prompt nothing.")
@click.pass_obj
def revoke(options: Options, name: str, *, yes: bool, as_json: bool) -> None:
    """Remove a key from config.toml: requests with it are refused, and those in progress end."""
    from gglib.app.settings.config_reader import read_content
    from gglib.app.settings.config_writer import remove_key
    from gglib.app.settings.entries import KEYS, find_entry
    from gglib.cli.config_changes import warn_of_overrides
    from gglib.cli.keys.applied import APPLIED, apply_revocation
    from gglib.cli.views import keys, render

    settings = options.tolerant_settings(is_quiet=True)
    table = read_content(settings.config_path).get(KEYS)
    existing: Mapping[str, Any] = table if isinstance(table, Mapping) else {}
    if name not in existing:
        raise keys.unknown_key_error(name, list(existing), _source(settings))
    if not (yes or as_json):
        _confirm(name)
    remove_key(settings.config_path, name)
    is_applied = apply_revocation(settings, name)
    if as_json:
        render.show_json({"revoked": name})
    else:
        render.echo(f"Revoked the key '{name}'.")
    if is_applied:
        render.echo(APPLIED, is_error=True)
    if len(existing) == 1:
        render.echo(keys.LAST_KEY, is_error=True)
    warn_of_overrides(options.tolerant_settings(), find_entry(KEYS).spec)


def _confirm(name: str) -> None:
    from gglib.cli.terminal.console import require_interactive
    from gglib.core.shell_quoting import quoted_command

    require_interactive("revoked", f"{quoted_command('key', 'revoke', '--yes', name)} revokes the key")
    click.confirm(f"Revoke the key '{name}'? Clients that use it are refused.", abort=True)


def _keys_in_use(settings: "Settings") -> "Mapping[str, ApiKey]":
    """Return the keys, also those of a file with other errors, of which the tolerant settings have none.

    Raises ``InvalidSettingError`` if it cannot be known whether there are keys: "no keys" would be taken for a fact.
    """
    import os

    from gglib.app.settings.config_reader import read_content
    from gglib.app.settings.definitions import SETTINGS
    from gglib.app.settings.setting_parsing import parse_setting
    from gglib.core.errors import InvalidSettingError

    if not settings.ignored or "api_keys" in settings.sources:
        return settings.api_keys
    spec = next(spec for spec in SETTINGS if spec.is_secret)
    if os.environ.get(spec.env):  # it is set, and not among the sources: it is not valid
        raise InvalidSettingError(" ".join(settings.ignored))
    raw = read_content(settings.config_path).get(spec.key)
    if raw is None:
        return {}
    return cast("Mapping[str, ApiKey]", parse_setting(spec, raw, f"'{spec.key}' in {settings.config_path}"))


def _source(settings: "Settings") -> str | None:
    """Return what sets the keys that are in use."""
    from gglib.app.settings.entries import KEYS

    return next(iter(settings.sources.get(KEYS, ())), None)


def _given_limits(options: Mapping[str, str | None]) -> dict[str, int | None]:
    """Return the limits that were given; None for ``none``. Raises ``InvalidSettingError``."""
    from gglib.app.settings.new_keys import parse_limit

    return {name: parse_limit(name, text) for name, text in options.items() if text is not None}
