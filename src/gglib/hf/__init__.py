"""Search and download from the Hugging Face hub; implements ``ModelHubPort``."""

from gglib.hf.download.part_file import resumable_bytes
from gglib.hf.hub import HubAccess, HubLimits, HuggingFaceHub

__all__ = ["HubAccess", "HubLimits", "HuggingFaceHub", "resumable_bytes"]
