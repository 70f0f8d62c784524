"""Whether a load balancer should send new requests to this server. Pure.

``/health`` says that the process responds, ``/ready`` that it is ready. A server starts once, becomes ready once, and
drains once: no other change is possible.
"""

from enum import Enum


class ReadyState(Enum):
    """The values of ``status`` in the response of ``GET /ready``."""

    STARTING = "starting"
    """The server listens, but has not finished its start."""
    READY = "ready"
    DRAINING = "draining"
    """The server stops: it finishes responses in flight, and refuses requests for models."""


class Readiness:
    """The state of one server, which several calls of ``serve`` may share."""

    __slots__ = ("_state",)

    def __init__(self, state: ReadyState = ReadyState.READY) -> None:
        self._state = state

    @property
    def state(self) -> ReadyState:
        """The current state."""
        return self._state

    def finish_start(self) -> None:
        """Become ready. Does nothing if the server drains already."""
        if self._state is ReadyState.STARTING:
            self._state = ReadyState.READY

    def begin_drain(self) -> None:
        """Report that the server stops, from now on."""
        self._state = ReadyState.DRAINING
