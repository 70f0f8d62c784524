"""The memory accounts of this machine: sizes of launches, budgets and limits, and the measured memory of engines.

Implements the runtime's ``MemoryAccounts`` with the estimate (``library.fit``), the readers of ``system`` and the
catalogue's peaks. Under a budget a launch has as many slots as fit into the budget, and a prompt cache that is part of
its size: use ``fit_slots`` and ``prompt_cache_mib`` for the launches, too, so that engines take what was promised.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Protocol

from gglib.app.memory.command_sizes import command_advice
from gglib.app.memory.fitting import engine_memory, has_all_slots
from gglib.app.memory.launch_sizes import LaunchSizes
from gglib.app.memory.sized_launch import SizedLaunch
from gglib.core.errors import CatalogError
from gglib.core.kinds import launch_spec
from gglib.core.memory import RAM, DeviceBytes, DeviceMemory, MachineMemory, after_out_of_memory
from gglib.core.models import ModelLaunchSpec, ModelSummary
from gglib.core.ports.catalog import ModelCatalogPort
from gglib.core.ports.memory_peaks import MemoryPeakStorePort
from gglib.library.fit.advice import advice_text, smaller_contexts, smaller_quantizations
from gglib.library.fit.budget import (
    EngineOnGpu,
    Held,
    budgets,
    free_of,
    held_on_gpu,
    limits,
    totals_of,
    usable,
)
from gglib.library.fit.launch_size import larger
from gglib.runtime.engines import Engine
from gglib.runtime.memory import LaunchedEngine, Measurement, RunningEngine
from gglib.system import read_ram
from gglib.system.gpus import GpuState, read_gpu_states
from gglib.system.process_memory import GroupMemory, read_groups
from gglib.system.ram import Ram

logger = logging.getLogger("gglib")

_NOTABLE_SHARE = 100
"""A peak is written to the catalogue if it grows by more than a hundredth: each write waits for the disk."""
RECORD_INTERVAL_S = 24 * 3600.0
"""A peak that does not grow is written again after this time: the catalogue deletes the oldest records, and one in use
must not be among them."""


class CatalogWithPeaks(ModelCatalogPort, MemoryPeakStorePort, Protocol):
    """The models and their measured peaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryReaders:
    """Reads this machine's memory. All of them block."""

    ram: Callable[[], Ram] = read_ram
    gpus: Callable[[], tuple[GpuState, ...]] = read_gpu_states
    groups: Callable[..., Mapping[int, GroupMemory]] = read_groups


