"""One launch as a task: it runs an engine from start to end and tells the scheduler what becomes of it.

Detached from the request that caused it.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from gglib.core.errors import GglibError, ModelLoadFailedError
from gglib.runtime.local.launch import LaunchConfig, launched
from gglib.runtime.model_files import has_changed
from gglib.runtime.path_names import PathNames
from gglib.runtime.scheduler.events import (
    BecameReady,
    Died,
    Event,
    Launch,
    LoadFailed,
)
from gglib.runtime.shown_errors import known_directories, with_file_names

if TYPE_CHECKING:
    from gglib.core.models import RunningTarget

logger = logging.getLogger("gglib.runtime")


class EngineLife:
    """One launch: when it began, what it is now, and how to end it. Times are the loop's, in seconds."""

    def __init__(
        self, launch: Launch, *, name: str, config: LaunchConfig, tell: Callable[[Event], None]
    ) -> None:
        self.launch = launch
        self.spec = launch.spec
        """With the state of its files at the launch, once there is a process."""
        self.started_at = asyncio.get_running_loop().time()
        self.ready_at: float | None = None
        self.pid: int | None = None
        self.slots: int | None = None
        """How many requests it computes at a time; None before there is a process."""
        self.target: RunningTarget | None = None
        self.has_changed_file = False
        """Whether its file was another one when it died than when it was launched."""
        self.is_lone_death = False
        """Whether one request alone was in flight when it died."""
        self.death: str | None = None
        """What it died of, if it did so after it was ready and nobody had told it to go."""
        self.last_lines: tuple[str, ...] = ()
        """What it printed before that death."""
        self.is_over = asyncio.Event()
        """Set as soon as its process is gone, or was told to go."""
        self._name = name
        self._config = config
        self._tell = tell
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def load_time_s(self) -> float | None:
        """How long the load took; None while it lasts."""
        return None if self.ready_at is None else self.ready_at - self.started_at

    def begin(self, on_end: Callable[["EngineLife"], None]) -> None:
        """Start the task; ``on_end`` is called when nothing of the launch is left."""
        self._task = asyncio.create_task(self._live(), name=f"engine-{self.launch.generation}")
        self._task.add_done_callback(lambda _: on_end(self))

    def stop(self) -> None:
        """End the process, or the load."""
        self.is_over.set()
        self._stop.set()

    async def wait(self) -> None:
        """Return when nothing of the launch is left."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _live(self) -> None:
        stopping = asyncio.create_task(self._stop.wait())
        running = asyncio.create_task(self._run())
        try:
            await asyncio.wait([stopping, running], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            running.cancel()
            await asyncio.wait([running])
        if running.cancelled():
            logger.debug("stopped '%s'", self.launch.spec.model_name)
        elif (error := running.exception()) is not None:
            self._fail(error)

    async def _run(self) -> None:
        spec = self.launch.spec
        logger.info("loading '%s' with a context of %d", spec.model_name, self.launch.context)
        async with launched(
            spec, context=self.launch.context, name=self._name, config=self._config
        ) as engine:
            self.spec = engine.spec
            self.pid, self.slots = engine.child.pid, engine.slots
            logger.info("'%s' runs as pid %d, slots: %d", spec.model_name, self.pid, self.slots)
            self.target = await engine.ready()
            self.ready_at = asyncio.get_running_loop().time()
            is_other_version = engine.spec.path != spec.path.absolute()
            self._tell(BecameReady(self.launch.generation, engine.spec if is_other_version else None))
            reason = await engine.reason_for_exit(was_ready=True)
            self.has_changed_file = has_changed(engine.spec)
            if self.has_changed_file:
                # Its pages are read from the file as it is now: other weights, or none at all (SIGBUS).
                reason = f"its file changed while it was loaded ({reason})"
            names = self._names()
            self.death = names.shown(reason)
            self.last_lines = tuple(map(names.shown, engine.last_lines))
            self.is_over.set()
            logger.error("'%s' died while it was running: %s", spec.model_name, reason)
            # Before anything is tidied up: nobody else is to be sent to a process that is gone.
            self._tell(Died(self.launch.generation, self.death))

    def _fail(self, error: BaseException) -> None:
        name = self.launch.spec.model_name
        if not isinstance(error, GglibError):
            logger.error("launching '%s' failed", name, exc_info=error)
            error = ModelLoadFailedError(name, _why_not_started(error))
        else:
            logger.error("%s", error)
        self._tell(LoadFailed(self.launch.generation, with_file_names(error, self._names())))

    def _names(self) -> PathNames:
        """Return what makes file names of the paths that this launch knows: clients get those."""
        directories = known_directories(self.launch.spec, self._config, launch_name=self._name)
        return PathNames(directories, self._config.home)


def _why_not_started(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"gglib could not start the engine ({error.strerror})"
    return "gglib could not start the engine; its log says more"
