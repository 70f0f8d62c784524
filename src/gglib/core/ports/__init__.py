"""The ports: what the parts of gglib promise one another."""

from gglib.core.ports.catalog import ModelCatalogPort, ModelStorePort
from gglib.core.ports.hub import ModelHubPort, TellFetched
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
    "ModelRuntimePort",
    "ModelStorePort",
    "ResidentStatus",
    "RuntimeStatus",
    "SwapCount",
    "SwapStatus",
    "TellFetched",
    "WaitingStatus",
]
