"""Checks a profile before it is stored: names, sizes, and the values of well-known fields. Pure.

A wrong value would otherwise fail each request that uses the profile. Fields that control the engine are checked by
``proxy.profiles.guards``, because the settings decide which of them are allowed.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gglib.core.errors import InvalidSettingError
from gglib.core.name_rules import PATH_SEGMENTS
from gglib.core.names import LATEST_TAG
from gglib.core.profiles import Profile

PROTECTED_FIELDS = frozenset(
    (
        "model",
        "stream",
        "num_ctx",
        "messages",
        "prompt",
        "input",
        "chat_template_kwargs",
        "system",
        "instructions",
    )
)
"""Fields that ``defaults`` must not set: gglib reads them, they are the content, or the profile has its own option."""
UNSTRIPPABLE_FIELDS = PROTECTED_FIELDS - {"chat_template_kwargs", "system", "instructions"}
MAX_DESCRIPTION_CHARS = 512
MAX_TEXT_CHARS = 32_768
"""Of the system prompt: a request of gglib's own API has at most 64 KiB."""
MAX_JSON_BYTES = 16_384
"""Of ``defaults``, and of ``template_kwargs``: far more than any list of stop strings needs."""
MAX_VALUE_DEPTH = 16
MAX_FIELDS = 64
MAX_INTEGER = 2**31 - 1
"""llama.cpp truncates larger numbers."""

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_FIELD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""ASCII without quotes and backslashes, so that it is its own JSON form."""


def check_profile(profile: Profile) -> None:
    """Raise ``InvalidSettingError`` for a profile that cannot be stored, with the field and what it accepts."""
    _check_profile_name(profile.name)
    if not profile.description.isprintable() or len(profile.description) > MAX_DESCRIPTION_CHARS:
        raise InvalidSettingError(
            f"The description of a profile must be one printable line of at most {MAX_DESCRIPTION_CHARS} characters."
        )
    if profile.system is not None:
        _check_system(profile.system)
    _check_members("defaults", profile.defaults)
    _check_members("template_kwargs", profile.template_kwargs)
    for name, value in profile.defaults.items():
        _check_default(name, value)
    for name in profile.strip:
        if name in UNSTRIPPABLE_FIELDS or not _FIELD.fullmatch(name):
            raise InvalidSettingError(f"A profile cannot strip {name!a}: name another field of the request.")
    if len(profile.strip) > MAX_FIELDS:
        raise InvalidSettingError(f"A profile can strip at most {MAX_FIELDS} fields.")


def _check_profile_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name in PATH_SEGMENTS:
        raise InvalidSettingError(
            f"{name!a} cannot name a profile: use 1 to 64 letters, digits and the characters '.', '_' and '-', "
            "but not '.' or '..'."
        )
    if name.casefold() == LATEST_TAG[1:]:
        raise InvalidSettingError("'latest' cannot name a profile: 'MODEL:latest' is the model itself.")


def _check_system(text: str) -> None:
    if not text.strip() or len(text) > MAX_TEXT_CHARS:
        raise InvalidSettingError(f"A system prompt must have 1 to {MAX_TEXT_CHARS} characters.")
    if not _is_unicode(text):
        raise InvalidSettingError("The system prompt is not valid Unicode.")


def _check_members(what: str, members: Mapping[str, Any]) -> None:
    for name in members:
        if not _FIELD.fullmatch(name):
            raise InvalidSettingError(
                f"{name!a} cannot be a field of a profile: use letters, digits, '.', '_' and '-'."
            )
    try:
        text = json.dumps(members, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        raise InvalidSettingError(f"{what} has a value that JSON does not have, such as NaN.") from None
    if len(members) > MAX_FIELDS or not _is_unicode(text) or len(text.encode()) > MAX_JSON_BYTES:
        raise InvalidSettingError(
            f"{what} can have at most {MAX_FIELDS} fields and {MAX_JSON_BYTES} bytes of valid Unicode."
        )
    for name, value in members.items():
        if _is_deeper(value, MAX_VALUE_DEPTH):
            raise InvalidSettingError(f"'{name}' is nested more than {MAX_VALUE_DEPTH} deep.")


def _is_unicode(text: str) -> bool:
    """Whether a text has no half of a surrogate pair, which the engine refuses."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_deeper(value: object, depth: int) -> bool:
    """Whether a value is nested more than ``depth`` deep. Stops there: a value may be nested thousands deep."""
    children = (
        value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else None
    )
    if children is None:
        return False
    return depth == 0 or any(_is_deeper(child, depth - 1) for child in children)


def _check_default(name: str, value: object) -> None:
    if name in PROTECTED_FIELDS:
        raise InvalidSettingError(
            f"A profile cannot set '{name}' as a default: use its own option, or leave it to the request."
        )
    if value is None:
        raise InvalidSettingError(f"'{name}' is null in the profile, which sets nothing: leave it out.")
    if name in RULES and not RULES[name].accepts(value):
        raise InvalidSettingError(f"'{name}' must be {RULES[name].expected}.")


