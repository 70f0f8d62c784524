"""``GitHubReleases``: the releases of llama.cpp as an ``EngineReleasesPort``.

It uses the transport of the hub: the same rules for redirects, proxies and retries, and the same resumable downloads.
No request carries a token.
"""

import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gglib.core.addresses import is_loopback
from gglib.core.errors import EngineInstallError, GatedRepositoryError, HubBusyError, HubError
from gglib.core.hub.releases import Release, ReleaseFile
from gglib.core.hub.repository import FetchedFile, RemoteFile
from gglib.core.ports.hub import OnFetchProgress
from gglib.hf import threads
from gglib.hf.cancellation import CancelToken
from gglib.hf.fetcher import Fetcher, HubLimits
from gglib.hf.release_parsing import rate_limit_wait_s, read_release, read_releases
from gglib.hf.transport.headers import Request
from gglib.hf.transport.responses import TransientError, hub_request_for, raise_for_status
from gglib.hf.transport.transport import Response, Transport
from gglib.hf.transport.urls import Address, parse_address
from gglib.system.files.small_files import parse_json

MAX_JSON_BYTES = 16 * 1024 * 1024
"""A release with 40 files has 60 kB."""
MAX_TEXT_BYTES = 64 * 1024
_READ_BYTES = 64 * 1024


class GitHubReleases:
    """Lists releases, and downloads their files. Opens no connection before it is used."""

    def __init__(self, url: str, *, limits: HubLimits | None = None, is_offline: bool = False) -> None:
        """Take the URL of the list: ``https://api.github.com/repos/OWNER/NAME/releases``.

        Raises ``HubError`` for a URL that is neither https nor of this machine.
        """
        self._url = url.rstrip("/")
        self._base = checked_address(self._url)
        self._is_offline = is_offline
        self._fetcher = Fetcher(self._transport, HubLimits() if limits is None else limits)

    @property
    def host(self) -> str:
        """The name of the server."""
        return self._base.origin.authority

    async def latest(self) -> Release | None:
        """Return the release that GitHub marks as the latest."""
        content = await self._json("/latest")
        return None if content is None else read_release(content)

    async def newest(self, count: int) -> tuple[Release, ...]:
        """Return the newest releases."""
        return read_releases(await self._json(f"?per_page={count}") or [])

    async def release(self, tag: str) -> Release | None:
        """Return the release with this tag."""
        content = await self._json(f"/tags/{quote(tag, safe='')}")
        return None if content is None else read_release(content)

    async def read(self, file: ReleaseFile) -> bytes:
        """Return the content of a small file."""
        address = checked_address(file.url)
        return await self._get(address, MAX_TEXT_BYTES, name=file.name) or b""

    async def fetch(self, file: ReleaseFile, target: Path, progress: OnFetchProgress) -> FetchedFile:
        """Download a file, verified by its hash."""
        if file.sha256 is None:
            raise EngineInstallError(
                f"{self.host} has no SHA-256 of {file.name}, so it cannot be verified: download it with a browser, "
                "then type 'gglib engine install FILE'."
            )
        address = checked_address(file.url)
        remote = RemoteFile(name=file.name, url=file.url, size_bytes=file.size_bytes, sha256=file.sha256)

        def fetch(cancel_token: CancelToken) -> FetchedFile:
            return self._fetcher.fetch(remote, target, lambda: address, progress, cancel_token)

        try:
            return await threads.run(fetch)
        except GatedRepositoryError:
            raise _refused(file.name, address) from None

    async def _json(self, path: str) -> Any:  # noqa: ANN401 - parsed JSON
        """Return the parsed response; None for 404."""
        address = parse_address(f"{self._url}{path}")
        content = await self._get(address, MAX_JSON_BYTES, name="the list of releases")
        try:
            return None if content is None else parse_json(content)
        except ValueError as error:
            raise HubError(
                f"{self.host} responds with something other than a list of releases ({error}): check "
                "'engine_releases_url'."
            ) from None

    async def _get(self, address: Address, limit_bytes: int, *, name: str) -> bytes | None:
        def read(response: Response) -> bytes | None:
            if response.status == 404:
                return None
            self._raise_for(response, address, name)
            return _read_body(response, limit_bytes, name)

        request = Request(address=address)
        return await threads.run(lambda cancel_token: self._fetcher.request(request, read, cancel_token))

    def _raise_for(self, response: Response, address: Address, name: str) -> None:
        wait_s = rate_limit_wait_s(response.status, response.headers, time.time())
        if wait_s is not None:
            raise HubBusyError(
                f"{address.origin.authority} accepts no more requests from this network for "
                f"{max(1, round(wait_s / 60))} min: try again then, or download the archive with a browser and type "
                "'gglib engine install FILE'."
            )
        if response.status in {401, 403}:
            raise _refused(name, address)
        asked = hub_request_for(RemoteFile(name=name, url=address.url), "", has_token=False)
        raise_for_status(response.status, response.headers, asked, is_hub=False, now=time.time())

    def _transport(self) -> Transport:
        return Transport(hub=self._base, timeouts=self._fetcher.limits.timeouts, is_offline=self._is_offline)


def checked_address(url: str) -> Address:
    """Parse an address of releases. Raises ``HubError`` unless it is https, or http on this machine."""
    address = parse_address(url)
    if address.origin.scheme != "https" and not is_loopback(address.origin.host):
        raise HubError(
            f"{address.origin.authority} would send programs without https, where they could be changed on their way: "
            "set 'engine_releases_url' to an https address."
        )
    return address


def _read_body(response: Response, limit_bytes: int, name: str) -> bytes:
    content, buffer = bytearray(), memoryview(bytearray(_READ_BYTES))
    length = response.headers.get("Content-Length", "")
    missing = int(length) if length.isascii() and length.isdecimal() and len(length) < 19 else None
    while missing is None or len(content) < missing:
        got = response.read_into(
            buffer if missing is None else buffer[: min(_READ_BYTES, missing - len(content))]
        )
        if got == 0 and missing is not None:
            raise TransientError("the connection was closed early")
        if got == 0:
            break
        content += buffer[:got]
        if len(content) > limit_bytes:
            raise HubError(
                f"The server sends more than {limit_bytes // 1024} KiB for {name}: check its address."
            )
    return bytes(content)


def _refused(name: str, address: Address) -> HubError:
    return HubError(
        f"{address.origin.authority} refuses to send {name} without a login: download it with a browser, then type "
        "'gglib engine install FILE'."
    )
