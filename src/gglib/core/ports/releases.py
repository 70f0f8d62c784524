"""The port to the releases of an engine."""

from pathlib import Path
from typing import Protocol

from gglib.core.hub.releases import Release, ReleaseFile
from gglib.core.hub.repository import FetchedFile
from gglib.core.ports.hub import OnFetchProgress


class EngineReleasesPort(Protocol):
    """Lists the releases of llama.cpp and downloads their files.

    Every failure is a ``GglibError`` whose message says what to do.
    """

    @property
    def host(self) -> str:
        """The name of the server, for messages."""
        ...

    async def latest(self) -> Release | None:
        """Return the release that the server marks as the latest, None if it marks none.

        Its only file may be one that names a build.
        """
        ...

    async def newest(self, count: int) -> tuple[Release, ...]:
        """Return the newest releases of all kinds, newest first."""
        ...

    async def release(self, tag: str) -> Release | None:
        """Return the release with this tag; None if there is none."""
        ...

    async def read(self, file: ReleaseFile) -> bytes:
        """Return the content of a small file."""
        ...

    async def fetch(self, file: ReleaseFile, target: Path, progress: OnFetchProgress) -> FetchedFile:
        """Download a file to ``target``, verified; resumes like ``ModelHubPort.fetch``, and fails like it.

        A file without a hash is refused.
        """
        ...
