"""``gglib alias``: further names of models."""

from typing import TYPE_CHECKING, Any

import click

from gglib.cli.context import Options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gglib.cli.models.alias_rules import AliasChange

COLUMNS = ("ALIAS", "MODELS", "FROM")
_IN_MEMORY = "the model in memory, else the default model"


@click.command("alias")
@click.argument("name", required=False)
@click.argument("models", metavar="[MODEL]...", nargs=-1)
@click.option("--rm", "is_removal", is_flag=True, help="Remove the alias NAME.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(
    options: Options, name: str | None, models: tuple[str, ...], *, is_removal: bool, as_json: bool
) -> None:
    """List, set or remove further names of models.

    Without MODEL: list all aliases, or the alias NAME. With MODEL: give the model this name, also if another model has
    it. With several models: the first that can run serves a request for NAME.

    NAME may be a pattern, in which '*' matches any characters: gglib alias 'gpt-*' MODEL. It is for names that mean
    nothing else; the most specific pattern is used.

    Lists and patterns are stored in config.toml, which a running gglib reads within seconds.
    """
    from gglib.cli.models.aliases import list_aliases, remove_alias, set_alias, source_of_setting
    from gglib.cli.views import render

    if is_removal and (name is None or models):
        raise click.UsageError("--rm takes one NAME: gglib alias --rm NAME.")
    setting = source_of_setting(options)
    if name is None:
        _show_rows(list_aliases(options), setting, as_json=as_json)
    elif is_removal:
        removed = remove_alias(options, name)
        if as_json:
            render.show_json({"removed": removed.name, "models": removed.models})
        else:
            where = " from config.toml" if removed.is_in_config else ""
            render.echo(f"Removed the alias '{removed.name}' of {', '.join(removed.models)}{where}.")
    elif models:
        _show_change(set_alias(options, name, models), as_json=as_json)
    else:
        _show_rows(_rows_of(name, list_aliases(options)), setting, as_json=as_json)


def _rows_of(name: str, rows: "Sequence[dict[str, Any]]") -> "list[dict[str, Any]]":
    """Return the rows of one alias. Raises ``InvalidSettingError`` if there are none."""
    from gglib.cli.models.alias_rules import is_same_name
    from gglib.core.errors import InvalidSettingError
    from gglib.core.shell_quoting import quoted_command

    found = [row for row in rows if is_same_name(row["name"], name)]
    if not found:
        command = quoted_command("alias", name, "MODEL")
        raise InvalidSettingError(f"There is no alias '{name}': {command} adds one.")
    return found


def _show_rows(rows: "Sequence[Mapping[str, Any]]", setting: str, *, as_json: bool) -> None:
    """Print the aliases; ``setting`` is what sets those of the source ``config``."""
    from gglib.cli.views import render

    if as_json:
        render.show_json(rows)
        return
    render.show_table(
        COLUMNS,
        [
            (row["name"], _models_cell(row), setting if row["source"] == "config" else row["source"])
            for row in rows
        ],
        wrapped=("MODELS",),
        droppable=("FROM",),
    )


def _models_cell(row: "Mapping[str, Any]") -> str:
    if row["is_ignored"]:
        return "ignored: a model has this name"
    shown = [f"{model} (missing)" if model in row["missing"] else model for model in row["models"]]
    return ", ".join(shown) or _IN_MEMORY


def _show_change(changed: "AliasChange", *, as_json: bool) -> None:
    from gglib.cli.views import render

    if as_json:
        render.show_json(
            {"name": changed.name, "models": changed.models, "previous_models": changed.previous}
        )
    else:
        many = ", the first that can run" if len(changed.models) > 1 else ""
        before = (
            f" It was {', '.join(changed.previous)}." if changed.previous not in ((), changed.models) else ""
        )
        render.echo(f"'{changed.name}' is now {', '.join(changed.models)}{many}.{before}")
    if changed.note is not None:
        render.echo(changed.note, is_error=True)
