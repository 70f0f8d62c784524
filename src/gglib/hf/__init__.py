"""The Hugging Face hub (``ModelHubPort``) and the releases of engines (``EngineReleasesPort``)."""

from gglib.hf.download.part_file import resumable_bytes
from gglib.hf.fetcher import HubLimits
from gglib.hf.hub import HubAccess, HuggingFaceHub
from gglib.hf.releases import GitHubReleases

__all__ = ["GitHubReleases", "HubAccess", "HubLimits", "HuggingFaceHub", "resumable_bytes"]
