"""``gglib key limit``: changes the limits of a key, and shows them with what is used of them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gglib.app.settings.config_reader import read_content
from gglib.app.settings.config_writer import change_key
from gglib.app.settings.effective import key_fields
from gglib.app.settings.entries import KEYS
from gglib.app.toml_editing import entry_line
from gglib.cli.keys.applied import apply_change, find_key
from gglib.cli.views import keys, render

if TYPE_CHECKING:
    from gglib.app.settings import Settings
    from gglib.core.api_keys import ApiKey


def change_limits(
    settings: "Settings", name: str, changes: Mapping[str, object], *, source: str | None, is_quiet: bool
) -> bool:
    """Change fields of a key in ``config.toml``, and make a running server apply them.

    ``source`` is what sets the keys in use. ``is_quiet``: print nothing on stdout. Returns whether an error of the
    file was printed. Raises ``InvalidSettingError``.
    """
    table = read_content(settings.config_path).get(KEYS)
    existing = list(table) if isinstance(table, Mapping) else []
    if name not in existing:
        raise keys.unknown_key_error(name, existing, source)
    change_key(settings.config_path, name, changes)
    if not is_quiet:
        parts = [
            f"{field} removed" if value is None else entry_line(field, value)
            for field, value in changes.items()
        ]
        render.echo(f"Changed the key '{name}': {', '.join(parts)}.")
    return apply_change(settings)


def show_limits(settings: "Settings", name: str, in_use: "Mapping[str, ApiKey]", *, as_json: bool) -> None:
    """Print the limits of one of the keys ``in_use``, and what is used of them if a server runs.

    Raises ``InvalidSettingError`` for an unknown name.
    """
    if name not in in_use:
        raise keys.unknown_key_error(name, list(in_use), None)
    about, served = key_fields(in_use[name]), find_key(settings, name)
    use = None if served is None else served["use"]
    if as_json:
        shown = {field: about[field] for field in (*keys.LIMITS, "priority")}
        render.show_json({"name": name, **shown, "use": use})
    else:
        render.show_fields(keys.limit_fields(about, use))
