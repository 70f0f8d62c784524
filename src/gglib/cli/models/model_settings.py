"""Parses the options for the settings of one model."""

import re
from pathlib import Path
from typing import Any

import click

from gglib.app.settings.definitions import CONTEXT_EXPECTED
from gglib.app.settings.parsers import parse_context
from gglib.core.errors import InvalidSettingError
from gglib.core.models import ModelKind
from gglib.core.priority import Priority

DEFAULT_KEYWORD = "default"
"""Resets a setting of a model."""
OFF_KEYWORD = "off"
_KEEP_VALUES = {"on": True, OFF_KEYWORD: False, DEFAULT_KEYWORD: None}
NONE_KEYWORD = "none"
"""Removes the projector of a model."""
_TIME = re.compile(r"(?P<number>\d{1,9}(?:\.\d{1,3})?)\s*(?P<unit>[smh]?)", re.ASCII)
"""Nine digits are 30 years in seconds."""
_UNIT_S = {"": 1, "s": 1, "m": 60, "h": 3600}


def parse_ctx(text: str | None) -> int | None:
    """Return the context of ``--ctx`` in tokens; None if not set. Raises ``InvalidSettingError``."""
    if text is None:
        return None
    try:
        return parse_context(text)
    except ValueError:
        raise InvalidSettingError(f"--ctx is {text!r}, but it must be {CONTEXT_EXPECTED}.") from None


def parse_idle_ttl(text: str) -> float | None:
    """Return the time of ``--idle-ttl`` in seconds; None for never. Raises ``InvalidSettingError``."""
    value = text.strip().lower()
    if value == OFF_KEYWORD:
        return None
    match = _TIME.fullmatch(value)
    if match is None:
        raise InvalidSettingError(
            f"--idle-ttl is {text!r}, but it must be a time like 30s, 10m or 2h, or '{OFF_KEYWORD}'."
        )
    # 0 means never: to the runtime, 0 would mean unloading after each response, which no user intends.
    return float(match["number"]) * _UNIT_S[match["unit"]] or None


def parse_model_settings(
    *,
    ctx: str | None,
    idle_ttl: str | None,
    priority: str | None = None,
    keep_conversations: str | None = None,
) -> dict[str, Any]:
    """Return the fields of ``ModelSettings`` that the options set; options not given are omitted.

    Raises ``InvalidSettingError``.
    """
    settings: dict[str, Any] = {}
    if ctx is not None:
        settings["context"] = None if ctx == DEFAULT_KEYWORD else parse_ctx(ctx)
    if idle_ttl is not None:
        settings["idle_ttl_s"] = parse_idle_ttl(idle_ttl)
    if priority is not None:
        settings["priority"] = None if priority == DEFAULT_KEYWORD else Priority[priority.upper()]
    if keep_conversations is not None:
        settings["keep_conversations"] = _KEEP_VALUES[keep_conversations]
    return settings


def kind_from_flags(*, embedding: bool, rerank: bool, chat: bool, auto: bool = False) -> ModelKind | None:
    """Return the kind that a flag sets; None for ``--auto`` and without a flag.

    Raises ``click.UsageError`` for more than one flag.
    """
    kinds: dict[ModelKind, bool] = {"embedding": embedding, "rerank": rerank, "chat": chat}
    if sum((*kinds.values(), auto)) > 1:
        raise click.UsageError("Use only one of --embedding, --rerank, --chat and --auto.")
    return next((kind for kind, is_given in kinds.items() if is_given), None)


def parse_mmproj(text: str) -> Path | None:
    """Return the file of ``--mmproj``; None for ``none``."""
    return None if text.strip().lower() == NONE_KEYWORD else Path(text)
