"""The complete catalogue of a home: its models, their profiles, and the versions of their files."""

from typing import Protocol

from gglib.core.ports.catalog import ModelStorePort
from gglib.core.ports.profiles import ProfileStorePort
from gglib.core.ports.versions import VersionStorePort


class HomeStorePort(ModelStorePort, ProfileStorePort, VersionStorePort, Protocol):
    """Reads and changes the models, profiles and versions of one catalogue."""
