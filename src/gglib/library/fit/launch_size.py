"""The size of a launch: from the measured peak of earlier loads, else from the estimate. Pure; sizes in bytes.

1. Nothing was measured: the estimate and 5 %.
2. Measured: the peak, plus what the engine may still touch (its compute buffers, its prompt cache and heap), at most
   rule 1; at least the peak.
3. A device that was not measured, such as a GPU whose driver does not show processes: rule 1.
4. The last load ran out of memory: at least the guess of ``core.memory.after_out_of_memory``, until a load succeeds.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from gglib.core.memory import RAM, DeviceBytes, MemoryNeed
from gglib.core.models import ModelLaunchSpec

MARGIN_SHARE = 20
"""The estimate deviates by up to 5 % (bench/fit.py)."""
PROCESS_GROWTH_BYTES = 16 * 1024**2
"""Heap that requests allocate, and library pages that are shared with other engines until these exit: after the first
requests, engines of tiny models took up to 10 MiB more than right after their load, without their compute buffers."""
MIN_PROMPT_CACHE_MIB = 1
"""0 would switch it off."""
_MIB = 1024**2


def with_margin(sizes: DeviceBytes) -> dict[str, int]:
    """Return the estimated sizes with their margin."""
    return {device: size + -(-size // MARGIN_SHARE) for device, size in sizes.items()}


def launch_size(
    estimated: DeviceBytes,
    peak: DeviceBytes | None,
    *,
    untouched: DeviceBytes,
    guess: DeviceBytes | None = None,
) -> dict[str, int]:
    """Return the size of a launch.

    ``untouched`` is what a measured peak may lack, by device. ``guess`` is the expected size after a load that ran out
    of memory.
    """
    expected = with_margin(estimated)
    measured = {
        device: max(size, min(size + untouched.get(device, 0), expected.get(device, size)))
        for device, size in (peak or {}).items()
    }
    return larger(expected | measured, guess or {})


def untouched_bytes(need: MemoryNeed, devices: Sequence[str], *, prompt_cache_bytes: int) -> dict[str, int]:
    """Return what a measurement may lack on each of ``devices``: buffers that no prompt has used yet."""
    in_ram = prompt_cache_bytes + PROCESS_GROWTH_BYTES
    return {device: need.compute_bytes + (in_ram if device == RAM else 0) for device in devices}


def larger(first: DeviceBytes, second: DeviceBytes) -> dict[str, int]:
    """Return the larger size of each device."""
    return {**first, **{device: max(size, first.get(device, 0)) for device, size in second.items()}}


def prompt_cache_limit_mib(need: MemoryNeed, *, slots: int, most_mib: int) -> int:
    """Return the limit of the engine's prompt cache in MiB, where several models share the memory.

    The cache of one slot: one earlier prompt of the whole context, or several short ones. The engine keeps at least one
    prompt whatever the limit (``server_prompt_cache::update``), so a smaller limit would not hold. A single model may
    use ``most_mib``, a share of the machine; with several models these shares would add up.
    """
    one_slot = -(-need.kv_bytes // max(1, slots) // _MIB)
    return min(most_mib, max(MIN_PROMPT_CACHE_MIB, one_slot))


def launch_key(  # noqa: PLR0913 - what the memory depends on
    spec: ModelLaunchSpec,
    *,
    files: Sequence[tuple[Path, int, int]],
    context: int,
    slots: int,
    prompt_cache_mib: int,
    engine: str,
) -> str:
    """Return the key of a measured peak: the same content with the same options.

    ``files`` are path, size and modification time of each file. The directory does not matter: a home may be moved.
    """
    identity: list[list[object]] = [
        [[path.name, size, modified_ns] for path, size, modified_ns in files],
        [context, slots, prompt_cache_mib, engine, spec.settings.engine_args],
        [spec.capabilities.names(), spec.pooling],
    ]
    if spec.settings.environment or spec.settings.extra_args:
        identity.append([spec.settings.environment, spec.settings.extra_args])
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]
