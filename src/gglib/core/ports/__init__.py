"""The ports: what the parts of gglib promise one another, with the values and errors that an embedder needs."""

from gglib.core.errors import CatalogError, ModelRuntimeError
from gglib.core.models import ModelLaunchSpec, ModelSummary, RunningTarget
from gglib.core.ports.catalog import ModelCatalogPort, ModelStorePort
from gglib.core.ports.hub import ModelHubPort, TellFetched
from gglib.core.ports.library import ModelLibraryPort, RemovedModel
from gglib.core.ports.runtime import (
    LoadCount,
    ModelRuntimePort,
    ResidentStatus,
    RuntimeStatus,
    SwapCount,
    SwapStatus,
    WaitingStatus,
)

__all__ = [
    "CatalogError",
    "LoadCount",
    "ModelCatalogPort",
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
    "RuntimeStatus",
    "SwapCount",
    "SwapStatus",
    "TellFetched",
    "WaitingStatus",
]
