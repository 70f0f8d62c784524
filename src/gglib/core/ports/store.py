"""The complete catalogue of a home: its models, and the versions of their files."""

from typing import Protocol

from gglib.core.ports.catalog import ModelStorePort
from gglib.core.ports.versions import VersionStorePort


class HomeStorePort(ModelStorePort, VersionStorePort, Protocol):
    """Reads and changes the models and versions of one catalogue."""
