"""The settings of a chat: what ``/set`` and the options of ``gglib run`` accept, and their request fields. Pure.

The ranges are those of the profiles (``core.profile_rules``), so that a chat accepts what a profile accepts.
"""

import json
from collections.abc import Mapping
from typing import Any

from gglib.app.settings.suggestions import suggestion
from gglib.core.errors import InvalidSettingError
from gglib.core.profile_rules import RULES, ValueRule

DEFAULT_MAX_TOKENS = 2048
"""Limit on the tokens of an answer, reasoning included: a small model may otherwise repeat itself without an end."""
NO_LIMIT = 0
"""The value of ``max_tokens`` for answers without a limit."""
MAX_TOKENS = "max_tokens"
SYSTEM = "system"
THINK = "think"
RESET_VALUES = ("default", "none")
"""Values that remove a setting."""
THINK_VALUES = ("on", "off", "low", "medium", "high")
"""The values of ``think``; the levels are those of gpt-oss."""

_POSITIVE = ValueRule("an integer of at least 1", lambda value: type(value) is int and 1 <= value < 2**31)
_NUMBERS: Mapping[str, ValueRule] = {
    **{name: RULES[name] for name in ("temperature", "top_p", "top_k", "min_p", "seed", "max_tokens")},
    "num_ctx": _POSITIVE,
}
SETTING_NAMES = (SYSTEM, *_NUMBERS, THINK)
"""In the order in which they are listed."""


def find_setting(name: str) -> str:
    """Return the setting of a name, also with dashes or capitals. Raises ``InvalidSettingError`` with similar names."""
    folded = name.casefold().replace("-", "_")
    folded = {"ctx": "num_ctx", "system_prompt": SYSTEM, "thinking": THINK}.get(folded, folded)
    if folded in SETTING_NAMES:
        return folded
    # A beginning is what is meant, before any name that has similar letters: "temp" is not "system".
    begun = [known for known in SETTING_NAMES if folded and known.startswith(folded)]
    hint = f": did you mean {' or '.join(begun)}?" if begun else suggestion(folded, SETTING_NAMES)
    raise InvalidSettingError(f"There is no setting '{name}'{hint}")


def parse_setting(name: str, text: str) -> Any:  # noqa: ANN401 - JSON
    """Return the value of the setting ``name``; None for a value that removes it. Raises ``InvalidSettingError``."""
    text = text.strip()
    if not text or text.casefold() in RESET_VALUES:
        return None
    if name == SYSTEM:
        return text.encode(errors="replace").decode()  # bytes of an argument that are not UTF-8
    if name == THINK:
        return _parse_think(text)
    if name == MAX_TOKENS and text.casefold() in {"0", "off"}:
        return NO_LIMIT
    return check_value(name, _parse_number(text))


def check_value(name: str, value: object) -> Any:  # noqa: ANN401 - JSON
    """Return a value of a stored chat or an option, if the setting accepts it. Raises ``InvalidSettingError``."""
    is_valid = (
        isinstance(value, str) and bool(value.strip())
        if name == SYSTEM
        else value in THINK_VALUES
        if name == THINK
        else (name == MAX_TOKENS and value == NO_LIMIT and type(value) is int)
        or _NUMBERS[name].accepts(value)
    )
    if not is_valid:
        raise InvalidSettingError(f"'{name}' must be {_expected(name)}.")
    return value


def request_fields(settings: Mapping[str, Any], *, default_max_tokens: int | None) -> dict[str, Any]:
    """Return the fields of a request; the system prompt is a message and not among them.

    ``default_max_tokens`` is the limit if the settings have none; None: no limit.
    """
    fields = {name: settings[name] for name in _NUMBERS if name in settings and name != MAX_TOKENS}
    limit = settings.get(MAX_TOKENS, default_max_tokens)
    if limit:
        fields[MAX_TOKENS] = limit
    think = settings.get(THINK)
    if think is not None:
        fields["chat_template_kwargs"] = think_arguments(think)
    return fields


def think_arguments(think: str) -> dict[str, Any]:
    """Return the chat template's arguments: ``enable_thinking`` of most models, ``reasoning_effort`` of gpt-oss."""
    arguments: dict[str, Any] = {"enable_thinking": think != "off"}
    return arguments if think in {"on", "off"} else {**arguments, "reasoning_effort": think}


def shown_settings(settings: Mapping[str, Any], *, default_max_tokens: int | None) -> list[tuple[str, str]]:
    """Return the names and values of all settings, as text."""
    limit = "no limit" if default_max_tokens is None else f"{default_max_tokens:,} (default)"
    defaults = {SYSTEM: "(none)", MAX_TOKENS: limit}
    return [
        (name, _shown(name, settings[name]) if name in settings else defaults.get(name, "(default)"))
        for name in SETTING_NAMES
    ]


def _shown(name: str, value: object) -> str:
    if name == MAX_TOKENS:
        return f"{value:,}" if value else "no limit"
    return f"{value}"


def _parse_number(text: str) -> object:
    try:
        return json.loads(text.replace(",", "") if text.replace(",", "").isdecimal() else text)
    except (ValueError, RecursionError):
        return text


def _parse_think(text: str) -> str:
    folded = {"true": "on", "false": "off", "yes": "on", "no": "off"}.get(text.casefold(), text.casefold())
    return str(check_value(THINK, folded))


def _expected(name: str) -> str:
    if name == SYSTEM:
        return "a text"
    if name == THINK:
        return f"one of {', '.join(THINK_VALUES)}"
    return f"{_NUMBERS[name].expected}, or 'off'" if name == MAX_TOKENS else _NUMBERS[name].expected
