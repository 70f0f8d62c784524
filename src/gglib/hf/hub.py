"""``HuggingFaceHub``: the hub and the web as a ``ModelHubPort``."""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from gglib.core.errors import HubBusyError, HubError, HubUnreachableError
from gglib.core.hub.repository import (
    FetchedFile,
    HubRepository,
    HubSort,
    RemoteFile,
)
from gglib.core.ports.hub import OnFetchProgress
from gglib.hf import threads
from gglib.hf.api import HubApi
from gglib.hf.cancellation import Stop
from gglib.hf.download.download import Download, DownloadLimits
from gglib.hf.download.hashing import hash_file
from gglib.hf.download.part_file import open_part, sweep
from gglib.hf.download.retries import Retries, RetryLimits
from gglib.hf.download.storage import storing
from gglib.hf.transport.headers import Request
from gglib.hf.transport.responses import (
    LostError,
    PatienceError,
    asked_for,
    linked_sha256,
    raise_for,
    read_body,
    validator_of,
    whole_number,
)
from gglib.hf.transport.transport import (
    OFFLINE,
    Reply,
    Timeouts,
    Transport,
)
from gglib.hf.transport.urls import (
    Address,
    file_address,
    last_name,
    place_in_hub,
    read_address,
    read_endpoint,
)

ASK_RETRIES = RetryLimits(most_tries=4, longest_obeyed_s=15.0)
"""For a question that a person waits for."""

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubAccess:
    """Which hub, as whom."""

    endpoint: str
    token: Callable[[], str | None] = field(default=lambda: None, repr=False)
    """Asked before each use; None goes there as a stranger."""
    is_offline: bool = False
    """Nothing is asked of any network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubLimits:
    """How patient to be; tests are less so."""

    timeouts: Timeouts = field(default_factory=Timeouts)
    download: DownloadLimits = field(default_factory=DownloadLimits)
    ask: RetryLimits = ASK_RETRIES


class HuggingFaceHub:
    """Searches the Hugging Face hub, and fetches from it and from any address of the web."""

    def __init__(self, access: HubAccess, limits: HubLimits | None = None) -> None:
        """Ask nothing yet. Raises ``HubError`` for an endpoint that is no address."""
        self._access = access
        self._limits = HubLimits() if limits is None else limits
        self._api = HubApi(access.endpoint, access.token, first_wait_s=self._limits.ask.first_pause_s)
        self._endpoint = read_endpoint(access.endpoint.rstrip("/"))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing is kept open between calls."""

    async def search(self, query: str, *, sort: HubSort, limit: int, skip: int = 0) -> list[HubRepository]:
        """Return repositories with GGUF files that ``query`` finds, best first, with their files."""
        self._refuse_offline()
        return await self._api.search(query, sort=sort, limit=limit, skip=skip)

    async def repository(self, repo: str, revision: str | None = None) -> HubRepository:
        """Return a repository at a branch, tag or commit; None: as it is now."""
        self._refuse_offline()
        return await self._api.repository(repo, revision)

    async def locate(self, url: str) -> RemoteFile:
        """Return the file at an address of the web."""
        address = read_address(url)
        self._refuse_offline()
        return await threads.run(lambda stop: self._locate(address, stop))

    async def read_start(self, file: RemoteFile, length_bytes: int) -> bytes:
        """Return the first bytes of a file."""
        self._refuse_offline()
        request = Request(address=self._address(file), end_byte=length_bytes)

        def read(reply: Reply) -> bytes:
            if reply.status == 416:  # of an empty file there is no first byte
                return b""
            self._raise_for(reply, file)
            body = read_body(reply.status, reply.headers, first_byte=0, is_chunked=reply.is_chunked)
            wanted = length_bytes if body.length_bytes is None else min(length_bytes, body.length_bytes)
            buffer, filled = memoryview(bytearray(wanted)), 0
            while filled < wanted and (got := reply.read_into(buffer[filled:])):
                filled += got
            return bytes(buffer[:filled])

        return await threads.run(lambda stop: self._ask(request, read, stop))

    async def fetch(self, file: RemoteFile, target: Path, progress: OnFetchProgress) -> FetchedFile:
        """Bring a file to ``target``; the port has the contract."""
        return await threads.run(lambda stop: self._fetch(file, target, progress, stop))

    def _fetch(self, file: RemoteFile, target: Path, progress: OnFetchProgress, stop: Stop) -> FetchedFile:
        with storing(target, name=file.name):
            before = _stamp(target)
            if (whole := _whole(file, target, progress, stop)) is not None:
                sweep(target)
                return whole
        address = self._address(file)
        with storing(target, name=file.name), open_part(file, target) as part:
            # Whoever held the lock until now may have finished it.
            if _stamp(target) != before and (whole := _whole(file, target, progress, stop)) is not None:
                return whole
            if part.identity is None or part.here.size_bytes != part.identity.size_bytes:
                self._refuse_offline()
            return Download(
                file,
                target,
                address=address,
                transport=self._transport(),
                limits=self._limits.download,
                stop=stop,
                progress=progress,
            ).run(part)

    def _locate(self, address: Address, stop: Stop) -> RemoteFile:
        place = place_in_hub(address, self._endpoint)
        name = last_name(address) if place is None else place.name
        if not name:
            raise HubError(f"{address} names no file: give the address of the file itself.")
        file = RemoteFile(name=name, url=address.url)
        if place is not None:
            file = RemoteFile(name=name, repo=place.repo, revision=place.revision)
            address = self._address(file)

        def read(reply: Reply) -> RemoteFile | None:
            if reply.status in {403, 405, 501} and is_head:
                return None
            self._raise_for(reply, file)
            return _described(file, reply)

        is_head = True
        found = self._ask(Request(address=address, method="HEAD"), read, stop)
        if found is None:  # signed addresses are often good for GET alone
            is_head = False
            found = self._ask(Request(address=address, end_byte=1), read, stop)
        assert found is not None  # noqa: S101 - for the type checker: only a HEAD returns None
        return found

    def _ask(self, request: Request, read: Callable[[Reply], T], stop: Stop) -> T:
        """Return what ``read`` makes of the answer; asked again a few times where that may help."""
        retries, transport = Retries(self._limits.ask), self._transport()
        while True:
            try:
                with transport.open(request, stop) as reply:
                    return read(reply)
            except LostError as error:
                pause_s = retries.lost(0, random.random())  # noqa: S311 - not a secret
                if pause_s is None:
                    raise HubUnreachableError(
                        f"{request.address.origin.authority} cannot be asked now, because {error}: "
                        "look at the network, and try again."
                    ) from error
            except PatienceError as error:
                pause_s = retries.told_to_wait(error.wait_s, 0, random.random())  # noqa: S311 - not a secret
                if pause_s is None:
                    raise HubBusyError(
                        f"{request.address.origin.authority} asks to be left alone for {error.wait_s:.0f} s: "
                        "try again after that."
                    ) from error
            _log.info("%s is asked again in %.1f s", request.address.origin.authority, pause_s)
            stop.pause(pause_s)

    def _raise_for(self, reply: Reply, file: RemoteFile) -> None:
        has_token = self._access.token() is not None
        asked = asked_for(file, self._endpoint.url.rstrip("/"), has_token=has_token)
        raise_for(reply.status, reply.headers, asked, is_hub=reply.is_hub, now=time.time())

    def _address(self, file: RemoteFile) -> Address:
        if file.url is not None:
            return read_address(file.url)
        if file.repo is None or file.revision is None:
            raise HubError(f"{file.name} is neither of a repository at a revision nor at an address.")
        return file_address(self._access.endpoint, file.repo, file.revision, file.name)

    def _transport(self) -> Transport:
        token = (self._access.token() or "").strip()
        if not all("!" <= sign <= "~" for sign in token):
            raise HubError("The token in HF_TOKEN has blanks or odd characters in it: set it again.")
        return Transport(
            hub=self._endpoint,
            token=token or None,
            timeouts=self._limits.timeouts,
            is_offline=self._access.is_offline,
        )

    def _refuse_offline(self) -> None:
        if self._access.is_offline:
            raise HubUnreachableError(OFFLINE)


