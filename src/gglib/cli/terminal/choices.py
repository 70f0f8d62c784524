"""Prompts for one row of a numbered table, by its number or its name."""

from collections.abc import Callable, Sequence

import click


def ask_choice(
    names: Sequence[str],
    *,
    numbers: Sequence[int] | None = None,
    default: int = 0,
    fold: Callable[[str], str] = str.casefold,
) -> int:
    """Prompt until the user has chosen, and return the index; Enter chooses ``default``.

    ``numbers`` are those of the rows; None: counted from 1. Raises ``click.Abort`` after Ctrl-C, and at the end of the
    input.
    """
    rows = range(1, len(names) + 1) if numbers is None else numbers
    index: int = click.prompt(
        "Number or name",
        default=str(rows[default]),
        value_proc=lambda text: parse_choice(text, names, numbers=rows, fold=fold),
    )
    return index


def parse_choice(
    text: str,
    names: Sequence[str],
    *,
    numbers: Sequence[int],
    fold: Callable[[str], str] = str.casefold,
) -> int:
    """Return the index of the row with this name or number. Pure.

    ``fold`` maps spellings of a name to the same text. Raises ``click.BadParameter`` for anything else.
    """
    text = text.strip()
    folded = [fold(name) for name in names]
    if fold(text) in folded:
        return folded.index(fold(text))
    if (
        text.isascii()
        and text.isdecimal()
        and text.lstrip("0") in (shown := [str(number) for number in numbers])
    ):
        return shown.index(text.lstrip("0"))
    raise click.BadParameter("type the number of a row, or a name of the list.")
