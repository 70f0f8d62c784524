"""Distributes the memory need of a model over RAM and GPUs, as llama.cpp does. Pure; sizes in bytes.

1. Without GPUs, or if the launch uses none: all in RAM. A Mac's GPU uses the RAM and is not listed: one device.
2. The process itself and the prompt cache are in RAM.
3. Weights and cache are split over the GPUs by layers, in proportion to their memory or by the launch's shares
   (``llama_model_base::load_tensors``; the engine uses the free memory, which is not known in advance).
4. Layers that the launch keeps on the CPU, and experts kept there, are in RAM.
5. What exceeds a GPU's capacity is in RAM (``--fit on``, the default), unless the launch sets the number of layers:
   then the engine places them whether they fit or not.
6. Each used GPU has a compute buffer and the driver's context, also without layers: the engine computes large batches
   there. RAM has a compute buffer if layers remain there.
"""

from collections.abc import Mapping, Sequence

from gglib.core.memory import RAM, DeviceBytes, MemoryNeed
from gglib.core.runtime.offload import Offload

_MIB = 1024**2
GPU_CONTEXT_BYTES = 400 * _MIB
"""CUDA's context and kernels on each GPU that a process uses: 200 to 500 MiB, by GPU and driver. Assumed until a
load was measured."""
_UNKNOWN_LAYERS = 32
_EXPERT_REST = 5
"""A fifth of the weights of a layer whose experts stay in RAM also counts on the GPU: its attention and shared experts,
3 % in Mixtral 8x7B and Qwen3-30B-A3B. The whole layer counts in RAM. Both are upper bounds."""


def gpu_name(number: int) -> str:
    """Return the device name of a GPU."""
    return f"gpu{number}"


def device_sizes(
    need: MemoryNeed,
    *,
    gpus: DeviceBytes,
    offload: Offload,
    layers: int | None,
    prompt_cache_bytes: int = 0,
) -> dict[str, int]:
    """Return the bytes by device that a launch takes; devices without any are missing.

    ``gpus`` is the capacity of each GPU, in order of their numbers; ``layers`` is the number of layers of the model.
    """
    shares = _shares(gpus, offload)
    if not shares:
        return {RAM: need.total_bytes + prompt_cache_bytes}
    movable = need.weights_bytes + need.kv_bytes
    experts = need.weights_bytes * _share_of_layers(offload.cpu_expert_layers, layers)
    at_most = _share_of_layers(offload.gpu_layers, layers)
    wanted = (movable - experts * (_EXPERT_REST - 1) / _EXPERT_REST) * at_most
    fixed = need.compute_bytes + GPU_CONTEXT_BYTES
    placed = {name: round(wanted * share) for name, share in shares.items()}
    if offload.gpu_layers is None:
        placed = {name: min(size, max(0, gpus[name] - fixed)) for name, size in placed.items()}
    on_gpus = {name: size + fixed for name, size in placed.items()}
    if offload.gpu_layers is None:
        on_gpus = {name: min(size, gpus[name]) for name, size in on_gpus.items()}
    in_ram = max(movable - sum(placed.values()), round(experts))
    in_ram += need.compute_bytes if in_ram > 0 else 0
    return {RAM: in_ram + need.overhead_bytes + prompt_cache_bytes, **on_gpus}


def _shares(gpus: DeviceBytes, offload: Offload) -> dict[str, float]:
    """Return the share of each GPU that is used; they add up to 1."""
    names = list(gpus) if offload.gpus is None else [gpu_name(number) for number in offload.gpus]
    weights: Mapping[str, float] = {
        name: weight for name, weight in _weights(names, gpus, offload.shares).items() if weight > 0
    }
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def _weights(names: Sequence[str], gpus: DeviceBytes, shares: Sequence[float]) -> dict[str, float]:
    if not any(shares):
        return {name: gpus.get(name, 0) for name in names}
    return {name: share for name, share in zip(names, shares, strict=False) if name in gpus}


def _share_of_layers(count: int | None, layers: int | None) -> float:
    """Return ``count`` as a share of all layers; None: all. llama.cpp counts the output as one more layer."""
    if count is None:
        return 1.0
    return min(1.0, count / ((layers or _UNKNOWN_LAYERS) + 1))
