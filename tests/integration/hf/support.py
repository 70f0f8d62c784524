"""One file on the local hub, and a client with short timeouts."""

import hashlib
import random
from dataclasses import dataclass, field
from pathlib import Path

from gglib.core.hub.repository import RemoteFile
from gglib.hf import HubAccess, HubLimits, HuggingFaceHub
from gglib.hf.download.connections import ConnectionLimits
from gglib.hf.download.download import DownloadLimits
from gglib.hf.download.retries import RetryLimits
from gglib.hf.transport.transport import Timeouts
from gglib.testing.local_hub import LocalHub

REPO, NAME, TOKEN = "ada/coder-GGUF", "coder-Q4_K_M.gguf", "hf_secret"
QUICK = RetryLimits(first_pause_s=0.005, max_pause_s=0.02, max_attempts=4, max_retry_after_s=1.5)


def limits(
    *, read_s: float = 10.0, connections: ConnectionLimits | None = None, spare_bytes: int = 0
) -> HubLimits:
    """Return limits with short timeouts."""
    download = DownloadLimits(
        retries=QUICK, connections=connections or ConnectionLimits(max_connections=1), spare_bytes=spare_bytes
    )
    return HubLimits(timeouts=Timeouts(connect_s=5.0, read_s=read_s), download=download, metadata=QUICK)


def content(size_bytes: int, seed: int = 1) -> bytes:
    """Return reproducible random bytes, so that all blocks differ."""
    return random.Random(seed).randbytes(size_bytes)  # noqa: S311 - test data


def sha256(data: bytes) -> str:
    """Return a hash as the hub writes it."""
    return hashlib.sha256(data).hexdigest()


@dataclass
class Pull:
    """One file on a hub, its local target, and the progress reports."""

    hub: LocalHub
    target: Path
    data: bytes
    commit: str = ""
    progress: list[tuple[int, int | None]] = field(default_factory=list)

    @property
    def file(self) -> RemoteFile:
        """The file as a listing describes it."""
        return RemoteFile(
            name=NAME, repo=REPO, revision=self.commit, size_bytes=len(self.data), sha256=sha256(self.data)
        )

    @property
    def left(self) -> list[str]:
        """The names of all files in the target's directory."""
        return sorted(path.name for path in self.target.parent.iterdir())

    def client(
        self, how: HubLimits | None = None, *, token: str | None = None, is_offline: bool = False
    ) -> HuggingFaceHub:
        """Return the client."""
        access = HubAccess(endpoint=self.hub.url, token=lambda: token, is_offline=is_offline)
        return HuggingFaceHub(access, how or limits())

    def on_progress(self, here: int, total: int | None) -> None:
        """Record progress."""
        self.progress.append((here, total))

    async def run(self, how: HubLimits | None = None, file: RemoteFile | None = None) -> None:
        """Download the file and check its content."""
        async with self.client(how) as client:
            fetched = await client.fetch(file or self.file, self.target, self.on_progress)
        assert self.target.read_bytes() == self.data
        assert (fetched.size_bytes, fetched.sha256) == (len(self.data), sha256(self.data))
        assert self.left == [self.target.name]

    def starts(self) -> list[int]:
        """Return the first byte of each response with content of the file, oldest first."""
        answers = [one for one in self.hub.requests_of(NAME) if one.status in {200, 206}]
        return [int((one.range or "bytes=0-").removeprefix("bytes=").split("-")[0]) for one in answers]
