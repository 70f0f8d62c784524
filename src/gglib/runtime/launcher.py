"""The manager's interface to engines: a ``Launcher`` starts them, and each launch is an ``EngineRun``.

``runtime/local`` implements both with processes on this machine.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.core.runtime.kept_prompts import KeptTotals, KeptTransfer
from gglib.core.runtime.slots import SlotCopy
from gglib.runtime.scheduler.events import BecameReady, Died, Launch, LoadFailed
from gglib.runtime.scheduler.kept_events import KeptEvent
from gglib.runtime.scheduler.saving import SaveLimits

RunEvent = BecameReady | Died | LoadFailed | KeptEvent
"""Events that a run reports. ``on_exit`` reports its end, after the cleanup."""
MakeWay = Callable[[], Awaitable[bool]]
"""Lets the load that waits for a stop begin beside the saves, if there is memory for it; returns whether it has begun.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnexpectedExit:
    """How a ready engine exited without being stopped. Paths are redacted to file names, for clients."""

    reason: str
    last_lines: tuple[str, ...] = ()
    """The last lines of its log, oldest first."""
    has_changed_file: bool = False
    """Whether a model file was replaced, overwritten or deleted since the launch."""


class EngineRun(Protocol):
    """One launch, from its start to the end of its cleanup. Times are the loop's, in seconds."""

    @property
    def launch(self) -> Launch:
        """The effect that requested it."""
        ...

    @property
    def spec(self) -> ModelLaunchSpec:
        """The launched spec, with the marks of its files at the launch.

        Its version is newer than that of ``launch`` if the model was updated in between.
        """
        ...

    @property
    def started_at(self) -> float:
        """When the launch started."""
        ...

    @property
    def ready_at(self) -> float | None:
        """When the engine became ready; None before."""
        ...

    @property
    def pid(self) -> int | None:
        """Its process id; None before the process exists."""
        ...

    @property
    def slots(self) -> int | None:
        """How many requests it processes at a time; None until known."""
        ...

    @property
    def prompt_cache_mib(self) -> int | None:
        """The limit of its prompt cache in MiB, unless the model's arguments set it; None until known."""
        ...

    @property
    def threads(self) -> int | None:
        """How many threads compute; None until known, or if it is the engine's default."""
        ...

    @property
    def restored(self) -> KeptTransfer | None:
        """The prompts of an earlier launch that it restored; None if none."""
        ...

    @property
    def kept_off_reason(self) -> str | None:
        """Why its prompts are not kept, as a clause; None if they are, or if keeping is off altogether."""
        ...

    @property
    def keep_hint(self) -> str | None:
        """A sentence with the command that would have saved time; None without a reason for it."""
        ...

    keep_conversations: bool | None
    """``ModelSettings.keep_conversations`` as it is now: the launched spec has the value of the launch."""

    @property
    def target(self) -> RunningTarget | None:
        """Its address; None before it is ready. Read for each request: implement it as a plain attribute."""
        ...

    @property
    def unavailable(self) -> asyncio.Event:
        """Set when the engine takes no more requests: it has exited, or ``stop`` was called."""
        ...

    @property
    def unexpected_exit(self) -> UnexpectedExit | None:
        """Set before ``Died`` is reported; None for a run that was stopped or did not become ready."""
        ...

    async def is_file_overwritten(self) -> bool:
        """Whether a model file was written to since the launch."""
        ...

    async def prompt_cost_s(self) -> float | None:
        """Return the time to process the prompts in its cache again, in seconds; None if unknown."""
        ...

    async def copy_slot(self, copy: SlotCopy) -> bool:
        """Copy the prompt in one slot to another one, if that saves time; False if it was not done in a second."""
        ...

    def stop(self, saves: SaveLimits | None = None, make_way: MakeWay | None = None) -> None:
        """Stop the engine or its load; returns at once. ``saves``: its prompts may be saved before it stops."""
        ...

    def hurry(self, *, is_shutdown: bool = False) -> None:
        """Stop without further saves: a request waits. Does nothing if one has waited for them from the beginning.

        ``is_shutdown``: gglib stops. Ends those that it would delete.
        """
        ...

    def note_reuse(self, *, is_reused: bool) -> None:
        """Note whether the first response after prompts were restored has reused a part of one."""
        ...

    async def wait(self) -> None:
        """Return after the process has exited and the cleanup is done."""
        ...


def load_time_s(run: EngineRun) -> float | None:
    """Return the duration of the load; None until the engine is ready."""
    return None if run.ready_at is None else run.ready_at - run.started_at


class Launcher(Protocol):
    """Starts engines. Used from the loop's thread only."""

    async def prepare(self) -> None:
        """Kill engines left by an earlier gglib process; called once, before the first launch."""
        ...

    async def check(self, spec: ModelLaunchSpec) -> ModelLaunchSpec:
        """Check a model before another one is evicted for it; return its spec with the current marks of its files.

        Raises a ``GglibError``, with redacted paths for clients, for a model that cannot be loaded.
        """
        ...

    def start(
        self, launch: Launch, *, on_event: Callable[[RunEvent], None], on_exit: Callable[[EngineRun], None]
    ) -> EngineRun:
        """Start a launch and return at once; neither callback is called before this returns.

        ``on_event`` is called with ``BecameReady`` when the engine is ready, ``LoadFailed`` when its load fails, and
        ``Died`` when it exits after it was ready without being stopped. ``on_exit`` is called once at the end of any
        run, after its cleanup and the release of its model's files. The cleanup waits, for a bounded time, until the
        engine's memory is free, also after a crash: the next launch may start after ``on_exit``.

        It is also called with ``PromptsRestored`` before ``BecameReady``, and with ``PromptsSaved`` before ``on_exit``.
        """
        ...

    def kept_totals(self) -> KeptTotals | None:
        """Return what was saved and restored since the start, and the files; None for one that keeps no prompts."""
        ...
