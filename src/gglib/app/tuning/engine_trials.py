"""Tries engine arguments with real engines: each is launched as gglib launches it, measured, and stopped."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Protocol

from gglib.app.tuning.measured import Measured, Turn
from gglib.core.errors import EngineArgumentError, ModelLoadFailedError
from gglib.core.memory import RAM, DeviceBytes
from gglib.core.models import ModelLaunchSpec
from gglib.core.sizes import format_size
from gglib.library.fit.budget import is_within
from gglib.runtime import LaunchConfig
from gglib.runtime.engines.llama_cpp.rate_measurement import (
    MeasurementFailedError,
    measure_rates,
    sample_prompt,
)
from gglib.runtime.local.launch import launch_engine
from gglib.runtime.local.spawned_engine import SpawnedEngine
from gglib.runtime.memory import RunningEngine

FIRST_LIMIT_S = 900.0
"""Of one turn, while nothing is known of the speed of the model."""
LEAST_LIMIT_S = 30.0
LIMIT_FACTOR = 10
"""A candidate that takes this many times the current settings' turn is not worth the wait."""
_EXIT_WAIT_S = 2.0


class LaunchSizes(Protocol):
    """The part of the ``MemoryAccounts`` that is used here."""

    async def size_of(self, spec: ModelLaunchSpec, context: int) -> DeviceBytes:
        """Return what a launch takes, by device."""
        ...

    async def limits(self, engines: Sequence[RunningEngine]) -> DeviceBytes:
        """Return how much all engines may take now, by device."""
        ...


@dataclass(slots=True, kw_only=True)
class EngineTrials:
    """The ``Trials`` of one model, context and engine."""

    spec: ModelLaunchSpec
    context: int
    turn: Turn
    rounds: int
    config: LaunchConfig
    accounts: LaunchSizes
    _numbers: "count[int]" = field(default_factory=lambda: count(1))
    _prompt: list[int] = field(default_factory=list)
    """In the model's vocabulary; read from the first engine."""
    _limit_s: float = FIRST_LIMIT_S

    async def skip_reason(self, arguments: Sequence[str]) -> str | None:
        """Return why an engine with these arguments is not launched, in a clause; None if it is.

        More memory than with the model's own arguments has to fit: with these it is launched in any case, as for a
        request.
        """
        try:
            await asyncio.to_thread(self.config.engine.check_engine_args, arguments)
        except EngineArgumentError:
            return "the engine in use does not take this option"
        size = await self.accounts.size_of(self._spec_with(arguments), self.context)
        now = await self.accounts.size_of(self.spec, self.context)
        if all(used <= now.get(device, 0) for device, used in size.items()):
            return None
        limit = await self.accounts.limits(())
        return None if is_within(size, limit) else f"needs more memory than there is: {_excess(size, limit)}"

    async def measure(self, arguments: Sequence[str], *, is_again: bool = False) -> Measured:
        """Launch an engine with these arguments, measure it and stop it; ``is_again``: with twice as many rounds.

        Raises ``ModelLoadFailedError`` with the reason if it cannot be launched or measured; other errors of a launch
        are those of ``launch_engine``.
        """
        spec = self._spec_with(arguments)
        name = f"{os.getpid()}-{next(self._numbers)}"
        async with launch_engine(spec, context=self.context, name=name, config=self.config) as engine:
            target = await engine.wait_until_ready()
            try:
                if not self._prompt:
                    self._prompt = await sample_prompt(target, self.turn.prompt_tokens, limit_s=self._limit_s)
                rounds = await measure_rates(
                    target,
                    self._prompt,
                    self.turn.tokens,
                    rounds=self.rounds * (2 if is_again else 1),
                    limit_s=self._limit_s,
                )
            except MeasurementFailedError as error:
                raise ModelLoadFailedError(spec.model_name, await _reason(engine, error)) from error
        measured = Measured(rounds=rounds, turn=self.turn)
        if self._limit_s == FIRST_LIMIT_S:
            self._limit_s = max(LEAST_LIMIT_S, LIMIT_FACTOR * measured.turn_s)
        return measured

    def _spec_with(self, arguments: Sequence[str]) -> ModelLaunchSpec:
        settings = replace(self.spec.settings, engine_args=tuple(arguments))
        return replace(self.spec, settings=settings)


async def _reason(engine: SpawnedEngine, error: MeasurementFailedError) -> str:
    """Return why an engine cannot be measured: how it exited, or what it responded."""
    try:
        async with asyncio.timeout(_EXIT_WAIT_S):
            return await engine.reason_for_exit(was_ready=True)
    except TimeoutError:
        return f"{error}"


def _excess(size: DeviceBytes, limit: DeviceBytes) -> str:
    """Return the devices on which a size does not fit, in words."""
    return ", ".join(
        f"{format_size(used)} of {format_size(limit[device])} {'RAM' if device == RAM else device}"
        for device, used in size.items()
        if used > limit.get(device, used)
    )
