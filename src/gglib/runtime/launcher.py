"""What the manager knows of engines: a ``Launcher`` starts them, and each launch is an ``EngineRun``.

``runtime/local`` implements both with processes of this machine.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.runtime.scheduler.events import BecameReady, Died, Launch, LoadFailed

RunEvent = BecameReady | Died | LoadFailed
"""What a run reports while it lasts. Its end is reported separately, when nothing of it is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineExit:
    """How an engine ended by itself after it was ready; with file names in place of paths, as clients may see it."""

    reason: str
    last_lines: tuple[str, ...] = ()
    """What it printed last, oldest line first."""
    has_changed_file: bool = False
    """Whether a file of its model was replaced, overwritten or deleted since the launch."""


class EngineRun(Protocol):
    """One launch, from its start until nothing of it is left. Times are the loop's, in seconds."""

    @property
    def launch(self) -> Launch:
        """What was asked for."""
        ...

    @property
    def spec(self) -> ModelLaunchSpec:
        """What was launched: with the state of its files at the launch, and of a newer version where there is one."""
        ...

    @property
    def started_at(self) -> float:
        """When the launch began."""
        ...

    @property
    def ready_at(self) -> float | None:
        """When the engine first answered; None before."""
        ...

    @property
    def pid(self) -> int | None:
        """Its process; None before there is one."""
        ...

    @property
    def slots(self) -> int | None:
        """How many requests it computes at a time; None before that is known."""
        ...

    @property
    def target(self) -> RunningTarget | None:
        """Where it answers; None before it is ready. Read for each request: best a plain attribute."""
        ...

    @property
    def exited(self) -> asyncio.Event:
        """Set as soon as the engine is gone, or ``stop`` is called."""
        ...

    @property
    def exit(self) -> EngineExit | None:
        """How it ended by itself, known before ``Died`` is reported; None for every other run."""
        ...

    async def is_file_overwritten(self) -> bool:
        """Whether a file that the engine reads its model from was written to since the launch."""
        ...

    def stop(self) -> None:
        """End the engine, or its load; returns at once."""
        ...

    async def wait(self) -> None:
        """Return when nothing of the launch is left."""
        ...


def load_time_s(run: EngineRun) -> float | None:
    """Return how long the load took; None while it lasts."""
    return None if run.ready_at is None else run.ready_at - run.started_at


class Launcher(Protocol):
    """Starts engines. Used from the loop's thread only."""

    async def prepare(self) -> None:
        """End what an earlier gglib left behind; called once, before the first launch."""
        ...

    async def check(self, spec: ModelLaunchSpec) -> ModelLaunchSpec:
        """Check a model before another one is stopped for it, and return the spec with what its files say now.

        Raises a ``GglibError``, as clients may see it, for a model that cannot be loaded.
        """
        ...

    def start(
        self, launch: Launch, *, report: Callable[[RunEvent], None], on_exit: Callable[[EngineRun], None]
    ) -> EngineRun:
        """Start a launch and return at once; neither callback is called before this returns.

        ``report`` is called with ``BecameReady`` when the engine answers, with ``LoadFailed`` when it never will, and
        with ``Died`` when it ends by itself after it was ready. ``on_exit`` is called once, at the end of any run, when
        nothing of it is left and the files of its model are not held any more.
        """
        ...
