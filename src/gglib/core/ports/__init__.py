"""The public ports for programs that embed gglib, with the values and errors that cross them.

``__all__`` is public and stable. The ports between gglib's own packages are in the other modules here: ``catalog``
(``ModelStorePort``), ``profiles``, ``hub``, ``releases``, ``versions``, ``store``.
"""

from gglib.core.errors import CatalogError, ModelRuntimeError
from gglib.core.models import ModelLaunchSpec, ModelSummary, RunningTarget
from gglib.core.ports.catalog import ModelCatalogPort
from gglib.core.ports.clients import ClientsPort
from gglib.core.ports.history import HistoryStatistics, RequestHistoryPort, RequestSearchPort
from gglib.core.ports.library import ModelLibraryPort, RemovedModel
from gglib.core.ports.logs import LogsPort
from gglib.core.ports.machine import MachinePorts
from gglib.core.ports.reload import ReloadFunction, ReloadResult, SettingChange
from gglib.core.ports.runtime import ModelRuntimePort
from gglib.core.ports.settings import SettingsPort
from gglib.core.ports.system import SystemPort
from gglib.core.runtime.events import EventSubscription, RuntimeEvent
from gglib.core.runtime.status import (
    LoadCount,
    ResidentStatus,
    RuntimeStatus,
    SwapCount,
    SwapStatus,
    WaitingStatus,
)

__all__ = [
    "CatalogError",
    "ClientsPort",
    "EventSubscription",
    "HistoryStatistics",
    "LoadCount",
    "LogsPort",
    "MachinePorts",
    "ModelCatalogPort",
    "ModelLaunchSpec",
    "ModelLibraryPort",
    "ModelRuntimeError",
    "ModelRuntimePort",
    "ModelSummary",
    "ReloadFunction",
    "ReloadResult",
    "RemovedModel",
    "RequestHistoryPort",
    "RequestSearchPort",
    "ResidentStatus",
    "RunningTarget",
    "RuntimeEvent",
    "RuntimeStatus",
    "SettingChange",
    "SettingsPort",
    "SwapCount",
    "SwapStatus",
    "SystemPort",
    "WaitingStatus",
]
