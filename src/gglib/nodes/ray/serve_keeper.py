"""Keeps the gglib of one home alive: adopts the one that runs, starts one if none does, and says where it is.

Without Ray: the agent runs it in a thread.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

from gglib.nodes.ray.restarts import Restarts

logger = logging.getLogger("gglib.nodes")

POLL_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedAddress:
    """A gglib that runs with a home."""

    pid: int
    url: str | None
    """The address for other machines; None until it listens."""
    key: str | None = field(default=None, repr=False)
    """An admin key of it; None: it needs none."""
    problem: str = ""
    """Why other machines cannot use it, as a sentence."""


class ServedHome(Protocol):
    """A home, and how a gglib is started with it. Its lock allows one at a time, so there are never two."""

    def find(self) -> ServedAddress | None:
        """Return the gglib that runs with the home; None if there is none."""

    def start(self) -> None:
        """Start one that does not end with this process, and do not wait for it. Raises ``OSError``."""

    def is_starting(self) -> bool:
        """Whether the one of the last ``start`` has not ended."""

    def exit_reason(self) -> str:
        """Return why the one of the last ``start`` ended, as a sentence."""


class ServeKeeper:
    """Looks after one home until ``stop``."""

    def __init__(self, home: ServedHome, *, clock: Callable[[], float] = monotonic) -> None:
        self._home = home
        self._clock = clock
        self._restarts = Restarts()
        self._stopped = threading.Event()
        self._found: ServedAddress | None = None
        self._failure = "It is starting."
        self._has_started = False

    @property
    def url(self) -> str | None:
        """The address for other machines; None while there is none."""
        found = self._found
        return None if found is None or found.problem else found.url

    @property
    def key(self) -> str | None:
        """An admin key for it."""
        return None if self._found is None else self._found.key

    @property
    def failure(self) -> str:
        """Why there is no ``url``, as a sentence; else empty."""
        if self.url is not None:
            return ""
        return (self._found.problem if self._found is not None else "") or self._failure

    def run(self) -> None:
        """Look after the home until ``stop``. An error is logged, and does not end it."""
        while not self._stopped.is_set():
            try:
                self.step()
            except Exception:
                logger.exception("the gglib of this node cannot be looked after")
            self._stopped.wait(POLL_S)

    def stop(self) -> None:
        """Look no more. The gglib keeps running."""
        self._stopped.set()

    def step(self) -> None:
        """Look once, and start a gglib if none runs and the last start is long enough ago."""
        found = self._home.find()
        if found is not None:
            self._restarts.running(self._clock())
            self._failure = "It is starting."
        elif not self._home.is_starting():
            self._start_if_due()
        self._found = found

    def _start_if_due(self) -> None:
        if self._has_started:
            self._failure = self._home.exit_reason()
        if not self._restarts.is_due(self._clock()):
            return
        self._restarts.started(self._clock())
        try:
            self._home.start()
            self._has_started = True
        except OSError as error:
            self._failure = f"gglib cannot be started ({error.strerror or error})."
