"""Write the tables of ``docs/engine-options.md`` from the table of engine options (``make engine-options``)."""

import sys
from pathlib import Path

from scripts.marked_document import write_parts

from gglib.runtime.engines.llama_cpp.environment import ALLOWED_VARIABLES
from gglib.runtime.engines.llama_cpp.options import OPTION_GROUPS, EngineOption
from gglib.runtime.engines.llama_cpp.options.reserved import TAKEN

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "engine-options.md"
BEGIN, END = "<!-- {}: written by `make engine-options` -->", "<!-- end of {} -->"


def options_tables() -> str:
    """Return a table for each group."""
    parts = []
    for title, options in OPTION_GROUPS.items():
        head = [
            f"### {title}",
            "",
            "| Option | Value | Default | Engines | What it does |",
            "|---|---|---|---|---|",
        ]
        parts.append("\n".join([*head, *map(_row, options)]))
    return "\n\n".join(parts)


def _row(option: EngineOption) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.names, *option.off_names))
    engines = "both" if option.field is not None else "llama-server"
    cells = (names, _value(option), _code(option.default), engines, option.help)
    return f"| {' | '.join(cells)} |"


def _value(option: EngineOption) -> str:
    if option.is_switch:
        return ""
    if option.choices:
        choices = " ".join(_code(text) for text in option.choices)
        return choices if option.kind == "choice" else f"{choices}, separated by commas"
    return _code(str(option.kind).replace("|", " / "))


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def taken_table() -> str:
    """Return the table of options that cannot be set, by reason."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in TAKEN.items():
        by_reason.setdefault(reason, []).append(f"`{name}`")
    rows = [f"| {reason} | {', '.join(names)} |" for reason, names in by_reason.items()]
    return "\n".join(["| Because | Options |", "|---|---|", *rows]).replace("'", "`")


def variables_list() -> str:
    """Return the list of variables."""
    return ", ".join(f"`{name}`" for name in sorted(ALLOWED_VARIABLES))


def tables() -> dict[str, str]:
    """Return all generated parts by name."""
    return {"options": options_tables(), "taken": taken_table(), "variables": variables_list()}


def main() -> int:
    """Write the tables, or check them."""
    return write_parts(
        DOCUMENT, tables, markers=(BEGIN, END), about=__doc__ or "", command="make engine-options"
    )


if __name__ == "__main__":
    sys.exit(main())
