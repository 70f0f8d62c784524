"""Write the tables of ``docs/import.md`` from the rules of the importers: what becomes of each field and option.

Each table stands between two markers, so that the text around it is written by hand.
"""

import re
import sys
from pathlib import Path

from scripts.marked_document import write_parts

from gglib.library.importers.configurations.files.field_rules import FieldRule, FieldRules
from gglib.library.importers.configurations.llama_swap.rules import (
    FILTER_RULES,
    MODEL_RULES,
    PEER_RULES,
    TOP_RULES,
)
from gglib.library.importers.configurations.server_options import ROLES, UNAVAILABLE, Role

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "import.md"
BEGIN, END = "<!-- {}: written by `make import-tables` -->", "<!-- end of {} -->"
_QUOTED = re.compile(r"(?<!\w)'([^']+)'")

ROLE_TEXTS = {
    Role.MODEL: "the file of the model",
    Role.HUB_REPO: "listed, with the `gglib pull` to type",
    Role.HUB_FILE: "part of that `gglib pull`",
    Role.URL: "listed, with the `gglib pull` to type",
    Role.PROJECTOR: "the model's projector",
    Role.NO_PROJECTOR: "the model gets no projector",
    Role.CONTEXT: "the model's context; divided by `--parallel`, because gglib's context is that of each request",
    Role.ALIAS: "aliases",
    Role.IDLE_TTL: "the idle time",
    Role.EMBEDDING: "the kind embedding",
    Role.RERANK: "the kind rerank",
    Role.LOAD_AT_START: "the setting `preload`",
    Role.OURS: "dropped: gglib sets it for each launch, serves its purpose otherwise, or it is llama.cpp's default",
}


def rules_table(*tables: tuple[str, FieldRules]) -> str:
    """Return a table of fields; each table of rules has the prefix of its paths."""
    head = ["| Field | What becomes of it |", "|---|---|"]
    rows = [
        f"| `{prefix}{name}` | {_outcome(rule)} |" for prefix, rules in tables for name, rule in rules.items()
    ]
    return "\n".join([*head, *rows])


def options_table() -> str:
    """Return the table of llama-server's options."""
    head = ["| Option | What becomes of it |", "|---|---|"]
    names: dict[Role, list[str]] = {}
    for name, role in ROLES.items():
        names.setdefault(role, []).append(f"`{name}`")
    rows = [f"| {', '.join(names[role])} | {text} |" for role, text in ROLE_TEXTS.items()]
    rows += [
        f"| `{name}` | {_outcome(FieldRule(reason=reason, instead=instead))} |"
        for name, (reason, instead) in UNAVAILABLE.items()
    ]
    last = (
        "an engine argument, if the engine in use takes it; else passed to a `llama-server` unchecked, unless gglib "
        "sets it itself; else listed"
    )
    return "\n".join([*head, *rows, f"| all others | {last} |"])


def tables() -> dict[str, str]:
    """Return all tables by name."""
    return {
        "file": rules_table(("", TOP_RULES)),
        "models": rules_table(("", MODEL_RULES), ("filters.", FILTER_RULES)),
        "peers": rules_table(("", PEER_RULES)),
        "options": options_table(),
    }


def _outcome(rule: FieldRule) -> str:
    if rule.reason is None:
        return str(rule.becomes)
    instead = "" if rule.instead is None else f". Instead: {rule.instead.format(value='N', model='MODEL')}"
    return _QUOTED.sub(lambda quoted: f"`{quoted[1]}`", f"not imported: {rule.reason}{instead}")


def main() -> int:
    """Write the tables, or check them."""
    return write_parts(
        DOCUMENT, tables, markers=(BEGIN, END), about=__doc__ or "", command="make import-tables"
    )


if __name__ == "__main__":
    sys.exit(main())