@dataclass(frozen=True, slots=True)
class ValueRule:
    """What a well-known default accepts."""

    expected: str
    """The end of "must be …"."""
    accepts: Callable[[object], bool]


def _number(low: float, high: float = math.inf) -> ValueRule:
    def accepts(value: object) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and low <= value <= high and abs(value) != math.inf  # type: ignore[arg-type, operator]

    return ValueRule(f"a number {_range(low, high)}", accepts)


def _integer(low: int, high: int = MAX_INTEGER, meaning: str = "") -> ValueRule:
    def accepts(value: object) -> bool:
        return type(value) is int and low <= value <= high

    expected = f"an integer {_range(low, math.inf if high == MAX_INTEGER else high)}"
    return ValueRule(f"{expected} ({meaning})" if meaning else expected, accepts)


def _range(low: float, high: float) -> str:
    return f"of at least {low:g}" if high == math.inf else f"from {low:.10g} to {high:.10g}"


def _of_type(expected: str, *types: type) -> ValueRule:
    return ValueRule(expected, lambda value: type(value) in types)


def _is_stop(value: object) -> bool:
    texts = value if isinstance(value, list | tuple) else [value]
    return 0 < len(texts) <= MAX_FIELDS and all(isinstance(text, str) and text for text in texts)


def _is_flag_or_count(value: object) -> bool:
    return isinstance(value, int) and value >= 0


def _is_list_of(item: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list | tuple) and all(isinstance(member, item) for member in value)


_STOP = ValueRule(f"a text, or a list of 1 to {MAX_FIELDS} texts", _is_stop)
_TOKENS = _integer(-1, meaning="-1: no limit")
_PROBABILITY = _number(0, 1)
_PENALTY = _number(-2, 2)
_COUNT = _integer(0)
_WINDOW = _integer(-1, meaning="-1: the whole context")
_BOOLEAN = _of_type("true or false", bool)
_TEXT = _of_type("a text", str)
_OBJECT = _of_type("an object", dict)
_TEXTS = ValueRule("a list of texts", _is_list_of(str))
_OBJECTS = ValueRule("a list of objects", _is_list_of(dict))

RULES: Mapping[str, ValueRule] = {
    "temperature": _number(0, 5),
    "top_p": _PROBABILITY,
    "top_k": _integer(0, meaning="0: no limit"),
    "min_p": _PROBABILITY,
    "typical_p": _PROBABILITY,
    "top_n_sigma": _number(-1),
    "xtc_probability": _PROBABILITY,
    "xtc_threshold": _PROBABILITY,
    "dynatemp_range": _number(0),
    "dynatemp_exponent": _number(0),
    "mirostat": _integer(0, 2),
    "mirostat_tau": _number(0),
    "mirostat_eta": _number(0),
    "seed": _integer(-1, 2**32 - 1, "-1: random"),
    "repeat_penalty": _number(0, 5),
    "repeat_last_n": _WINDOW,
    "presence_penalty": _PENALTY,
    "frequency_penalty": _PENALTY,
    "dry_multiplier": _number(0),
    "dry_base": _number(0),
    "dry_allowed_length": _COUNT,
    "dry_penalty_last_n": _WINDOW,
    "dry_sequence_breakers": _TEXTS,
    "stop": _STOP,
    "stop_sequences": _STOP,
    "max_tokens": _integer(1),
    "max_completion_tokens": _integer(1),
    "max_output_tokens": _integer(1),
    "n_predict": _TOKENS,
    "reasoning_budget_tokens": _TOKENS,
    "thinking_budget_tokens": _TOKENS,
    "n": _integer(1),
    "n_keep": _WINDOW,
    "n_probs": _COUNT,
    "top_logprobs": _COUNT,
    "logprobs": ValueRule("true, false or an integer of at least 0", _is_flag_or_count),
    "logit_bias": _of_type("an object or a list", dict, list, tuple),
    "ignore_eos": _BOOLEAN,
    "cache_prompt": _BOOLEAN,
    "parallel_tool_calls": _BOOLEAN,
    "reasoning_effort": _TEXT,
    "reasoning_format": _TEXT,
    "grammar": _TEXT,
    "json_schema": _OBJECT,
    "response_format": _OBJECT,
    "stream_options": _OBJECT,
    "tools": _OBJECTS,
    "tool_choice": _of_type("a text or an object", str, dict),
}
"""Fields of OpenAI's API with its ranges, and of llama.cpp with the types of its ``server-schema.cpp``.

The token limits are within the range of ``proxy.guards.token_limits``. The engine checks all other fields."""
