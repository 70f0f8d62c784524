"""Responses about the models in memory, and the names of the runtime's events. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, Self

from msgspec import Meta

from gglib.core.memory import DeviceMemory
from gglib.core.runtime.events import (
    ModelLoadFailed,
    ModelLoading,
    ModelPromptsRestored,
    ModelPromptsSaved,
    ModelReady,
    ModelStopping,
    ModelUnloaded,
    RequestQueued,
    RuntimeEvent,
    SwapFinished,
)
from gglib.core.runtime.kept_prompts import KeptTotals
from gglib.core.runtime.status import (
    LoadCount,
    RemoteStatus,
    ResidentStatus,
    RuntimeStatus,
    SwapCount,
    SwapStatus,
    WaitingStatus,
)
from gglib.proxy.routes.responses.fields import Bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedModel:
    """A model whose last load failed, or whose engine crashed too often."""

    model_name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Models in memory, waiting requests, the last swap, and counts since the start."""

    version: str
    residents: tuple[ResidentStatus, ...]
    waiting: tuple[WaitingStatus, ...]
    failed: tuple[FailedModel, ...]
    last_swap: SwapStatus | None
    swaps: tuple[SwapCount, ...]
    loads: tuple[LoadCount, ...]
    limits: Annotated[
        dict[str, Bytes],
        Meta(description="Memory budget of all models together, by device; empty if memory is not limited."),
    ]
    used: Annotated[
        dict[str, Bytes], Meta(description="Sum of the sizes of the models in memory, by device.")
    ]
    hint: Annotated[
        str | None, Meta(description="How two models that were swapped repeatedly could both stay.")
    ]
    devices: Annotated[
        dict[str, DeviceMemory],
        Meta(description="Memory of the machine, by device, as of some seconds ago; empty if unknown."),
    ] = field(default_factory=dict)
    remotes: Annotated[
        tuple[RemoteStatus, ...],
        Meta(
            description="Models of servers elsewhere that were used since the start; they are never loaded."
        ),
    ] = ()
    instance: Annotated[
        str, Meta(description="Random id of this run of the server: another one after each start.")
    ] = ""
    readiness: Annotated[
        Literal["starting", "ready", "draining"], Meta(description="As `GET /ready` shows it.")
    ] = "ready"
    kept: Annotated[
        KeptTotals | None,
        Meta(
            description="Prompts that were saved and restored since the start, and their files; null if none are kept."
        ),
    ] = None

    @classmethod
    def of(
        cls,
        status: RuntimeStatus,
        version: str,
        devices: Mapping[str, DeviceMemory],
        *,
        instance: str = "",
        readiness: Literal["starting", "ready", "draining"] = "ready",
    ) -> Self:
        """Return the JSON form of a status."""
        return cls(
            version=version,
            residents=tuple(map(encodable, status.residents)),
            waiting=status.waiting,
            failed=tuple(FailedModel(model_name=name, reason=reason) for name, reason in status.failed),
            last_swap=status.last_swap,
            swaps=status.swaps,
            loads=status.loads,
            limits=dict(status.limits),
            used=status.used,
            hint=status.hint,
            devices=dict(devices),
            remotes=status.remotes,
            instance=instance,
            readiness=readiness,
            kept=status.kept,
        )


def encodable(resident: ResidentStatus) -> ResidentStatus:
    """Return a resident that can be encoded: a runtime may use any mappings."""
    return replace(
        resident,
        size=dict(resident.size),
        estimated_size=dict(resident.estimated_size),
        measured_size=dict(resident.measured_size),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Swaps:
    """The last finished swaps since the start, newest first."""

    swaps: tuple[SwapStatus, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """The unloaded models."""

    stopped: Annotated[tuple[str, ...], Meta(description="Names of the models that were in memory.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unloaded:
    """The unloaded models, and where they were."""

    stopped: Annotated[tuple[str, ...], Meta(description="Names of the models that were in memory.")]
    node: Annotated[str | None, Meta(description="The node; null for the machine of this server.")]


EVENT_NAMES: dict[type[RuntimeEvent], str] = {
    ModelLoading: "loading",
    ModelReady: "ready",
    ModelLoadFailed: "load_failed",
    ModelStopping: "stopping",
    ModelUnloaded: "gone",
    ModelPromptsSaved: "prompts_saved",
    ModelPromptsRestored: "prompts_restored",
    RequestQueued: "queued",
    SwapFinished: "swap",
}
"""The name of each event in ``GET /gglib/events``."""
