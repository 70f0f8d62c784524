"""Converts engine arguments into fields of the embedded engine's parameters."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from gglib.core.errors import EngineArgumentError
from gglib.runtime.engines.llama_cpp.options.option import ON, EngineOption, Kind
from gglib.runtime.engines.llama_cpp.options.parsing import passed_arguments
from gglib.runtime.engines.llama_cpp.options.templates import is_plain_template

_NOT_EMBEDDED: Mapping[str, str] = MappingProxyType(
    {
        "--device": "choose GPUs with 'gglib set MODEL --env CUDA_VISIBLE_DEVICES=0', or '--gpu-layers 0' for none",
        "--json-schema": "clients may send 'response_format' with each request",
    }
)
"""What to use instead of an option that the wheel's parameters have no field for."""


def embedded_fields(arguments: Sequence[str]) -> dict[str, object]:
    """Return the fields that a model's arguments set, nested ones dotted; all values can be written as JSON.

    Reads the files of ``--chat-template-file`` and ``--grammar-file``. Raises ``EngineArgumentError`` like
    ``parse_engine_args``, for an option without a field, and for a file that cannot be read.
    """
    fields: dict[str, object] = {}
    for option, text in passed_arguments(arguments):
        field = require_field(option)
        value = _encoded(option, text)
        fields[field] = _added(fields.get(field), value)
        if option.name == "--chat-template" and is_plain_template(text):
            fields["use_jinja"] = False
        for name, default in option.also:
            fields.setdefault(name, default)
    return fields


def require_field(option: EngineOption) -> str:
    """Return the field of an option. Raises ``EngineArgumentError`` if the embedded engine has none."""
    if option.field is not None:
        return option.field
    instead = _NOT_EMBEDDED.get(option.name)
    raise EngineArgumentError(
        f"The embedded engine (xllamacpp) does not take '{option.name}': "
        f"{instead + ', ' if instead else 'leave this argument out, '}"
        "or install llama.cpp so that llama-server is on the PATH."
    )


def _added(before: object, value: object) -> object:
    """Return the value of a field after another argument: lists, objects and overrides of tensors add up."""
    if isinstance(before, list) and isinstance(value, list) and before and isinstance(before[0], list):
        return [*before, *value]
    if isinstance(before, dict) and isinstance(value, dict):
        return {**before, **value}
    if isinstance(before, str) and isinstance(value, str) and "=CPU" in before + value:
        return ",".join(part for part in (before, value) if part)
    return value


def _encoded(option: EngineOption, text: str) -> object:
    try:
        return _encoder(option)(text)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise EngineArgumentError(f"The file '{text}' of '{option.name}' cannot be read: {reason}.") from None


def _encoder(option: EngineOption) -> Callable[[str], object]:
    if option.encode is not None:
        return option.encode
    if option.members:
        return option.members.__getitem__
    return _BY_KIND.get(option.kind, str)


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.replace("/", ",").split(",")]


_BY_KIND: Mapping[Kind, Callable[[str], object]] = MappingProxyType(
    {Kind.INTEGER: int, Kind.NUMBER: float, Kind.SWITCH: ON.__eq__, Kind.NUMBERS: _numbers}
)