def _stamp(path: Path) -> tuple[int, ...] | None:
    """Return what changes when a file is replaced; None for none."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


def _whole(file: RemoteFile, target: Path, progress: OnFetchProgress, stop: Stop) -> FetchedFile | None:
    """Return the file at its final place if it is the one, None for none or another one. Raises ``OSError``."""
    try:
        size = target.stat().st_size
    except FileNotFoundError:
        return None
    if file.size_bytes not in {None, size}:
        return None
    sha256 = hash_file(target, stop, lambda read_bytes: progress(read_bytes, size))
    if file.sha256 not in {None, sha256}:
        return None
    progress(size, size)
    return FetchedFile(size_bytes=size, sha256=sha256)


def _described(file: RemoteFile, reply: Reply) -> RemoteFile:
    """Return the file with what the head of an answer says of it."""
    body = read_body(reply.status, reply.headers, first_byte=0, is_chunked=True)
    size = body.total_bytes if body.is_part else whole_number(reply.headers.get("Content-Length"))
    size = whole_number(reply.first_headers.get("X-Linked-Size")) or size
    commit = reply.first_headers.get("X-Repo-Commit") or file.revision
    return RemoteFile(
        name=file.name,
        repo=file.repo,
        revision=commit if file.repo is not None else None,
        url=file.url,
        size_bytes=size,
        sha256=linked_sha256(reply.first_headers),
        validator=validator_of(reply.headers) if file.url is not None else None,
    )
