"""The memory accounts of this machine: sizes of launches, budgets and limits, and the measured memory of engines.

Implements the runtime's ``MemoryAccounts`` with the estimate (``library.fit``), the readers of ``system`` and the
catalogue's peaks. Under a budget a launch has as many slots as fit into the budget, and a prompt cache that is part of
its size: use ``fit_slots`` and ``prompt_cache_mib`` for the launches, too, so that engines take what was promised.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from gglib.app.memory import engine_memory, launch_facts, size_and_mtime, weights_bytes
from gglib.core.errors import CatalogError
from gglib.core.kinds import launch_spec
from gglib.core.memory import RAM, DeviceBytes, MachineMemory, MemoryNeed
from gglib.core.models import ModelLaunchSpec, ModelSummary
from gglib.core.ports.catalog import ModelCatalogPort
from gglib.core.ports.memory_peaks import MemoryPeakStorePort
from gglib.library.fit.advice import advice_text, smaller_contexts, smaller_quantizations
from gglib.library.fit.budget import budgets, free_of, is_within, limits, totals_of
from gglib.library.fit.devices import device_sizes, gpu_name
from gglib.library.fit.estimate import estimate
from gglib.library.fit.launch_size import (
    after_out_of_memory,
    larger,
    launch_key,
    launch_size,
    prompt_cache_limit_mib,
    untouched_bytes,
)
from gglib.library.fit.slots import most_slots
from gglib.runtime.engines import Engine
from gglib.runtime.engines.llama_cpp.offload import parse_offload, prompt_cache_argument
from gglib.runtime.engines.llama_cpp.options import launch_slots
from gglib.runtime.engines.llama_cpp.prompt_cache import MAX_MIB, prompt_cache_mib
from gglib.system import read_ram
from gglib.system.gpus import GpuState, read_gpu_states
from gglib.system.process_memory import GroupMemory, read_groups
from gglib.system.ram import Ram

logger = logging.getLogger("gglib")

_MIB = 1024 * 1024
_NOTABLE_SHARE = 100
"""A peak is written to the catalogue if it grows by more than a hundredth: each write waits for the disk."""


class CatalogWithPeaks(ModelCatalogPort, MemoryPeakStorePort, Protocol):
    """The models and their measured peaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryReaders:
    """Reads this machine's memory. All of them block."""

    ram: Callable[[], Ram] = read_ram
    gpus: Callable[[], tuple[GpuState, ...]] = read_gpu_states
    groups: Callable[..., Mapping[int, GroupMemory]] = read_groups


@dataclass(frozen=True, slots=True, kw_only=True)
class _Launch:
    """What a launch takes before it is measured."""

    key: str
    need: MemoryNeed
    estimated: DeviceBytes
    prompt_cache_bytes: int