@dataclass(slots=True, kw_only=True)
class LocalMemoryAccounts:
    """The ``MemoryAccounts`` of engines on this machine; created by ``open_accounts``.

    The event loop replaces ``_sizes`` as a whole. Worker threads read it once for each call.
    """

    _engine: Engine
    _sizes: LaunchSizes
    _catalog: CatalogWithPeaks
    _readers: MemoryReaders
    _vendors: frozenset[str]
    """The makers of the GPUs that the engine can use."""
    _last_usable: DeviceBytes = field(default_factory=dict)
    """The last known usable memory, by device."""
    _usable_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while it is read, so that an older read does not replace a newer one."""
    _recorded_at: dict[str, float] = field(default_factory=dict)
    """When this process wrote a peak, by key."""
    _clock: Callable[[], float] = time.monotonic
    _warned: set[str] = field(default_factory=set)

    @property
    def budget(self) -> DeviceBytes:
        """How much all models together may take, by device."""
        return self._sizes.budget

    def reconfigure(self, *, slots: int, memory: DeviceBytes) -> None:
        """Apply other settings (``open_accounts``). Loaded models keep their slots until they are loaded again."""
        budget = budgets(self._sizes.totals, memory)
        self._sizes = replace(self._sizes, wanted_slots=slots, budget=budget)

    @property
    def read_gpus(self) -> Callable[[], tuple[GpuState, ...]] | None:
        """Reads the GPUs that the engine uses; None without any."""
        return self._read_own_gpus if self._sizes.gpus else None

    async def size_of(self, spec: ModelLaunchSpec, context: int) -> DeviceBytes:
        """Return what a launch with ``context`` tokens takes: see ``library.fit.launch_size``.

        Raises ``EngineArgumentError`` for an engine argument that a model may not set.
        """
        return await asyncio.to_thread(self._sizes.of, spec, context)

    async def fits_with_all_slots(self, spec: ModelLaunchSpec, context: int) -> bool:
        """Whether ``fitting.fit_slots`` would give a launch all its slots now."""
        setting = self._sizes.wanted_slots
        return await asyncio.to_thread(has_all_slots, spec, context, setting=setting, engine=self._engine)

    async def estimate(self, engine: LaunchedEngine) -> DeviceBytes:
        """Return the estimate of an engine with its own slots and prompt cache."""
        launch = await asyncio.to_thread(self._sizes.launched, engine)
        return launch.estimated

    async def devices(self) -> dict[str, DeviceMemory]:
        """Read the memory of the devices. A GPU that the driver does not report now has an unknown free memory."""
        return await asyncio.to_thread(self._read_devices, self._sizes)

    async def limits(self, engines: Sequence[RunningEngine]) -> DeviceBytes:
        """Return the budget, or less where other programs use the memory: see ``library.fit.budget``."""
        async with self._usable_lock:
            usable = await asyncio.to_thread(self._usable, self._sizes.gpus, engines, self._last_usable)
            self._last_usable = usable
        return limits(self.budget, usable)

    async def measure(self, engine: LaunchedEngine, pid: int) -> Measurement | None:
        """Measure a running engine, keep the peak, and return it with the size that follows from it.

        A launch with the same options has this size from now on: at least the measured memory, and what the engine may
        still touch. Pages of repacked weights that stay mapped do not count, unless they are locked: the system takes
        them when it needs memory. None if the engine's memory cannot be read.
        """
        launch, measured = await asyncio.to_thread(self._measure, self._sizes, engine, pid)
        self._end_guess(launch.key)
        if measured is None:
            return None
        await self._record(launch, measured)
        size = self._sizes.of_launch(launch)
        return Measurement(taken={**size, **self._sizes.peaks[launch.key]}, size=size)

    async def record_out_of_memory(self, engine: LaunchedEngine, size: DeviceBytes) -> DeviceBytes:
        """Record that a load with an expected ``size`` ran out of memory; return the raised size for the next one.

        It applies until such a load succeeds, and is not kept in the catalogue: other programs may have been the cause.
        It is at most the budget, so that the model can be tried alone.
        """
        launch = await asyncio.to_thread(self._sizes.launched, engine)
        guess = after_out_of_memory(size, self.budget)
        self._sizes = replace(self._sizes, guesses={**self._sizes.guesses, launch.key: guess})
        return self._sizes.of_launch(launch)

    async def advice(self, spec: ModelLaunchSpec, context: int) -> str:
        """Return what would fit into the budget instead, with commands, in one sentence; empty if nothing does."""
        models = await self._catalog.list_models()
        return await asyncio.to_thread(_advice, self._sizes, spec, context, models)

    def fit_slots(self, spec: ModelLaunchSpec, context: int, wanted: int) -> int:
        """Return the slots of a launch: as many as fit into the budget, at least one. A ``FitSlots``; blocks."""
        return self._sizes.fit_slots(spec, context, wanted)

    def prompt_cache_mib(self, spec: ModelLaunchSpec, context: int, slots: int) -> int:
        """Return the limit of the prompt cache of a launch, in MiB; blocks."""
        return self._sizes.prompt_cache_mib(spec, context, slots)

    def _read_devices(self, sizes: LaunchSizes) -> dict[str, DeviceMemory]:
        ram, gpus = self._readers.ram(), self._gpus(sizes.gpus)
        return {RAM: DeviceMemory(total_bytes=ram.total_bytes, available_bytes=ram.available_bytes)} | {
            name: DeviceMemory(
                total_bytes=sizes.totals[name],
                available_bytes=gpus[name].memory.free_bytes if name in gpus else None,
            )
            for name in sizes.gpus
        }

    def _usable(
        self, gpu_names: Sequence[str], engines: Sequence[RunningEngine], last: DeviceBytes
    ) -> dict[str, int]:
        groups = self._readers.groups([engine.pid for engine in engines], is_proportional=False)
        ram, gpus = self._readers.ram(), self._gpus(gpu_names)
        machine = MachineMemory(
            total_bytes=ram.total_bytes,
            available_bytes=ram.available_bytes,
            gpus=tuple(gpu.memory for gpu in gpus.values()),
        )
        held: dict[str, Held | None] = {RAM: Held(sum(map(_returned_bytes, groups.values())))}
        held |= {name: _held(name, gpu, engines, groups) for name, gpu in gpus.items()}
        return usable(free_of(machine), held, last=last)

    def _measure(
        self, sizes: LaunchSizes, engine: LaunchedEngine, pid: int
    ) -> tuple[SizedLaunch, dict[str, int] | None]:
        launch = sizes.launched(engine)
        group = self._readers.groups([pid], is_proportional=True).get(pid)
        if group is None:
            return launch, None
        file_bytes = max(group.locked_file_bytes, group.file_bytes - launch.need.left_behind_bytes)
        measured = {RAM: group.anonymous_bytes + group.swapped_bytes + file_bytes}
        for name, gpu in self._gpus(sizes.gpus).items():
            if shown := _shown_bytes(gpu, group):
                measured[name] = shown
        return launch, measured

    def _end_guess(self, key: str) -> None:
        """Drop the guess after a load that ran out of memory: another one has succeeded."""
        if key in self._sizes.guesses:
            guesses = {other: size for other, size in self._sizes.guesses.items() if other != key}
            self._sizes = replace(self._sizes, guesses=guesses)

    async def _record(self, launch: SizedLaunch, size: DeviceBytes) -> None:
        """Keep the larger of ``size`` and the known peak."""
        known = self._sizes.peaks.get(launch.key, {})
        peak = larger(known, size)
        self._sizes = replace(self._sizes, peaks={**self._sizes.peaks, launch.key: peak})
        has_grown = any(
            used > known.get(device, 0) * (1 + 1 / _NOTABLE_SHARE) for device, used in peak.items()
        )
        if has_grown or self._clock() >= self._recorded_at.get(launch.key, -inf) + RECORD_INTERVAL_S:
            await self._write(launch.key, peak)

    async def _write(self, key: str, peak: DeviceBytes) -> None:
        self._recorded_at[key] = self._clock()
        try:
            await self._catalog.record_peak(key, peak)
        except CatalogError as error:
            self._warn_once(f"a measured size was not recorded: {error}")

    def _gpus(self, names: Sequence[str]) -> dict[str, GpuState]:
        """Return the state of the GPUs that the engine can use; without any the driver is not queried.

        Empty if the driver does not report all of them: the numbers of the others would be wrong.
        """
        gpus = self._read_own_gpus() if names else ()
        if len(gpus) == len(names):
            return dict(zip(names, gpus, strict=True))
        self._warn_once(
            f"the driver reports {len(gpus)} of {len(names)} GPUs: the last known limits of their memory apply"
        )
        return {}

    def _read_own_gpus(self) -> tuple[GpuState, ...]:
        """Read the GPUs of the makers that the engine can use."""
        return tuple(gpu for gpu in self._readers.gpus() if gpu.memory.vendor in self._vendors)

    def _warn_once(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            logger.warning("%s", text)


async def open_accounts(  # noqa: PLR0913 - what tests replace is optional
    engine: Engine,
    catalog: CatalogWithPeaks,
    *,
    slots: int,
    memory: DeviceBytes,
    readers: MemoryReaders | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> LocalMemoryAccounts:
    """Return the accounts of this machine for an engine. ``memory`` is the setting, empty for the default.

    ``slots`` is the wanted number of slots of a model. Raises ``CatalogError``.
    """
    machine = await asyncio.to_thread(engine_memory, engine)
    totals = totals_of(machine)
    return LocalMemoryAccounts(
        _engine=engine,
        _sizes=LaunchSizes(
            engine_kind=engine.kind,
            wanted_slots=slots,
            totals=totals,
            budget=budgets(totals, memory),
            peaks=await catalog.list_peaks(),
            guesses={},
            has_estimate=engine.abilities.has_estimate,
        ),
        _catalog=catalog,
        _readers=readers or MemoryReaders(),
        _vendors=frozenset(gpu.vendor for gpu in machine.gpus),
        _clock=clock,
    )


def _advice(sizes: LaunchSizes, spec: ModelLaunchSpec, context: int, models: list[ModelSummary]) -> str:
    if spec.backend is not None:
        return command_advice(spec)
    smaller = next((size for size in smaller_contexts(context) if sizes.fits(spec, size)), None)
    model = next((model for model in models if model.id == spec.model_id), None)
    quantizations = [] if model is None else smaller_quantizations(model, models)
    fitting = (
        other.name
        for other in quantizations
        if other.paths and sizes.fits(launch_spec(other, other.paths[0]), context)
    )
    return advice_text(spec.model_name, context=smaller, other=next(fitting, None))


def _returned_bytes(group: GroupMemory) -> int:
    """Return the RAM that a group gives back when it exits; its other pages count as available already."""
    return group.anonymous_bytes + group.locked_file_bytes


def _held(
    name: str, gpu: GpuState, engines: Sequence[RunningEngine], groups: Mapping[int, GroupMemory]
) -> Held | None:
    return held_on_gpu(
        [
            EngineOnGpu(
                shown_bytes=_shown_bytes(gpu, groups[engine.pid]),
                expected_bytes=engine.size.get(name, 0) if engine.size else None,
                is_ready=engine.is_ready,
            )
            for engine in engines
            if engine.pid in groups
        ]
    )


def _shown_bytes(gpu: GpuState, group: GroupMemory) -> int:
    return sum(gpu.process_bytes.get(pid, 0) for pid in group.pids)
