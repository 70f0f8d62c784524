"""Sends requests with retries, and downloads files: for the hub, and for the releases of engines. Blocking."""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from gglib.core.errors import HubBusyError, HubUnreachableError
from gglib.core.hub.repository import FetchedFile, RemoteFile
from gglib.core.ports.hub import OnFetchProgress
from gglib.hf.cancellation import CancelToken
from gglib.hf.download.download import Download, DownloadLimits
from gglib.hf.download.hashing import hash_file
from gglib.hf.download.part_file import open_part, remove_leftovers
from gglib.hf.download.retries import Retries, RetryLimits
from gglib.hf.download.storage import map_storage_errors
from gglib.hf.transport.headers import Request
from gglib.hf.transport.responses import RetryAfterError, TransientError
from gglib.hf.transport.transport import OFFLINE, Response, Timeouts, Transport
from gglib.hf.transport.urls import Address

METADATA_RETRIES = RetryLimits(max_attempts=4, max_retry_after_s=15.0)
"""For requests that a user waits for."""

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubLimits:
    """Timeouts and retries; tests use shorter ones."""

    timeouts: Timeouts = field(default_factory=Timeouts)
    download: DownloadLimits = field(default_factory=DownloadLimits)
    metadata: RetryLimits = METADATA_RETRIES


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Sends requests and downloads files; ``transport`` returns how, and may raise ``HubError``."""

    transport: Callable[[], Transport]
    limits: HubLimits

    def request(self, request: Request, read: Callable[[Response], T], cancel_token: CancelToken) -> T:
        """Return what ``read`` makes of the response; retries transient failures."""
        retries, transport = Retries(self.limits.metadata), self.transport()
        while True:
            try:
                with transport.open(request, cancel_token) as response:
                    return read(response)
            except TransientError as error:
                pause_s = retries.record_failure(0, random.random())  # noqa: S311 - not a secret
                if pause_s is None:
                    raise HubUnreachableError(
                        f"Requests to {request.address.origin.authority} fail now, because {error}: "
                        "check the network, and try again."
                    ) from error
            except RetryAfterError as error:
                pause_s = retries.record_retry_after(error.wait_s, 0, random.random())  # noqa: S311 - not a secret
                if pause_s is None:
                    raise HubBusyError(
                        f"{request.address.origin.authority} accepts requests again in {error.wait_s:.0f} s: "
                        "try again then."
                    ) from error
            _log.info("retrying %s in %.1f s", request.address.origin.authority, pause_s)
            cancel_token.sleep(pause_s)

    def fetch(
        self,
        file: RemoteFile,
        target: Path,
        address_of: Callable[[], Address],
        progress: OnFetchProgress,
        cancel_token: CancelToken,
    ) -> FetchedFile:
        """Download a file to ``target``; ``ModelHubPort.fetch`` has the contract.

        ``address_of`` is called unless the file is present.
        """
        with map_storage_errors(target, name=file.name):
            before = _stat_key(target)
            if (whole := _existing_file(file, target, progress, cancel_token)) is not None:
                remove_leftovers(target)
                return whole
        address = address_of()
        with map_storage_errors(target, name=file.name), open_part(file, target) as part:
            # The previous holder of the lock may have finished the file.
            if (
                _stat_key(target) != before
                and (whole := _existing_file(file, target, progress, cancel_token)) is not None
            ):
                return whole
            transport = self.transport()
            is_received = part.identity is not None and part.received.size_bytes == part.identity.size_bytes
            if transport.is_offline and not is_received:
                raise HubUnreachableError(OFFLINE)
            return Download(
                file,
                target,
                address=address,
                transport=transport,
                limits=self.limits.download,
                cancel_token=cancel_token,
                on_progress=progress,
            ).run(part)


def _stat_key(path: Path) -> tuple[int, ...] | None:
    """Return values that change when the file is replaced; None if there is no file."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


def _existing_file(
    file: RemoteFile, target: Path, progress: OnFetchProgress, cancel_token: CancelToken
) -> FetchedFile | None:
    """Return the file at its final place if it is the requested one, else None. Raises ``OSError``."""
    try:
        size = target.stat().st_size
    except FileNotFoundError:
        return None
    if file.size_bytes not in {None, size}:
        return None
    sha256 = hash_file(target, cancel_token, lambda read_bytes: progress(read_bytes, size))
    if file.sha256 not in {None, sha256}:
        return None
    progress(size, size)
    return FetchedFile(size_bytes=size, sha256=sha256)