@dataclass(slots=True, kw_only=True)
class LocalMemoryAccounts:
    """The ``MemoryAccounts`` of engines on this machine; created by ``open_accounts``."""

    _engine: Engine
    _catalog: CatalogWithPeaks
    _slots: int
    _totals: DeviceBytes
    _budget: DeviceBytes
    _peaks: dict[str, DeviceBytes]
    _readers: MemoryReaders
    _sizes_by_pid: dict[int, DeviceBytes] = field(default_factory=dict)
    """The expected sizes of running engines, for drivers that do not show processes."""

    @property
    def budget(self) -> DeviceBytes:
        """How much all models together may take, by device."""
        return self._budget

    def reconfigure(self, *, slots: int, memory: DeviceBytes) -> None:
        """Apply other settings (``open_accounts``). Loaded models keep their slots until they are loaded again."""
        self._slots = slots
        self._budget = budgets(self._totals, memory)

    @property
    def read_gpus(self) -> Callable[[], tuple[GpuState, ...]] | None:
        """Reads the GPUs that the engine uses; None without any."""
        return self._readers.gpus if self._totals.keys() - {RAM} else None

    async def size_of(self, spec: ModelLaunchSpec, context: int) -> DeviceBytes:
        """Return what a launch with ``context`` tokens takes: see ``library.fit.launch_size``.

        Raises ``EngineArgumentError`` for an engine argument that a model may not set.
        """
        return await asyncio.to_thread(self._size, spec, context)

    async def limits(self, pids: Sequence[int]) -> DeviceBytes:
        """Return the budget, or less where other programs use the memory; ``pids`` are the running engines."""
        return await asyncio.to_thread(self._limits, pids)

    async def measure(self, spec: ModelLaunchSpec, context: int, pid: int) -> DeviceBytes | None:
        """Measure a running engine, keep the peak, and return the size that follows from it.

        That is what ``size_of`` returns from now on: at least the measured memory, and what the engine may still touch.
        Pages of repacked weights that stay mapped do not count: the system takes them when it needs memory. None if the
        engine's memory cannot be read.
        """
        launch, measured = await asyncio.to_thread(self._measure, spec, context, pid)
        if measured is None:
            return None
        size = await self._record(launch, measured)
        self._sizes_by_pid[pid] = size
        return size

    async def record_out_of_memory(
        self, spec: ModelLaunchSpec, context: int, size: DeviceBytes
    ) -> DeviceBytes:
        """Record that a load with an expected ``size`` ran out of memory; return the raised size for the next one.

        It is at most the budget: a model that may be loaded alone can be tried again.
        """
        launch = await asyncio.to_thread(self._launch, spec, context)
        return await self._record(launch, after_out_of_memory(size, self._budget))

    async def advice(self, spec: ModelLaunchSpec, context: int) -> str:
        """Return what would fit into the budget instead, with commands, in one sentence; empty if nothing does."""
        models = await self._catalog.list_models()
        return await asyncio.to_thread(self._advice, spec, context, models)

    def fit_slots(self, spec: ModelLaunchSpec, context: int, wanted: int) -> int:
        """Return the slots of a launch: as many as fit into the budget, at least one. A ``FitSlots``; blocks."""
        return most_slots(
            lambda slots: is_within(self._size_of(self._planned(spec, context, slots)), self._budget), wanted
        )

    def prompt_cache_mib(self, spec: ModelLaunchSpec, context: int, slots: int) -> int:
        """Return the limit of the prompt cache of a launch, in MiB; blocks."""
        return self._default_prompt_cache_mib(self._need(spec, context, slots), slots)

    def _size(self, spec: ModelLaunchSpec, context: int) -> DeviceBytes:
        """Return the size of a launch; a measured one is at most the budget: it ran alone, and may do so again."""
        launch = self._launch(spec, context)
        size = self._size_of(launch)
        if launch.key not in self._peaks:
            return size
        return {device: min(taken, self._budget.get(device, taken)) for device, taken in size.items()}

    def _size_of(self, launch: _Launch) -> DeviceBytes:
        untouched = untouched_bytes(
            launch.need, tuple(launch.estimated), prompt_cache_bytes=launch.prompt_cache_bytes
        )
        return launch_size(launch.estimated, self._peaks.get(launch.key), untouched=untouched)

    def _launch(self, spec: ModelLaunchSpec, context: int) -> _Launch:
        wanted = launch_slots(spec.settings.engine_args, setting=self._slots, context=context)
        return self._planned(spec, context, self.fit_slots(spec, context, wanted))

    def _planned(self, spec: ModelLaunchSpec, context: int, slots: int) -> _Launch:
        facts, need = launch_facts(spec), self._need(spec, context, slots)
        cache_mib = self._counted_prompt_cache_mib(spec, need, slots)
        estimated = device_sizes(
            need,
            gpus={name: size for name, size in self._budget.items() if name != RAM},
            offload=parse_offload(spec.settings.engine_args),
            layers=facts.block_count if facts else None,
            prompt_cache_bytes=cache_mib * _MIB,
        )
        key = launch_key(
            spec,
            files=_files(spec),
            context=context,
            slots=slots,
            prompt_cache_mib=cache_mib,
            engine=self._engine.kind,
        )
        return _Launch(key=key, need=need, estimated=estimated, prompt_cache_bytes=cache_mib * _MIB)

    def _need(self, spec: ModelLaunchSpec, context: int, slots: int) -> MemoryNeed:
        return estimate(launch_facts(spec), weights_bytes=weights_bytes(spec), context=context, slots=slots)

    def _counted_prompt_cache_mib(self, spec: ModelLaunchSpec, need: MemoryNeed, slots: int) -> int:
        """Return the prompt cache that counts: none for embeddings and reranking, which do not use it."""
        if spec.capabilities.embedding or spec.capabilities.rerank:
            return 0
        own = prompt_cache_argument(spec.settings.engine_args)
        if own is None:
            return self._default_prompt_cache_mib(need, slots)
        return MAX_MIB if own < 0 else own  # unlimited: it grows slowly, and a measured peak replaces this

    def _default_prompt_cache_mib(self, need: MemoryNeed, slots: int) -> int:
        return prompt_cache_limit_mib(need, slots=slots, most_mib=prompt_cache_mib(self._totals.get(RAM)))

    def _limits(self, pids: Sequence[int]) -> DeviceBytes:
        for pid in self._sizes_by_pid.keys() - set(pids):
            self._sizes_by_pid.pop(pid, None)
        groups = self._readers.groups(pids, is_proportional=False)
        ram, gpus = self._readers.ram(), self._gpus()
        machine = MachineMemory(
            total_bytes=ram.total_bytes,
            available_bytes=ram.available_bytes,
            gpus=tuple(gpu.memory for gpu in gpus),
        )
        held: dict[str, int | None] = {RAM: sum(group.anonymous_bytes for group in groups.values())}
        for name, gpu in zip(map(gpu_name, range(len(gpus))), gpus, strict=True):
            held[name] = self._held(name, gpu, pids, groups)
        return limits(self._budget, free=free_of(machine), held=held)

    def _held(
        self, name: str, gpu: GpuState, pids: Sequence[int], groups: Mapping[int, GroupMemory]
    ) -> int | None:
        """Return what the engines have on a GPU; None if the driver shows none of those that should be there."""
        shown = [_shown_bytes(gpu, groups[pid]) for pid in pids if pid in groups]
        expected = [pid for pid in pids if self._sizes_by_pid.get(pid, {name: 1}).get(name)]
        return None if expected and not any(shown) else sum(shown)

    def _measure(
        self, spec: ModelLaunchSpec, context: int, pid: int
    ) -> tuple[_Launch, dict[str, int] | None]:
        launch = self._launch(spec, context)
        group = self._readers.groups([pid], is_proportional=True).get(pid)
        if group is None:
            return launch, None
        file_bytes = max(0, group.file_bytes - launch.need.left_behind_bytes)
        measured = {RAM: group.anonymous_bytes + group.swapped_bytes + file_bytes}
        for number, gpu in enumerate(self._gpus()):
            if shown := _shown_bytes(gpu, group):
                measured[gpu_name(number)] = shown
        return launch, measured

    async def _record(self, launch: _Launch, size: DeviceBytes) -> DeviceBytes:
        """Keep the larger of ``size`` and the known peak; return the size of the launch."""
        known = self._peaks.get(launch.key, {})
        peak = self._peaks[launch.key] = larger(known, size)
        if any(used > known.get(device, 0) * (1 + 1 / _NOTABLE_SHARE) for device, used in peak.items()):
            try:
                await self._catalog.record_peak(launch.key, peak)
            except CatalogError as error:
                logger.debug("a measured size was not recorded: %s", error)
        return self._size_of(launch)

    def _advice(self, spec: ModelLaunchSpec, context: int, models: list[ModelSummary]) -> str:
        smaller = next((size for size in smaller_contexts(context) if self._fits(spec, size)), None)
        model = next((model for model in models if model.id == spec.model_id), None)
        quantizations = [] if model is None else smaller_quantizations(model, models)
        fitting = (
            other.name
            for other in quantizations
            if other.paths and self._fits(launch_spec(other, other.paths[0]), context)
        )
        return advice_text(spec.model_name, context=smaller, other=next(fitting, None))

    def _fits(self, spec: ModelLaunchSpec, context: int) -> bool:
        return is_within(self._size(spec, context), self._budget)

    def _gpus(self) -> tuple[GpuState, ...]:
        """Return the GPUs that the engine can use; the driver is not queried if there are none."""
        return self._readers.gpus() if self._totals.keys() - {RAM} else ()


