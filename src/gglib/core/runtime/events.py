"""Runtime events: loads and unloads of models, as values for subscribers (``ModelRuntimePort.subscribe``).

Times in seconds. Requests that are served at once cause no events.
"""

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from gglib.core.runtime.kept_prompts import KeptTransfer
from gglib.core.runtime.status import SwapStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLoading:
    """A launch has started."""

    model_id: int
    model_name: str
    effective_ctx: int
    """In tokens, for each request."""
    expected_s: float
    """Expected duration of the whole load, from this model's last load or its size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReady:
    """A model is ready for requests."""

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
    """An engine was stopped; its process may still run."""

    model_id: int
    model_name: str
    reason: str
    """``idle``, ``overdue`` and so on: the reasons of ``SwapCount``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUnloaded:
    """An engine's process has exited and its files are released."""

    model_id: int
    model_name: str
    died: str | None
    """Why it exited without being stopped; None if it was stopped or failed to load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPromptsSaved:
    """Prompts of a model were saved before its engine stops."""

    model_id: int
    model_name: str
    transfer: KeptTransfer


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPromptsRestored:
    """Prompts of a model were restored during its load."""

    model_id: int
    model_name: str
    transfer: KeptTransfer


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestQueued:
    """A request was queued for a model."""

    model_name: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapFinished:
    """A swap has finished."""

    swap: SwapStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsLost:
    """The subscriber was too slow and events were dropped. The status has the current state."""


RuntimeEvent = (
    ModelLoading
    | ModelReady
    | ModelLoadFailed
    | ModelStopping
    | ModelUnloaded
    | ModelPromptsSaved
    | ModelPromptsRestored
    | RequestQueued
    | SwapFinished
    | EventsLost
)


class EventSubscription(Protocol):
    """Events for one subscriber, for the length of a ``with`` block."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def next(self, timeout_s: float) -> RuntimeEvent | None:
        """Return the next event, or None after ``timeout_s``. Cancelling the call loses no event."""
        ...
