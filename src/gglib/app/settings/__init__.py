"""The settings of gglib: their definitions, sources, checks and changes."""

from gglib.app.settings.definitions import SETTINGS, Settings
from gglib.app.settings.home import prepare_home
from gglib.app.settings.loading import load_settings, with_defaults

__all__ = ["SETTINGS", "Settings", "load_settings", "prepare_home", "with_defaults"]
