"""Checks the text of an option's value by its kind. Pure."""

import json
import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from gglib.runtime.engines.llama_cpp.options.csv_lists import scaled_files
from gglib.runtime.engines.llama_cpp.options.option import INT_MAX, INT_MIN, EngineOption, Kind
from gglib.runtime.engines.llama_cpp.options.templates import BUILT_IN_TEMPLATES

_INTEGER = re.compile(r"[+-]?[0-9]{1,10}")
_HEX = re.compile(r"(0[xX])?[0-9a-fA-F]{1,128}")
_CPU_RANGE = re.compile(r"(?=.*\d)\d{0,3}-\d{0,3}")
_PAIR = re.compile(r"[^=,]+=[^=,]+")
_OVERRIDE = re.compile(r"[^=,\s]{1,127}=(int:-?\d+|float:[-+0-9.eE]+|bool:(true|false)|str:.{0,127})")
_RANGE = re.compile(r"\d{1,5} \d{1,5}")
_BIAS = re.compile(r"\d+[+-]\d+(\.\d+)?")
_ADDRESS = re.compile(r"[^:,\s]+:\d{1,5}")
_LAYER_WORDS = ("all", "auto")


def expected_value(option: EngineOption, text: str) -> str | None:
    """Return the expected kind of value if ``text`` is invalid, else None."""
    if "\0" in text:
        return "a value without NUL characters"
    if option.name == "--chat-template" and "{" not in text and text not in BUILT_IN_TEMPLATES:
        return "the name of a built-in template or a template; '--chat-template-file FILE' reads one"
    by_option = {
        Kind.INTEGER: _expected_integer,
        Kind.NUMBER: _expected_number,
        Kind.CHOICE: _expected_choice,
        Kind.CHOICES: _expected_choices,
    }
    return by_option.get(option.kind, _expected_text)(option, text)


def _expected_choice(option: EngineOption, text: str) -> str | None:
    return None if text in option.choices else f"one of {', '.join(option.choices)}"


def _expected_choices(option: EngineOption, text: str) -> str | None:
    is_known = all(part in option.choices for part in text.split(","))
    return None if is_known else f"some of {', '.join(option.choices)}, separated by commas"


def _expected_text(option: EngineOption, text: str) -> str | None:
    """Return what a value of a kind with its own syntax must be."""
    is_valid, words = _BY_KIND.get(option.kind, (None, ""))
    if is_valid is None:
        return _expected_by_name(option.name, text)
    return None if is_valid(text) else words


def _expected_by_name(name: str, text: str) -> str | None:
    """Return what the text of an option of no special kind must be."""
    expected = {
        "--cpu-mask": (_HEX, "a hexadecimal mask such as ff"),
        "--cpu-range": (_CPU_RANGE, "FIRST-LAST, such as 0-3"),
        "--override-tensor": (_PAIR, "PATTERN=TYPE, several separated by commas"),
        "--override-tensor-draft": (_PAIR, "PATTERN=TYPE, several separated by commas"),
        "--override-kv": (_OVERRIDE, "KEY=int|float|bool|str:VALUE, several separated by commas"),
        "--logit-bias": (_BIAS, "TOKEN+BIAS or TOKEN-BIAS"),
        "--rpc": (_ADDRESS, "HOST:PORT, several separated by commas"),
    }.get(name)
    if expected is None:
        return None if text else "a text"
    pattern, words = expected
    return None if _all(text, lambda part: pattern.fullmatch(part) is not None) else words


def _expected_integer(option: EngineOption, text: str) -> str | None:
    if not _INTEGER.fullmatch(text):
        return "a whole number"
    if not option.minimum <= int(text) <= option.maximum:
        return f"a whole number from {option.minimum:.0f} to {option.maximum:.0f}"
    return None


def _expected_number(option: EngineOption, text: str) -> str | None:
    if not _is_finite(text):
        return "a number"
    if not option.minimum <= float(text) <= option.maximum:
        if math.isinf(option.maximum):
            return f"a number of at least {option.minimum:g}"
        return f"a number from {option.minimum:g} to {option.maximum:g}"
    return None


def _all(text: str, is_valid: Callable[[str], bool]) -> bool:
    return all(is_valid(part) for part in text.split(","))


def _is_integer(text: str) -> bool:
    return _INTEGER.fullmatch(text) is not None and INT_MIN <= int(text) <= INT_MAX


def _is_natural(text: str) -> bool:
    return _is_integer(text) and int(text) >= 0


def _is_finite(text: str) -> bool:
    try:
        return text.isascii() and "_" not in text and text == text.strip() and math.isfinite(float(text))
    except ValueError:
        return False


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _is_scaled(text: str) -> bool:
    try:
        return bool(text) and all(math.isfinite(scale) for _, scale in scaled_files(text))
    except ValueError:
        return False


_BY_KIND: Mapping[Kind, tuple[Callable[[str], bool], str]] = MappingProxyType(
    {
        Kind.LAYERS: (
            lambda text: text in _LAYER_WORDS or _is_integer(text),
            "a whole number, 'all' or 'auto'",
        ),
        Kind.INTEGERS: (lambda text: _all(text, _is_natural), "whole numbers, separated by commas"),
        Kind.NUMBERS: (
            lambda text: _all(text.replace("/", ","), _is_finite),
            "numbers, separated by commas",
        ),
        Kind.JSON: (_is_json_object, "a JSON object"),
        Kind.RANGE: (
            lambda text: _RANGE.fullmatch(text) is not None,
            "two whole numbers, first and last layer",
        ),
        Kind.FILE: (bool, "the path of a file"),
        Kind.FILES: (bool, "the path of a file"),
        Kind.SCALED_FILES: (_is_scaled, "FILE:SCALE, several separated by commas"),
    }
)
