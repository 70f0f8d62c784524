"""Installed engines: archives are checked, unpacked and kept in a directory of the home."""

from gglib.engine_store.installation import (
    Archive,
    Installation,
    Probe,
    ProbedProgram,
    install,
    installed_already,
)
from gglib.engine_store.record import ArchiveRecord, EngineRecord
from gglib.engine_store.store import EngineStore, InstalledEngine

__all__ = [
    "Archive",
    "ArchiveRecord",
    "EngineRecord",
    "EngineStore",
    "Installation",
    "InstalledEngine",
    "Probe",
    "ProbedProgram",
    "install",
    "installed_already",
]
