"""The ports: what the parts of gglib promise one another, with the values and errors that an embedder needs."""

from gglib.core.errors import CatalogError, ModelRuntimeError
from gglib.core.models import ModelEdit, ModelLaunchSpec, ModelSummary, RunningTarget
from gglib.core.ports.catalog import EditModel, ModelCatalogPort, ModelStorePort
from gglib.core.ports.hub import ModelHubPort, TellFetched
from gglib.core.ports.library import ModelLibraryPort, RemovedModel
from gglib.core.ports.runtime import ModelRuntimePort
from gglib.core.ports.versions import VersionStorePort
from gglib.core.runtime_events import EventSubscription, RuntimeEvent
from gglib.core.runtime_status import (
    LoadCount,
    ResidentStatus,
    RuntimeStatus,
    SwapCount,
    SwapStatus,
    WaitingStatus,
)

__all__ = [
    "CatalogError",
    "EditModel",
    "EventSubscription",
    "LoadCount",
    "ModelCatalogPort",
    "ModelEdit",
    "ModelHubPort",
    "ModelLaunchSpec",
    "ModelLibraryPort",
    "ModelRuntimeError",
    "ModelRuntimePort",
    "ModelStorePort",
    "ModelSummary",
    "RemovedModel",
    "ResidentStatus",
    "RunningTarget",
    "RuntimeEvent",
    "RuntimeStatus",
    "SwapCount",
    "SwapStatus",
    "TellFetched",
    "VersionStorePort",
    "WaitingStatus",
]
