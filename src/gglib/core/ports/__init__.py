"""The ports: what the parts of gglib promise one another."""

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
    "LoadCount",
    "ModelCatalogPort",
    "ModelHubPort",
    "ModelLibraryPort",
    "ModelRuntimePort",
    "ModelStorePort",
    "RemovedModel",
    "ResidentStatus",
    "RuntimeStatus",
    "SwapCount",
    "SwapStatus",
    "TellFetched",
    "WaitingStatus",
]
