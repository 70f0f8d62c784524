"""The starter model: what a first start offers to a machine that has no model yet."""

from gglib.starter.errors import StarterError
from gglib.starter.fetch import fetch_starter
from gglib.starter.pinned import SMOLLM2, STARTER, StarterModel
from gglib.starter.progress import Progress

__all__ = ["SMOLLM2", "STARTER", "Progress", "StarterError", "StarterModel", "fetch_starter"]
