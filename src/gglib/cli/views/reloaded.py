"""Describes the result of a reload (``POST /gglib/reload``). Pure."""

from collections.abc import Mapping
from typing import Any

COLUMNS = ("SETTING", "OLD", "NEW", "EFFECT")
HIDDEN = "(hidden)"
NOTHING_CHANGED = "The server already uses the current settings."


def setting_rows(result: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each changed setting; secrets are hidden."""
    return [
        (
            change["setting"],
            _shown(change["old"]),
            _shown(change["new"]),
            "now" if change["applied"] else "after a restart",
        )
        for change in result["settings"]
    ]


def model_lines(result: Mapping[str, Any]) -> list[str]:
    """Return a line for each model that is reloaded with its new options."""
    return [
        f"The options of '{name}' changed: it is unloaded after its requests, and the next request loads it again."
        for name in result["replaced_models"]
    ]


def _shown(value: str | None) -> str:
    return HIDDEN if value is None else value or "-"
