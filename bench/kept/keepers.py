"""The compared rules: what is saved when an engine stops, and what is restored when it starts. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gglib.runtime.engines.kept_prompts.policy import (
    DISK_RESERVE_BYTES,
    LIMIT_S,
    KeptFile,
    Room,
    SavedPrompt,
    SavePlan,
    SlotPrompt,
    SlotRates,
    plan_restores,
    plan_saves,
)
from gglib.runtime.scheduler.saving import SHARE

GB = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waits when an engine stops, and what may be written."""

    requests: int
    load_s: float
    """Of the model that they wait for."""
    planned_bytes: int = 0
    """What other engines are about to write."""
    write_bytes: float = math.inf
    """How much may be written now."""


class Keeper(Protocol):
    """A rule."""

    @property
    def has_memory_for_two(self) -> bool:
        """Whether the machine has memory for two models: saves go on beside the next load."""

    @property
    def is_lifted(self) -> bool:
        """Whether no request ends its saves."""

    @property
    def write_bytes_h(self) -> float | None:
        """How much is written in an hour at most; None: no limit."""

    def saves(
        self, prompts: Sequence[SlotPrompt], rates: SlotRates, kept: Sequence[KeptFile], waiting: Waiting
    ) -> SavePlan:
        """Return what is done at a stop."""

    def restores(self, saved: Sequence[SavedPrompt], rates: SlotRates, *, slots: int) -> tuple[str, ...]:
        """Return the names of the files that are restored at a start."""


class Never:
    """Nothing is kept."""

    has_memory_for_two, is_lifted, write_bytes_h = False, True, None

    def saves(
        self,
        prompts: Sequence[SlotPrompt],  # noqa: ARG002 - a rule
        rates: SlotRates,  # noqa: ARG002
        kept: Sequence[KeptFile],  # noqa: ARG002
        waiting: Waiting,  # noqa: ARG002
    ) -> SavePlan:
        """Return an empty plan."""
        return SavePlan((), ())

    def restores(
        self,
        saved: Sequence[SavedPrompt],  # noqa: ARG002
        rates: SlotRates,  # noqa: ARG002
        *,
        slots: int,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """Return nothing."""
        return ()


@dataclass(frozen=True, slots=True)
class Always:
    """Each prompt is saved and restored, whatever it costs; the oldest files make room."""

    keep_bytes: int
    has_memory_for_two: bool = False
    is_lifted: bool = True
    write_bytes_h: float | None = None

    def saves(
        self,
        prompts: Sequence[SlotPrompt],
        rates: SlotRates,
        kept: Sequence[KeptFile],
        waiting: Waiting,
    ) -> SavePlan:
        """Return a plan for all prompts that fit, the youngest first."""
        unused = self.keep_bytes - waiting.planned_bytes - sum(file.size_bytes for file in kept)
        oldest = sorted(kept, key=lambda file: file.idle_s)
        saved, deleted = list[int](), list[str]()
        for prompt in sorted(prompts, key=lambda prompt: prompt.idle_s):
            size = round(prompt.tokens * rates.bytes_token)
            while size > unused and oldest and oldest[-1].idle_s >= prompt.idle_s:
                file = oldest.pop()
                unused += file.size_bytes
                deleted.append(file.name)
            if size <= unused:
                unused -= size
                saved.append(prompt.slot)
        return SavePlan(tuple(deleted), tuple(saved))

    def restores(self, saved: Sequence[SavedPrompt], rates: SlotRates, *, slots: int) -> tuple[str, ...]:  # noqa: ARG002
        """Return all files of the model for which there are slots, the youngest first."""
        return tuple(file.name for file in sorted(saved, key=lambda file: file.idle_s)[:slots])


@dataclass(frozen=True, slots=True)
class ByCost:
    """gglib's rule; ``is_lifted`` for a model with ``keep_conversations``."""

    keep_bytes: int
    is_lifted: bool = False
    has_memory_for_two: bool = False
    write_bytes_h: float | None = None

    def saves(
        self, prompts: Sequence[SlotPrompt], rates: SlotRates, kept: Sequence[KeptFile], waiting: Waiting
    ) -> SavePlan:
        """Return the plan of ``kept_prompts.policy``, on a disk with room."""
        is_short = waiting.requests > 0 and not self.is_lifted
        limit_s = min(LIMIT_S, SHARE * waiting.load_s) if is_short else LIMIT_S
        keep_bytes = self.keep_bytes - waiting.planned_bytes
        room = Room(
            keep_bytes=keep_bytes,
            free_bytes=keep_bytes + DISK_RESERVE_BYTES,
            write_bytes=waiting.write_bytes,
        )
        return plan_saves(prompts, rates, kept, room, waiting=waiting.requests, limit_s=limit_s)

    def restores(self, saved: Sequence[SavedPrompt], rates: SlotRates, *, slots: int) -> tuple[str, ...]:
        """Return the plan of ``kept_prompts.policy``."""
        return plan_restores(saved, rates, slots=slots)
