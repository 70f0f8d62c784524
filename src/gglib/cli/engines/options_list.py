"""The list of ``gglib engine options``."""

from pathlib import Path
from typing import TYPE_CHECKING

from gglib.cli.views import render
from gglib.core.errors import InvalidSettingError

if TYPE_CHECKING:
    from gglib.app.models.engine_options import ListedOption
    from gglib.app.settings import Settings

COLUMNS = ("OPTION", "VALUE", "DEFAULT", "ENGINES", "WHAT IT DOES")
_DROPPABLE = ("DEFAULT", "ENGINES")


def show_options(settings: "Settings", pattern: str | None, engine: str | None, *, as_json: bool) -> None:
    """Print the options of an engine that match ``pattern``; ``engine`` is ``embedded`` or a path, None: in use.

    Raises ``InvalidSettingError`` if none matches, and ``EngineNotFoundError`` for an engine that cannot be used.
    """
    from gglib.app.models.engine_options import listed_options

    found = listed_options(settings, None if engine is None else Path(engine))
    wanted = (pattern or "").casefold()
    matching = [option for option in found if wanted in option.searched]
    if not matching:
        raise InvalidSettingError(f"No engine option matches '{pattern}': 'gglib engine options' lists all.")
    if as_json:
        render.show_json([option.as_json() for option in matching])
        return
    rows = [_row(option) for option in matching]
    render.show_table(COLUMNS, rows, wrapped=("WHAT IT DOES",), droppable=_DROPPABLE)
    if pattern is None:
        render.echo(
            "\n'gglib set MODEL --engine-args \"--OPTION VALUE\"' sets them for a model.", is_error=True
        )


def _row(option: "ListedOption") -> tuple[str, ...]:
    return option.names_line, option.value, option.default, option.engines, option.help
