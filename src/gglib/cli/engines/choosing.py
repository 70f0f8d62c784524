"""Chooses the engine of the settings, and says what that changes."""

from typing import TYPE_CHECKING

from gglib.app.engines.selection import AUTOMATIC, ENGINE, choose, find_choice, previous_choice
from gglib.app.settings.definitions import SETTINGS
from gglib.cli.config_changes import effect_on_server, warn_of_overrides
from gglib.cli.views import render
from gglib.core.errors import EngineInstallError

if TYPE_CHECKING:
    from pathlib import Path

    from gglib.app.engines.selection import Choice
    from gglib.app.settings import Settings


def use_engine(settings: "Settings", target: str, *, as_json: bool) -> None:
    """Choose the engine that a user names, after a check that it runs. Raises ``GglibError``."""
    choice = find_choice(settings, target)
    check_choice(choice)
    report_choice(settings, choice, choose(settings, choice), as_json=as_json)


def use_previous(settings: "Settings", *, as_json: bool) -> None:
    """Choose the engine before the last change; the one in use becomes the previous one. Raises ``GglibError``."""
    choice = previous_choice(settings)
    if choice is None:
        raise EngineInstallError(
            "No engine was chosen before this one: 'gglib engine list' shows the installed ones."
        )
    check_choice(choice)
    report_choice(settings, choice, choose(settings, choice), as_json=as_json)


def check_choice(choice: "Choice") -> None:
    """Raise ``EngineNotFoundError`` for an engine that cannot be used."""
    from gglib.runtime.engines import find_engine

    find_engine(_path(choice))


def report_choice(settings: "Settings", choice: "Choice", before: "Choice", *, as_json: bool) -> None:
    """Print the choice, how to go back, and what a running server does."""
    spec = next(spec for spec in SETTINGS if spec.key == ENGINE)
    effect = effect_on_server(settings, spec)
    if as_json:
        render.show_json(
            {"engine": choice.value, "name": choice.shown, "previous": before.shown, "effect": effect}
        )
    elif before.value == choice.value:
        described = _described(choice)
        render.show_line(f"{described[:1].upper()}{described[1:]} is chosen already.")
    else:
        render.show_line(
            f"gglib uses {_described(choice)} from its next start. 'gglib engine use --previous' goes back to "
            f"{_described(before)}."
        )
        if effect is not None:
            render.show_line(effect)
    warn_of_overrides(settings, spec)


def _described(choice: "Choice") -> str:
    if choice.engine is not None:
        return f"'{choice.engine.name}'"
    if choice.shown == AUTOMATIC:
        return "the engine that it finds by itself"
    return "the engine that comes with it" if choice.value == "embedded" else str(choice.value)


def _path(choice: "Choice") -> "Path | None":
    from gglib.app.settings.parsers import parse_engine

    return None if choice.value is None else parse_engine(choice.value)
