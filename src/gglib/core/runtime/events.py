"""What happens to models in memory, as values that any part may subscribe to (``ModelRuntimePort.subscribe``).

Times in seconds. Requests that are served at once are no events: they leave what is in memory as it is.
"""

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from gglib.core.runtime.status import SwapStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLoading:
    """A launch has begun."""

    model_id: int
    model_name: str
    effective_ctx: int
    """In tokens, for each request."""
    expected_s: float
    """How long the whole load may take, from the last one of this model or from its size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReady:
    """A model takes requests."""

    model_id: int
    model_name: str
    load_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLoadFailed:
    """A load has failed."""

    model_id: int
    model_name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStopping:
    """An engine was told to stop."""

    model_id: int
    model_name: str
    reason: str
    """``idle``, ``overdue`` and so on: the reasons of ``SwapCount``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelGone:
    """Nothing of an engine is left."""

    model_id: int
    model_name: str
    died: str | None
    """Why it ended although it was not told to; None where it was, or failed to load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestQueued:
    """A request waits for a model."""

    model_name: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapOver:
    """A swap is over."""

    swap: SwapStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsLost:
    """The subscriber was too slow: events are missing here. The status says how things stand."""


RuntimeEvent = (
    ModelLoading
    | ModelReady
    | ModelLoadFailed
    | ModelStopping
    | ModelGone
    | RequestQueued
    | SwapOver
    | EventsLost
)


class EventSubscription(Protocol):
    """Events from the moment when it was made; a context manager, which ends it."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def next(self, timeout_s: float) -> RuntimeEvent | None:
        """Return the next event, or None where none comes in time. A cancelled call loses nothing."""
        ...
