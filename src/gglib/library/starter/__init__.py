"""The starter model: offered on the first start, when the catalogue is empty."""

from gglib.library.starter.errors import StarterError
from gglib.library.starter.fetch import fetch_starter
from gglib.library.starter.pinned import SMOLLM2, STARTER, StarterModel
from gglib.library.starter.progress import Progress

__all__ = ["SMOLLM2", "STARTER", "Progress", "StarterError", "StarterModel", "fetch_starter"]
