"""Search and download from the Hugging Face hub; implements ``ModelHubPort``."""

from gglib.hf.hub import HubAccess, HubLimits, HuggingFaceHub
from gglib.hf.part import bytes_here

__all__ = ["HubAccess", "HubLimits", "HuggingFaceHub", "bytes_here"]
