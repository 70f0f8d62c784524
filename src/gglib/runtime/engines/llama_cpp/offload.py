"""Parses the engine arguments that place a model on GPUs. Pure."""

import re
from collections.abc import Mapping, Sequence

from gglib.core.runtime.offload import Offload
from gglib.runtime.engines.llama_cpp.options import final_values

_ALL = 2**31 - 1
_DEVICE_NUMBER = re.compile(r"\d+$")
_CPU_ONLY = "none"
_SPLIT_SEPARATORS = re.compile("[,/]+")
"""llama.cpp splits the value of ``--tensor-split`` at both characters."""


def parse_offload(arguments: Sequence[str]) -> Offload:
    """Return the placement that a model's engine arguments ask for.

    A device is identified by the number in its name (``CUDA1``, ``Vulkan0``). The last of repeated options applies, as
    in llama.cpp. Raises ``EngineArgumentError`` like ``parse_engine_args``.
    """
    values = final_values(arguments)
    return Offload(
        gpus=_gpus(values),
        gpu_layers=_gpu_layers(values),
        shares=_shares(values.get("--tensor-split") or ""),
        cpu_expert_layers=_ALL if "--cpu-moe" in values else int(values.get("--n-cpu-moe") or 0),
    )


def prompt_cache_argument(arguments: Sequence[str]) -> int | None:
    """Return the limit of the prompt cache that a model's arguments set, in MiB: -1 is unlimited. None: not set.

    Raises ``EngineArgumentError`` like ``parse_engine_args``.
    """
    text = final_values(arguments).get("--cache-ram")
    return None if text is None else int(text)


def _gpus(values: Mapping[str, str]) -> tuple[int, ...] | None:
    gpus = _device_numbers(values.get("--device"))
    if values.get("--split-mode") != "none":
        return gpus
    main = max(0, int(values.get("--main-gpu") or 0))
    if gpus is None:
        return (main,)
    return gpus[main : main + 1]  # llama.cpp counts within the list of devices


def _device_numbers(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    if text == _CPU_ONLY:
        return ()
    found = (_DEVICE_NUMBER.search(name.strip()) for name in text.split(","))
    return tuple(int(match[0]) for match in found if match is not None)


def _gpu_layers(values: Mapping[str, str]) -> int | None:
    text = values.get("--gpu-layers") or "auto"
    if text == "all":
        return _ALL
    layers = -1 if text == "auto" else int(text)
    if layers < 0:  # automatic: all, unless the engine reduces them to what fits
        return _ALL if values.get("--fit") == "off" else None
    return layers


def _shares(text: str) -> tuple[float, ...]:
    return tuple(max(0.0, float(part)) for part in _SPLIT_SEPARATORS.split(text) if part)
