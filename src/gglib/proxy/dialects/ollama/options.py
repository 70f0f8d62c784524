"""Translates ``options`` to fields of llama-server. Pure.

Names and types: Ollama's documentation of Modelfile parameters. Unknown names are ignored, as Ollama ignores them, and
so are those that control the hardware or the load: gglib decides these itself.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from gglib.proxy.errors import BadRequestError

Fields = dict[str, Any]


class _Option(NamedTuple):
    type_name: str
    """As in Ollama's error message."""
    read: Callable[[object], Any]
    """Returns the value; raises TypeError for another type."""
    field: str | None
    """The engine's field; None: the option is checked and ignored."""


def _integer(value: object) -> int:
    """Return an integer of at most 64 bits; numbers with a fraction are truncated, as Ollama does."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return max(_MIN_INTEGER, min(int(value), _MAX_INTEGER))


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return value


def _texts(value: object) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise TypeError
    return [text for text in texts if text]


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _int_option(field: str | None) -> _Option:
    return _Option("integer", _integer, field)


def _float_option(field: str | None) -> _Option:
    return _Option("float32", _number, field)


_IGNORED_BOOLEAN = _Option("boolean", _boolean, None)

_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**63 - 1
NUM_CTX, NUM_PREDICT = "num_ctx", "num_predict"

_OPTIONS: Mapping[str, _Option] = {
    NUM_CTX: _int_option("num_ctx"),
    NUM_PREDICT: _int_option("max_tokens"),
    "num_keep": _int_option("n_keep"),
    "seed": _int_option("seed"),
    "temperature": _float_option("temperature"),
    "top_k": _int_option("top_k"),
    "top_p": _float_option("top_p"),
    "min_p": _float_option("min_p"),
    "typical_p": _float_option("typical_p"),
    "repeat_last_n": _int_option("repeat_last_n"),
    "repeat_penalty": _float_option("repeat_penalty"),
    "presence_penalty": _float_option("presence_penalty"),
    "frequency_penalty": _float_option("frequency_penalty"),
    "mirostat": _int_option("mirostat"),
    "mirostat_tau": _float_option("mirostat_tau"),
    "mirostat_eta": _float_option("mirostat_eta"),
    "stop": _Option("array", _texts, "stop"),
    "num_batch": _int_option(None),
    "num_gpu": _int_option(None),
    "main_gpu": _int_option(None),
    "num_thread": _int_option(None),
    "use_mmap": _IGNORED_BOOLEAN,
    "use_mlock": _IGNORED_BOOLEAN,
    "numa": _IGNORED_BOOLEAN,
    "low_vram": _IGNORED_BOOLEAN,
    "penalize_newline": _IGNORED_BOOLEAN,
    "tfs_z": _float_option(None),
}
ENGINE_FIELDS: Mapping[str, str] = {
    option.field: name for name, option in _OPTIONS.items() if option.field is not None
}
"""The option of each field of the engine."""


def engine_fields(options: Mapping[str, Any] | None) -> Fields:
    """Return the engine's fields for ``options``, in the order of the options.

    Raises ``BadRequestError`` in Ollama's words for a value of another type; null sets nothing. ``num_ctx`` and
    ``num_predict`` of 0 or less set nothing: the default context, and no limit.
    """
    fields: Fields = {}
    for name, value in (options or {}).items():
        option = _OPTIONS.get(name)
        if option is None or value is None:
            continue
        try:
            read = option.read(value)
        except (TypeError, ValueError, OverflowError):
            raise BadRequestError(
                f'option "{name}" must be of type {option.type_name}', f"options.{name}"
            ) from None
        sets_nothing = (name in {NUM_CTX, NUM_PREDICT} and read <= 0) or read == []
        if option.field is not None and not sets_nothing:
            fields[option.field] = read
    return fields


def as_native(fields: Mapping[str, Any]) -> Fields:
    """Return the fields under their names in llama-server's own format: ``n_predict`` for ``max_tokens``."""
    return {"n_predict" if name == "max_tokens" else name: value for name, value in fields.items()}


def parameters_text(fields: Mapping[str, Any]) -> str:
    """Return fields of the engine as the text of ``parameters``: a line for each value, names padded to 30."""
    lines: list[str] = []
    for field, value in fields.items():
        name = ENGINE_FIELDS.get(field)
        if name is not None:
            lines += [
                f"{name:<30} {_shown(item)}" for item in (value if isinstance(value, list) else [value])
            ]
    return "\n".join(lines)


def _shown(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
