"""The ports: what the proxy, the runtime and the catalogue promise one another."""

from gglib.core.ports.catalog import ModelCatalogPort, ModelStorePort
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
    "ModelRuntimePort",
    "ModelStorePort",
    "ResidentStatus",
    "RuntimeStatus",
    "SwapCount",
    "SwapStatus",
    "WaitingStatus",
]
