"""The engine arguments that a model may set, as a table. Pure.

An allow-list: it excludes options that would change the address, the key, the files or the log.
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gglib.core.errors import EngineArgumentError
from gglib.core.runtime.slots import clamp_slots

_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1
"""llama.cpp parses integers as 32 bits (``std::stoi``) and exits if one is out of range."""
_INTEGER = re.compile(r"[+-]?[0-9]{1,10}")
_CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")
"""``kv_cache_types`` in llama.cpp's ``common/arg.cpp``."""


@dataclass(frozen=True, slots=True)
class EngineOption:
    """An option of llama-server and the equivalent field of the embedded engine's parameters."""

    names: tuple[str, ...]
    """The long name first."""
    field: str | None = None
    """Dotted path of the field; None if the embedded engine has none."""
    kind: type = int
    """Type of the value; ``bool`` for a switch without a value, ``dict`` for a JSON object."""
    choices: tuple[str, ...] = ()
    """The values that llama.cpp accepts; empty: any."""
    minimum: int = _INT_MIN
    """The smallest accepted number."""
    maximum: int = _INT_MAX


_SLOTS = EngineOption(("--parallel", "-np"), "n_parallel")

ENGINE_OPTIONS = (
    EngineOption(("--threads", "-t"), "cpuparams.n_threads"),
    EngineOption(("--threads-batch", "-tb"), "cpuparams_batch.n_threads"),
    EngineOption(("--batch-size", "-b"), "n_batch", minimum=1),
    EngineOption(("--ubatch-size", "-ub"), "n_ubatch", minimum=1),
    _SLOTS,
    EngineOption(("--cache-ram", "-cram"), "cache_ram_mib"),
    EngineOption(("--cache-reuse",), "n_cache_reuse"),
    EngineOption(("--gpu-layers", "--n-gpu-layers", "-ngl"), "n_gpu_layers"),
    EngineOption(("--main-gpu", "-mg"), "main_gpu"),
    EngineOption(("--keep",), "n_keep"),
    EngineOption(("--predict", "--n-predict", "-n"), "n_predict"),
    EngineOption(("--rope-freq-base",), "rope_freq_base", float),
    EngineOption(("--rope-freq-scale",), "rope_freq_scale", float),
    EngineOption(("--temp", "--temperature"), "sampling.temp", float),
    EngineOption(("--top-k",), "sampling.top_k"),
    EngineOption(("--top-p",), "sampling.top_p", float),
    EngineOption(("--min-p",), "sampling.min_p", float),
    EngineOption(("--seed", "-s"), "sampling.seed", maximum=2**32 - 1),  # -1: random
    EngineOption(("--repeat-penalty",), "sampling.penalty_repeat", float),
    EngineOption(("--swa-full",), "swa_full", bool),
    EngineOption(("--no-warmup",), None, bool),
    EngineOption(("--mlock",), None, bool),
    EngineOption(("--no-mmap",), None, bool),
    EngineOption(("--load-mode",), None, str),
    EngineOption(("--flash-attn", "-fa"), None, str, ("on", "off", "auto")),
    EngineOption(("--cache-type-k", "-ctk"), None, str, _CACHE_TYPES),
    EngineOption(("--cache-type-v", "-ctv"), None, str, _CACHE_TYPES),
    EngineOption(("--device", "-dev"), None, str),
    EngineOption(("--split-mode", "-sm"), None, str, ("none", "layer", "row", "tensor")),
    EngineOption(("--tensor-split", "-ts"), None, str),
    EngineOption(("--override-tensor", "-ot"), None, str),
    EngineOption(("--cpu-moe", "-cmoe"), None, bool),
    EngineOption(("--n-cpu-moe", "-ncmoe"), None, int),
    EngineOption(("--reasoning-format",), None, str, ("none", "auto", "deepseek", "deepseek-legacy")),
    EngineOption(("--reasoning-budget",), None, int),
    EngineOption(("--chat-template-kwargs",), None, dict),
    EngineOption(("--pooling",), "pooling_type", str, ("none", "mean", "cls", "last", "rank")),
    EngineOption(("--fit",), None, str, ("on", "off")),
)

_BY_NAME = {name: option for option in ENGINE_OPTIONS for name in option.names}


def parse_engine_args(arguments: Sequence[str]) -> Iterator[tuple[EngineOption, str | None]]:
    """Yield each option with the text of its value, None for a switch.

    Accepts ``--name value`` and ``--name=value``. Raises ``EngineArgumentError`` for an option that is not listed, a
    missing value or a value of the wrong type.
    """
    rest = iter(arguments)
    for argument in rest:
        name, has_value, value = argument.partition("=")
        option = _BY_NAME.get(name)
        if option is None:
            raise EngineArgumentError(f"Engine argument '{name}' is not one that a model may set.")
        if option.kind is bool:
            if has_value:
                raise EngineArgumentError(f"Engine argument '{name}' takes no value.")
            yield option, None
            continue
        text = value if has_value else next(rest, None)
        yield option, _validated_value(name, option, text)


def launch_slots(arguments: Sequence[str], *, setting: int, context: int) -> int:
    """Return the wanted number of slots of ``context`` tokens, before memory is considered.

    The model's arguments set it, the last one if there are several; otherwise, and for values below 1 (automatic in
    llama-server), it is ``setting``. Raises like ``parse_engine_args``.
    """
    wanted = [
        int(text) for option, text in parse_engine_args(arguments) if option is _SLOTS and text is not None
    ]
    return clamp_slots(wanted[-1] if wanted and wanted[-1] > 0 else setting, context)


def passed_arguments(arguments: Sequence[str]) -> Iterator[tuple[EngineOption, str | None]]:
    """Yield the arguments that are passed to the engine: all except the number of slots, which the launch plan sets."""
    return (parsed for parsed in parse_engine_args(arguments) if parsed[0] is not _SLOTS)


def _validated_value(name: str, option: EngineOption, text: str | None) -> str:
    if text is None:
        raise EngineArgumentError(f"Engine argument '{name}' needs a value.")
    needed = _expected_value(option, text)
    if needed is not None:
        raise EngineArgumentError(f"Engine argument '{name}' needs {needed}, not '{text}'.")
    return text


def _expected_value(option: EngineOption, text: str) -> str | None:
    """Return the expected kind of value if ``text`` is invalid, else None."""
    if option.kind is int:
        if not _INTEGER.fullmatch(text):
            return "a whole number"
        if not option.minimum <= int(text) <= option.maximum:
            return f"a whole number from {option.minimum} to {option.maximum}"
    elif option.kind is float:
        return None if _is_finite(text) else "a number"
    elif option.kind is dict:
        return None if _is_json_object(text) else "a JSON object"
    elif option.choices and text not in option.choices:
        return f"one of {', '.join(option.choices)}"
    return None


def _is_finite(text: str) -> bool:
    try:
        return text.isascii() and "_" not in text and math.isfinite(float(text))
    except ValueError:
        return False


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
