"""``HuggingFaceHub``: the hub and the web as a ``ModelHubPort``."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from gglib.core.errors import HubError, HubUnreachableError
from gglib.core.hub.repository import (
    FetchedFile,
    HubRepository,
    HubSort,
    RemoteFile,
)
from gglib.core.ports.hub import OnFetchProgress
from gglib.hf import threads
from gglib.hf.api import HubApi
from gglib.hf.cancellation import CancelToken
from gglib.hf.fetcher import Fetcher, HubLimits
from gglib.hf.transport.headers import Request
from gglib.hf.transport.responses import (
    describe_body,
    hub_request_for,
    linked_sha256,
    parse_number,
    raise_for_status,
    validator_of,
)
from gglib.hf.transport.transport import OFFLINE, Response, Transport
from gglib.hf.transport.urls import (
    Address,
    file_address,
    file_name,
    hub_location,
    parse_address,
    parse_endpoint,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubAccess:
    """Which hub to use, and with which token."""

    endpoint: str
    token: Callable[[], str | None] = field(default=lambda: None, repr=False)
    """Called before each use; None means no token."""
    is_offline: bool = False
    """Send no request to any network."""


class HuggingFaceHub:
    """Searches the Hugging Face hub, and downloads from it and from any web address."""

    def __init__(self, access: HubAccess, limits: HubLimits | None = None) -> None:
        """Open no connection. Raises ``HubError`` for an invalid endpoint."""
        self._access = access
        self._limits = HubLimits() if limits is None else limits
        self._api = HubApi(access.endpoint, access.token, first_wait_s=self._limits.metadata.first_pause_s)
        self._endpoint = parse_endpoint(access.endpoint.rstrip("/"))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Do nothing: no connection is kept between calls."""

    async def search(self, query: str, *, sort: HubSort, limit: int, skip: int = 0) -> list[HubRepository]:
        """Return repositories with GGUF files that match ``query``, best first, with their files."""
        self._refuse_offline()
        return await self._api.search(query, sort=sort, limit=limit, skip=skip)

    async def repository(self, repo: str, revision: str | None = None) -> HubRepository:
        """Return a repository at a branch, tag or commit; None means the head of the default branch."""
        self._refuse_offline()
        return await self._api.repository(repo, revision)

    async def locate(self, url: str) -> RemoteFile:
        """Return the file at a web address."""
        address = parse_address(url)
        self._refuse_offline()
        return await threads.run(lambda cancel_token: self._locate(address, cancel_token))

    async def read_start(self, file: RemoteFile, length_bytes: int) -> bytes:
        """Return the first bytes of a file."""
        self._refuse_offline()
        request = Request(address=self._address(file), end_byte=length_bytes)

        def read(response: Response) -> bytes:
            if response.status == 416:  # an empty file has no first byte
                return b""
            self._raise_for(response, file)
            body = describe_body(
                response.status, response.headers, first_byte=0, is_chunked=response.is_chunked
            )
            wanted = length_bytes if body.length_bytes is None else min(length_bytes, body.length_bytes)
            buffer, filled = memoryview(bytearray(wanted)), 0
            while filled < wanted and (got := response.read_into(buffer[filled:])):
                filled += got
            return bytes(buffer[:filled])

        return await threads.run(lambda cancel_token: self._fetcher().request(request, read, cancel_token))

    async def fetch(self, file: RemoteFile, target: Path, progress: OnFetchProgress) -> FetchedFile:
        """Download a file to ``target``; ``ModelHubPort`` has the contract."""
        return await threads.run(lambda cancel_token: self._fetch(file, target, progress, cancel_token))

    def _fetch(
        self, file: RemoteFile, target: Path, progress: OnFetchProgress, cancel_token: CancelToken
    ) -> FetchedFile:
        fetcher = self._fetcher()
        return fetcher.fetch(file, target, lambda: self._address(file), progress, cancel_token)

    def _locate(self, address: Address, cancel_token: CancelToken) -> RemoteFile:
        place = hub_location(address, self._endpoint)
        name = file_name(address) if place is None else place.name
        if not name:
            raise HubError(f"{address} names no file: use the address of the file itself.")
        file = RemoteFile(name=name, url=address.url)
        if place is not None:
            file = RemoteFile(name=name, repo=place.repo, revision=place.revision)
            address = self._address(file)

        def read(response: Response) -> RemoteFile | None:
            if response.status in {403, 405, 501} and is_head:
                return None
            self._raise_for(response, file)
            return _file_from_response(file, response)

        is_head = True
        found = self._fetcher().request(Request(address=address, method="HEAD"), read, cancel_token)
        if found is None:  # signed addresses are often valid for GET only
            is_head = False
            found = self._fetcher().request(Request(address=address, end_byte=1), read, cancel_token)
        assert found is not None  # noqa: S101 - for the type checker: only a HEAD returns None
        return found

    def _raise_for(self, response: Response, file: RemoteFile) -> None:
        has_token = self._access.token() is not None
        asked = hub_request_for(file, self._endpoint.url.rstrip("/"), has_token=has_token)
        raise_for_status(response.status, response.headers, asked, is_hub=response.is_hub, now=time.time())

    def _address(self, file: RemoteFile) -> Address:
        if file.url is not None:
            return parse_address(file.url)
        if file.repo is None or file.revision is None:
            raise HubError(f"{file.name} has neither a repository with a revision nor an address.")
        return file_address(self._access.endpoint, file.repo, file.revision, file.name)

    def _fetcher(self) -> Fetcher:
        return Fetcher(self._transport, self._limits)

    def _transport(self) -> Transport:
        token = (self._access.token() or "").strip()
        if not all("!" <= letter <= "~" for letter in token):
            raise HubError("The token in HF_TOKEN contains blanks or invalid characters: set it again.")
        return Transport(
            hub=self._endpoint,
            token=token or None,
            timeouts=self._limits.timeouts,
            is_offline=self._access.is_offline,
        )

    def _refuse_offline(self) -> None:
        if self._access.is_offline:
            raise HubUnreachableError(OFFLINE)


def _file_from_response(file: RemoteFile, response: Response) -> RemoteFile:
    """Return the file with what a response head says about it."""
    body = describe_body(response.status, response.headers, first_byte=0, is_chunked=True)
    size = body.total_bytes if body.is_part else parse_number(response.headers.get("Content-Length"))
    size = parse_number(response.first_headers.get("X-Linked-Size")) or size
    commit = response.first_headers.get("X-Repo-Commit") or file.revision
    return RemoteFile(
        name=file.name,
        repo=file.repo,
        revision=commit if file.repo is not None else None,
        url=file.url,
        size_bytes=size,
        sha256=linked_sha256(response.first_headers),
        validator=validator_of(response.headers) if file.url is not None else None,
    )
