"""The response types of gglib's own API and of ``--json``. Values only.

The JSON encoding, the OpenAPI document and its page derive from these types; every response has all fields of its type.
Times are Unix seconds, sizes are bytes. Text from a hub, and file names that gglib does not use, are passed
through ``file_names.shown``, which escapes unprintable characters.
"""

from gglib.proxy.routes.responses.aliases import Alias, Aliases
from gglib.proxy.routes.responses.downloads import Download, DownloadError, Downloads
from gglib.proxy.routes.responses.files import FileCheck, RemovalPreview, Verification, VerifyProgress
from gglib.proxy.routes.responses.fits import FitVerdict, ModelFit, ModelFits
from gglib.proxy.routes.responses.history import (
    CancelledRequest,
    RequestDetails,
    Requests,
    Usage,
    WithdrawnRequest,
)
from gglib.proxy.routes.responses.hub import (
    File,
    Gpu,
    Memory,
    Need,
    Repository,
    SearchResult,
    ShownFile,
    ShownRepository,
    Variant,
)
from gglib.proxy.routes.responses.keys import Key, Keys, KeyUse
from gglib.proxy.routes.responses.machine import Checks, Logs, NewLogLines, System
from gglib.proxy.routes.responses.models import (
    KeptFile,
    LoadedModel,
    Model,
    ModelCopy,
    Models,
    RemovedModel,
    Source,
)
from gglib.proxy.routes.responses.nodes import NameConflict, Node, NodeModel, Nodes
from gglib.proxy.routes.responses.profiles import Profile, Profiles
from gglib.proxy.routes.responses.runtime import EVENT_NAMES, FailedModel, Status, Stopped, Swaps, Unloaded
from gglib.proxy.routes.responses.server import Error, ErrorDetail, Health, Ready, Reloaded, SettingChange
from gglib.proxy.routes.responses.updates import FileChange, FirstModel, FirstModels, Update, Updates

__all__ = [
    "EVENT_NAMES",
    "Alias",
    "Aliases",
    "CancelledRequest",
    "Checks",
    "Download",
    "DownloadError",
    "Downloads",
    "Error",
    "ErrorDetail",
    "FailedModel",
    "File",
    "FileChange",
    "FileCheck",
    "FirstModel",
    "FirstModels",
    "FitVerdict",
    "Gpu",
    "Health",
    "KeptFile",
    "Key",
    "KeyUse",
    "Keys",
    "LoadedModel",
    "Logs",
    "Memory",
    "Model",
    "ModelCopy",
    "ModelFit",
    "ModelFits",
    "Models",
    "NameConflict",
    "Need",
    "NewLogLines",
    "Node",
    "NodeModel",
    "Nodes",
    "Profile",
    "Profiles",
    "Ready",
    "Reloaded",
    "RemovalPreview",
    "RemovedModel",
    "Repository",
    "RequestDetails",
    "Requests",
    "SearchResult",
    "SettingChange",
    "ShownFile",
    "ShownRepository",
    "Source",
    "Status",
    "Stopped",
    "Swaps",
    "System",
    "Unloaded",
    "Update",
    "Updates",
    "Usage",
    "Variant",
    "Verification",
    "VerifyProgress",
    "WithdrawnRequest",
]
