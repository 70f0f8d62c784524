"""A release server for tests: GitHub's release API and its downloads, on real sockets, with fault injection."""

import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from gglib.testing.local_hub.content import Content, Source
from gglib.testing.local_hub.faults import Fault
from gglib.testing.local_hub.hub import LocalHub
from gglib.testing.local_hub.record import Host

_REPOSITORY = "ggml-org/llama.cpp"
_API = f"/repos/{_REPOSITORY}/releases"
_DATE = "2026-10-07T02:03:04Z"


class LocalReleases:
    """Releases of llama.cpp on this machine, as a context manager; it runs in its own threads, so a test may block.

    ::

        with LocalReleases() as releases:
            releases.add_release("b11462", {"llama-b11462-bin-ubuntu-x64.tar.gz": archive})
            releases.url                               # the value for the setting engine_releases_url

    The newest release is first in the list. ``latest`` is the last one that was added with ``is_latest``, as on GitHub,
    where llama.cpp's builds are no candidates: an announced version (``add_pointer``) has one file with the tag of its
    build. A file has ``size`` and ``digest`` as the API names them; ``digests`` replaces digests by other texts, or by
    None, as of old files.

    A download is redirected, as on GitHub, to an address with the content; ``content_path`` is its path, for the faults
    and gates of ``hub``, which serves everything (``LocalHub.inject_fault``, ``pause_after``).
    """

    def __init__(self) -> None:
        self.hub = LocalHub()
        self._releases: list[dict[str, Any]] = []
        self._files = 0

    @property
    def url(self) -> str:
        """The URL of the list of releases."""
        return f"{self.hub.foreign_url}{_API}"

    def add_release(
        self,
        tag: str,
        files: Mapping[str, Source],
        *,
        digests: Mapping[str, str | None] | None = None,
        is_latest: bool = False,
    ) -> None:
        """Add a release with its files; one with the same tag is replaced."""
        overrides = digests or {}
        assets = [self._asset(tag, name, Content.of(source), overrides) for name, source in files.items()]
        self._publish(tag, assets, is_latest=is_latest)

    def add_pointer(self, tag: str, build: str) -> None:
        """Add an announced version, which names the tag of its build."""
        self.add_release(tag, {"nightly-tag.txt": f"{build}\n".encode()}, is_latest=True)

    def content_path(self, tag: str, name: str) -> str:
        """Return the path of a file's content."""
        return f"/release-assets/{tag}/{name}"

    def limit_rate(self, reset_at: int, status: int = 403) -> None:
        """Refuse all requests to the API from now on, as GitHub does after 60 in an hour; ``reset_at`` is Unix time."""
        headers = (
            ("X-RateLimit-Limit", "60"),
            ("X-RateLimit-Remaining", "0"),
            ("X-RateLimit-Reset", str(reset_at)),
        )
        body = b'{"message":"API rate limit exceeded for 192.0.2.1."}'
        self.hub.inject_fault(
            Fault(status=status, body=body, headers=headers),
            host=Host.FOREIGN,
            where=lambda target: target.startswith(_API),
        )

    def __enter__(self) -> Self:
        self.hub.__enter__()
        self._update()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close every connection and join every thread."""
        self.hub.__exit__(kind, error, traceback)

    def _publish(self, tag: str, assets: Sequence[Mapping[str, Any]], *, is_latest: bool) -> None:
        release = {
            "url": f"{self.url}/{len(self._releases) + 1}",
            "html_url": f"https://github.com/{_REPOSITORY}/releases/tag/{tag}",
            "id": len(self._releases) + 1,
            "tag_name": tag,
            "name": tag,
            "draft": False,
            "prerelease": not is_latest,
            "created_at": _DATE,
            "published_at": _DATE,
            "assets": assets,
            "body": "Notes of the release.",
        }
        self._releases = [release, *(each for each in self._releases if each["tag_name"] != tag)]
        self.hub.add_address(f"{_API}/tags/{tag}", _dumps(release))
        if is_latest:
            self.hub.add_address(f"{_API}/latest", _dumps(release))
        self._update()

    def _update(self) -> None:
        self.hub.add_address(_API, _dumps(self._releases))

    def _asset(
        self, tag: str, name: str, content: Content, digests: Mapping[str, str | None]
    ) -> dict[str, Any]:
        self._files += 1
        path = f"/{_REPOSITORY}/releases/download/{tag}/{name}"
        location = self.hub.add_address(self.content_path(tag, name), content)
        self.hub.inject_fault(
            Fault(status=302, location=f"{location}?sp=r&sig={self._files}"), file=path, host=Host.FOREIGN
        )
        return {
            "url": f"{self.url}/assets/{self._files}",
            "id": self._files,
            "name": name,
            "label": "",
            "content_type": "application/gzip",
            "state": "uploaded",
            "size": content.size_bytes,
            "digest": digests.get(name, f"sha256:{content.sha256}"),
            "download_count": 0,
            "created_at": _DATE,
            "updated_at": _DATE,
            "browser_download_url": f"{self.hub.foreign_url}{path}",
        }


def _dumps(value: object) -> bytes:
    return json.dumps(value).encode()
