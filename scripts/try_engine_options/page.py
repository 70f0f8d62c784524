"""Prints the page of results from the rows of several engines, written by ``--json``. Pure, except for its main."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.try_engine_options.effects import NOTHING

_HEAD = """\
# Engine options, tried

Each option of [the table](../../docs/engine-options.md) was set for a tiny model, and the engine launched as gglib
does: what `/props`, `/slots`, `/lora-adapters`, `/apply-template`, the answer to one prompt and the log then
showed, compared with two launches without the option. *accepted*: the model loaded, but nothing changed that can be
seen without a GPU, with one request, or on a model this small. *not there*: gglib refuses the option for this
engine when it is set, before a launch. No accepted option failed a load. Made by `python -m
scripts.try_engine_options`; no GPU was used. The CPU library of the tried b10434 needs a processor with AMX; that
of b10068 was in its place.
"""


def page(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the page for the results of engines, each with ``engine`` and ``rows``."""
    effects: dict[str, dict[str, str]] = {}
    for result in results:
        for row in result["rows"]:
            effects.setdefault(row["arguments"], {})[result["engine"]] = _cell(row["effect"])
    engines = [result["engine"] for result in results]
    head = [f"| Arguments | {' | '.join(engines)} |", "|---|" + "---|" * len(engines)]
    rows = [
        f"| `{_plain(arguments)}` | {' | '.join(found.get(engine, '') for engine in engines)} |"
        for arguments, found in effects.items()
    ]
    return "\n".join([_HEAD, *head, *rows]) + "\n"


def _cell(effect: str) -> str:
    if effect == NOTHING:
        return "*accepted*"
    return "*not there*" if effect.startswith("refused when set") else _plain(effect)


def _plain(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Print the page for the files that are named."""
    print(page([json.loads(Path(name).read_text()) for name in sys.argv[1:]]), end="")


if __name__ == "__main__":
    main()
