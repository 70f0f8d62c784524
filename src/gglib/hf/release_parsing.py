"""Converts the JSON of GitHub's release API to values. Pure.

Shapes: https://docs.github.com/rest/releases. ``digest`` (``sha256:…``) exists for files since June 2025; it is
null for older ones.
"""

import re
from collections.abc import Mapping
from typing import Any

from gglib.core.errors import HubError
from gglib.core.hub.releases import Release, ReleaseFile

_SHA256 = re.compile(r"sha256:([0-9a-f]{64})")
_NO_RELEASES = (
    "The release server responds with something other than GitHub's releases: check 'engine_releases_url'."
)


def read_releases(content: Any) -> tuple[Release, ...]:  # noqa: ANN401 - parsed JSON
    """Return the releases of a list, in its order. Raises ``HubError`` if it is none."""
    if not isinstance(content, list):
        raise HubError(_NO_RELEASES)
    return tuple(read_release(each) for each in content)


def read_release(content: Any) -> Release:  # noqa: ANN401 - parsed JSON
    """Return a release; files that are incomplete are left out. Raises ``HubError`` if it is none."""
    match content:
        case {"tag_name": str(tag), "assets": list(assets)}:
            files = (_file(asset) for asset in assets)
            return Release(tag=tag, files=tuple(file for file in files if file is not None))
    raise HubError(_NO_RELEASES)


def rate_limit_wait_s(status: int, headers: Mapping[str, str], now: float) -> float | None:
    """Return how long GitHub accepts no requests, in seconds; None if it is not a response of its rate limit.

    Without a token it allows 60 requests an hour for each address (https://docs.github.com/rest/using-the-rest-api,
    "Rate limits"). ``now`` is Unix time.
    """
    if status not in {403, 429} or headers.get("X-RateLimit-Remaining") != "0":
        return None
    reset = headers.get("X-RateLimit-Reset", "")
    return (
        max(0.0, float(reset) - now) if reset.isascii() and reset.isdecimal() and len(reset) < 12 else 3600.0
    )


def _file(content: Any) -> ReleaseFile | None:  # noqa: ANN401 - parsed JSON
    match content:
        case {"name": str(name), "size": int(size), "browser_download_url": str(url)} if size >= 0:
            if content.get("state", "uploaded") != "uploaded":
                return None
            digest = content.get("digest")
            found = _SHA256.fullmatch(digest) if isinstance(digest, str) else None
            return ReleaseFile(
                name=name, size_bytes=size, url=url, sha256=None if found is None else found[1]
            )
    return None
