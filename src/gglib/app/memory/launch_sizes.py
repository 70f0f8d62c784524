"""The sizes of launches by one state of the settings and of the known peaks.

``LaunchSizes`` is immutable: worker threads use one while a reload or a measurement replaces it. Its methods read file
headers and block, about a millisecond once the header was read.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gglib.app.memory.command_sizes import command_launch, measured_launch
from gglib.app.memory.fitting import launch_facts, launch_need
from gglib.app.memory.sized_launch import SizedLaunch, launched_files
from gglib.core.backends import CommandBackend
from gglib.core.memory import RAM, DeviceBytes, MemoryNeed
from gglib.core.models import ModelLaunchSpec
from gglib.library.fit.budget import is_within
from gglib.library.fit.devices import device_sizes
from gglib.library.fit.launch_size import (
    larger,
    launch_key,
    launch_size,
    prompt_cache_limit_mib,
    untouched_bytes,
    with_margin,
)
from gglib.library.fit.slots import most_slots
from gglib.runtime.engines.llama_cpp.offload import parse_offload, prompt_cache_argument
from gglib.runtime.engines.llama_cpp.options import launch_slots
from gglib.runtime.engines.llama_cpp.prompt_cache import MAX_MIB, prompt_cache_mib
from gglib.runtime.memory import LaunchedEngine

_MIB = 1024 * 1024
_NO_WARMUP = "--no-warmup"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchSizes:
    """The sizes of launches of one kind of engine."""

    engine_kind: str
    wanted_slots: int
    """How many slots a model has, unless its arguments set it or the budget is too small."""
    totals: DeviceBytes
    """The memory of each device; an unknown total is missing."""
    budget: DeviceBytes
    """How much all models together may take, by device."""
    peaks: Mapping[str, DeviceBytes]
    """The measured peaks by key."""
    guesses: Mapping[str, DeviceBytes]
    """The expected sizes of launches whose last load ran out of memory, by key."""
    has_estimate: bool = True
    """Whether the estimate by llama.cpp's rules holds for the engine."""

    @property
    def gpus(self) -> tuple[str, ...]:
        """The names of the GPUs that the engine can use, in order of their numbers."""
        return tuple(device for device in self.totals if device != RAM)

    def of(self, spec: ModelLaunchSpec, context: int) -> DeviceBytes:
        """Return the size of a launch with these settings.

        A measured size is at most the budget: the model ran alone, and may do so again. Raises ``EngineArgumentError``
        for an engine argument that a model may not set.
        """
        launch = self.planned(spec, context)
        size = self.of_launch(launch)
        if launch.is_stated or launch.key not in self.peaks:
            return size
        return {device: min(taken, self.budget.get(device, taken)) for device, taken in size.items()}

    def of_launch(self, launch: SizedLaunch) -> DeviceBytes:
        """Return the size of a launch by the rules of ``library.fit.launch_size``, also beyond the budget."""
        if launch.is_stated:
            return larger(launch.estimated, self._guess(launch))
        untouched = with_margin(launch.estimated)
        if launch.is_warmed_up:
            untouched = untouched_bytes(
                launch.need, tuple(launch.estimated), prompt_cache_bytes=launch.prompt_cache_bytes
            )
        return launch_size(
            launch.estimated, self.peaks.get(launch.key), untouched=untouched, guess=self._guess(launch)
        )

    def _guess(self, launch: SizedLaunch) -> DeviceBytes:
        guess = self.guesses.get(launch.key, {})
        return {device: min(taken, self.budget.get(device, taken)) for device, taken in guess.items()}

    def fits(self, spec: ModelLaunchSpec, context: int) -> bool:
        """Whether a launch fits into the budget."""
        return is_within(self.of(spec, context), self.budget)

    def planned(self, spec: ModelLaunchSpec, context: int) -> SizedLaunch:
        """Return a launch with these settings."""
        return self.launched(LaunchedEngine(spec=spec, context=context))

    def launched(self, engine: LaunchedEngine) -> SizedLaunch:
        """Return the launch of an engine, with its own slots and prompt cache: other settings may have applied."""
        if isinstance(engine.spec.backend, CommandBackend):
            return command_launch(engine.spec, engine.spec.backend, engine.context)
        slots = engine.slots
        if slots is None:
            wanted = launch_slots(
                engine.spec.settings.engine_args, setting=self.wanted_slots, context=engine.context
            )
            slots = self.fit_slots(engine.spec, engine.context, wanted)
        return self._sized(engine.spec, engine.context, slots, engine.prompt_cache_mib)

    def fit_slots(self, spec: ModelLaunchSpec, context: int, wanted: int) -> int:
        """Return the slots of a launch: as many as fit into the budget, at least one."""
        return most_slots(
            lambda slots: is_within(self.of_launch(self._sized(spec, context, slots)), self.budget), wanted
        )

    def prompt_cache_mib(self, spec: ModelLaunchSpec, context: int, slots: int) -> int:
        """Return the limit of the prompt cache of a launch, in MiB."""
        return self._default_prompt_cache_mib(launch_need(spec, launch_facts(spec), context, slots), slots)

    def _sized(
        self, spec: ModelLaunchSpec, context: int, slots: int, prompt_cache_limit: int | None = None
    ) -> SizedLaunch:
        if not self.has_estimate:
            return measured_launch(spec, context, slots=slots, engine=self.engine_kind)
        facts = launch_facts(spec)
        need = launch_need(spec, facts, context, slots)
        cache_mib = self._counted_prompt_cache_mib(spec, need, slots, prompt_cache_limit)
        estimated = device_sizes(
            need,
            gpus={name: size for name, size in self.budget.items() if name != RAM},
            offload=parse_offload(spec.settings.engine_args),
            layers=facts.block_count if facts else None,
            prompt_cache_bytes=cache_mib * _MIB,
        )
        key = launch_key(
            spec,
            files=launched_files(spec),
            context=context,
            slots=slots,
            prompt_cache_mib=cache_mib,
            engine=self.engine_kind,
        )
        return SizedLaunch(
            key=key,
            need=need,
            estimated=estimated,
            prompt_cache_bytes=cache_mib * _MIB,
            is_warmed_up=_NO_WARMUP not in spec.settings.engine_args,
        )

    def _counted_prompt_cache_mib(
        self, spec: ModelLaunchSpec, need: MemoryNeed, slots: int, limit_mib: int | None
    ) -> int:
        """Return the prompt cache that counts: none for embeddings and reranking, which do not use it."""
        if spec.capabilities.embedding or spec.capabilities.rerank:
            return 0
        own = prompt_cache_argument(spec.settings.engine_args)
        if own is not None:
            return (
                MAX_MIB if own < 0 else own
            )  # unlimited: it grows slowly, and a measured peak replaces this
        return self._default_prompt_cache_mib(need, slots) if limit_mib is None else limit_mib

    def _default_prompt_cache_mib(self, need: MemoryNeed, slots: int) -> int:
        return prompt_cache_limit_mib(need, slots=slots, most_mib=prompt_cache_mib(self.totals.get(RAM)))