async def open_accounts(
    engine: Engine,
    catalog: CatalogWithPeaks,
    *,
    slots: int,
    memory: DeviceBytes,
    readers: MemoryReaders | None = None,
) -> LocalMemoryAccounts:
    """Return the accounts of this machine for an engine. ``memory`` is the setting, empty for the default.

    ``slots`` is the wanted number of slots of a model. Raises ``CatalogError``.
    """
    machine = await asyncio.to_thread(engine_memory, engine)
    totals = totals_of(machine)
    return LocalMemoryAccounts(
        _engine=engine,
        _catalog=catalog,
        _slots=slots,
        _totals=totals,
        _budget=budgets(totals, memory),
        _peaks=await catalog.list_peaks(),
        _readers=readers or MemoryReaders(),
    )


def _files(spec: ModelLaunchSpec) -> list[tuple[Path, int, int]]:
    """Return path, size and time of each file: of the launch if ``spec`` has its marks, else as they are now."""
    if len(spec.marks) == len(spec.files):
        marks = zip(spec.files, spec.marks, strict=True)
        return [(path, mark.size_bytes, mark.modified_ns) for path, mark in marks]
    return [(path, *size_and_mtime(path)) for path in spec.files]


def _shown_bytes(gpu: GpuState, group: GroupMemory) -> int:
    return sum(gpu.process_bytes.get(pid, 0) for pid in group.pids)
