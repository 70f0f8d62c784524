"""The response types of gglib's own API and of ``--json``. Values only.

The JSON encoding, the OpenAPI document and its page derive from these types; every response has all fields of its type.
Times are Unix seconds, sizes are bytes. Text from a hub, and file names that gglib does not use, are passed
through ``file_names.shown``, which escapes unprintable characters.
"""

from gglib.proxy.routes.responses.aliases import Alias, Aliases
from gglib.proxy.routes.responses.downloads import Download, DownloadError, Downloads
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
from gglib.proxy.routes.responses.models import KeptFile, LoadedModel, Model, Models, RemovedModel, Source
from gglib.proxy.routes.responses.profiles import Profile, Profiles
from gglib.proxy.routes.responses.runtime import EVENT_NAMES, FailedModel, Status, Stopped
from gglib.proxy.routes.responses.server import Error, ErrorDetail, Health, Reloaded, SettingChange

__all__ = [
    "EVENT_NAMES",
    "Alias",
    "Aliases",
    "Download",
    "DownloadError",
    "Downloads",
    "Error",
    "ErrorDetail",
    "FailedModel",
    "File",
    "Gpu",
    "Health",
    "KeptFile",
    "LoadedModel",
    "Memory",
    "Model",
    "Models",
    "Need",
    "Profile",
    "Profiles",
    "Reloaded",
    "RemovedModel",
    "Repository",
    "SearchResult",
    "SettingChange",
    "ShownFile",
    "ShownRepository",
    "Source",
    "Status",
    "Stopped",
    "Variant",
]
