"""The starter model: what a first start offers to a machine that has no model yet."""

from gglib.library.starter.errors import StarterError
from gglib.library.starter.fetch import fetch_starter
from gglib.library.starter.pinned import SMOLLM2, STARTER, StarterModel
from gglib.library.starter.progress import Progress

__all__ = ["SMOLLM2", "STARTER", "Progress", "StarterError", "StarterModel", "fetch_starter"]
