"""Warnings about names of models in a setting that a command has just changed: the server would log them later."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gglib.app.settings import Settings

_WITH_NAMES = ("preload", "default_model", "aliases", "api_keys", "record_bodies")
"""Settings whose values are names of models or keys, or patterns for them."""


def about_setting(warnings: Iterable[str], path: tuple[str, ...]) -> list[str]:
    """Return those of ``name_warnings`` that are about a setting, or about one entry of its table. Pure.

    ``path`` has the setting and, for an entry, its name: ``("api_keys", "bob")``.
    """
    table, *names = path
    beginnings = [f"Setting '{table}'"]
    if names:
        beginnings = [f"Setting '{table}', '{names[0]}':", f"Setting '{table}', 'models' of '{names[0]}':"]
        beginnings.append(f"Setting '{table}': '{names[0]}' ")
    return [warning for warning in warnings if warning.startswith(tuple(beginnings))]


def warn_of_unknown_names(settings: "Settings", path: tuple[str, ...]) -> None:
    """Print a warning for each unknown name in a setting. Prints nothing if the catalogue cannot be read."""
    from gglib.app.settings.name_checks import name_warnings
    from gglib.cli.sessions import catalog_session
    from gglib.cli.views import render
    from gglib.core.errors import GglibError

    if path[0] not in _WITH_NAMES or not settings.database.exists():
        return
    try:
        with catalog_session(settings) as catalog:
            models = catalog.run(lambda store: store.list_models())
            profiles = catalog.run(lambda store: store.list_profiles())
    except GglibError:  # the change was made, and other commands report the catalogue
        return
    for warning in about_setting(name_warnings(settings, models, profiles), path):
        render.echo(f"Warning: {warning}", is_error=True)
