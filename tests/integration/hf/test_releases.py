"""Releases from a local server with GitHub's shapes: lists, downloads, and every fault on the way."""

import asyncio
import hashlib
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.hf.support import content, limits

from gglib.core.errors import (
    DiskFullError,
    DownloadCorruptError,
    EngineInstallError,
    HubBusyError,
    HubError,
    HubUnreachableError,
)
from gglib.core.hub.releases import ReleaseFile
from gglib.hf import GitHubReleases, HubLimits
from gglib.testing import LocalReleases
from gglib.testing.local_hub import Disconnect, Fault, Host, failing, rate_limited

TAG, NAME = "b11462", "llama-b11462-bin-ubuntu-x64.tar.gz"
DATA = content(300_000)


@pytest.fixture
def releases() -> Iterator[LocalReleases]:
    """Yield a server with a release of one file."""
    with LocalReleases() as server:
        server.add_release(TAG, {NAME: DATA})
        yield server


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return the path to download to."""
    directory = tmp_path / "downloads"
    directory.mkdir()
    return directory / NAME


def client(server: LocalReleases, how: HubLimits | None = None) -> GitHubReleases:
    """Return a client with short timeouts."""
    return GitHubReleases(server.url, limits=how or limits(spare_bytes=0))


async def file_of(server: LocalReleases) -> ReleaseFile:
    """Return the file as the API describes it."""
    release = await client(server).release(TAG)
    assert release is not None
    (file,) = release.files
    return file


async def fetch(server: LocalReleases, target: Path, how: HubLimits | None = None) -> None:
    """Download the file and compare it."""
    fetched = await client(server, how).fetch(await file_of(server), target, lambda *_: None)
    assert await asyncio.to_thread(target.read_bytes) == DATA
    assert fetched.sha256 == hashlib.sha256(DATA).hexdigest()


def left(target: Path) -> list[str]:
    """Return the names beside the target."""
    return sorted(path.name for path in target.parent.iterdir())


async def test_releases_are_listed_with_sizes_and_hashes(releases: LocalReleases) -> None:
    """Newest first; the latest one is the one that is announced."""
    releases.add_pointer("v0.6.0", TAG)
    releases.add_release("b11463", {})
    api = client(releases)
    assert [release.tag for release in await api.newest(10)] == ["b11463", "v0.6.0", TAG]
    latest = await api.latest()
    assert latest is not None
    assert latest.tag == "v0.6.0"
    assert await api.read(latest.files[0]) == b"b11462\n"
    file = await file_of(releases)
    assert (file.name, file.size_bytes, file.sha256) == (NAME, len(DATA), hashlib.sha256(DATA).hexdigest())
    assert await api.release("b1") is None
    assert api.host == releases.hub.foreign_url.removeprefix("http://")


async def test_no_release_is_the_latest(releases: LocalReleases) -> None:
    """The server responds with 404."""
    assert await client(releases).latest() is None


async def test_a_file_is_downloaded_through_a_redirect(releases: LocalReleases, target: Path) -> None:
    """And verified; nothing is left beside it, and no request has a key."""
    await fetch(releases, target)
    assert left(target) == [NAME]
    assert all(seen.token is None for seen in releases.hub.requests)


async def test_an_interrupted_download_resumes(releases: LocalReleases, target: Path) -> None:
    """After a cancellation, from where it was."""
    path = releases.content_path(TAG, NAME)
    gate = releases.hub.pause_after(path, 100_000)
    task = asyncio.create_task(fetch(releases, target))
    await asyncio.to_thread(releases.hub.wait_until_sent, path, 100_000)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.release()
    assert left(target) == [f"{NAME}.part", f"{NAME}.part.note"]
    await fetch(releases, target)
    ranges = [seen.range for seen in releases.hub.requests if seen.file_name == path]
    assert ranges[0] is None
    assert re.fullmatch(r"bytes=[1-9]\d*-\d+", ranges[-1] or "")


async def test_a_lost_connection_is_resumed_by_itself(releases: LocalReleases, target: Path) -> None:
    """As downloads of models are."""
    path = releases.content_path(TAG, NAME)
    releases.hub.inject_fault(Fault(cut_after_bytes=50_000, cut=Disconnect.RESET), file=path, times=2)
    await fetch(releases, target)


WRONG_BYTES = {
    "flipped": Fault(flips_byte_at=1234),
    "shorter": Fault(length_delta=-1000),
    "longer": Fault(length_delta=1000),
    "a page instead": Fault(status=200, body=b"<html>log in</html>"),
}


@pytest.mark.parametrize("case", WRONG_BYTES)
async def test_wrong_bytes_are_never_kept(case: str, releases: LocalReleases, target: Path) -> None:
    """One sentence, and no file."""
    releases.hub.inject_fault(WRONG_BYTES[case], file=releases.content_path(TAG, NAME))
    with pytest.raises((DownloadCorruptError, HubUnreachableError)) as caught:
        await fetch(releases, target)
    assert str(caught.value).startswith(NAME)
    assert "failed verification twice" in str(caught.value) or case == "longer"
    assert NAME not in left(target)


async def test_a_wrong_hash_is_refused(releases: LocalReleases, target: Path) -> None:
    """The bytes arrive as they are, but they are not those that the release names."""
    releases.add_release(TAG, {NAME: DATA}, digests={NAME: f"sha256:{'0' * 64}"})
    with pytest.raises(DownloadCorruptError, match=r"failed verification twice \(its hash does not match\)"):
        await fetch(releases, target)
    assert left(target) == []


async def test_a_file_without_a_hash_is_refused_before_the_download(
    releases: LocalReleases, target: Path
) -> None:
    """As those of old releases are; the user may decide about a file on the disk."""
    releases.add_release(TAG, {NAME: DATA}, digests={NAME: None})
    with pytest.raises(
        EngineInstallError, match=r"has no SHA-256 of llama-b11462.* 'gglib engine install FILE'"
    ):
        await fetch(releases, target)
    assert left(target) == []


async def test_a_full_disk_is_noticed_before_the_download(releases: LocalReleases, target: Path) -> None:
    """With the space that stays free."""
    with pytest.raises(DiskFullError, match=f"{NAME} needs .* more in .*: free some"):
        await fetch(releases, target, limits(spare_bytes=2**62))
    assert left(target) == []


async def test_the_rate_limit_is_said_with_its_end(releases: LocalReleases) -> None:
    """At once: it lasts for up to an hour."""
    releases.limit_rate(int(time.time()) + 725)
    with pytest.raises(
        HubBusyError, match=r"accepts no more requests from this network for 12 min: try again then"
    ):
        await client(releases).newest(10)
    assert len(releases.hub.requests) == 1


async def test_a_short_wait_is_waited_for(releases: LocalReleases) -> None:
    """A secondary limit, with ``Retry-After``."""
    releases.hub.inject_fault(rate_limited(0), host=Host.FOREIGN, times=1)
    assert len(await client(releases).newest(10)) == 1


async def test_a_server_that_fails_is_asked_again_and_then_named(releases: LocalReleases) -> None:
    """Some attempts, then one sentence."""
    rule = releases.hub.inject_fault(failing(), host=Host.FOREIGN)
    with pytest.raises(HubUnreachableError, match=r"Requests to localhost:\d+ fail now, because"):
        await client(releases).newest(10)
    assert rule.used == 4


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refusal_says_what_to_do(releases: LocalReleases, target: Path, status: int) -> None:
    """By a proxy, for example: for the list and for a file."""
    file = await file_of(releases)
    releases.hub.inject_fault(Fault(status=status, body=b"no"), host=Host.FOREIGN)
    for call in (client(releases).newest(1), client(releases).fetch(file, target, lambda *_: None)):
        with pytest.raises(
            HubError, match="without a login: download it with a browser, then type 'gglib engine"
        ):
            await call
    assert left(target) == []


@pytest.mark.parametrize("body", [b"<html>", b"", b"[" * 100_000, b'{"a": 1}', b"\xff"])
async def test_other_content_is_no_list_of_releases(releases: LocalReleases, body: bytes) -> None:
    """The address in the settings may be wrong."""
    releases.hub.inject_fault(Fault(status=200, body=body), host=Host.FOREIGN)
    with pytest.raises(HubError, match="check 'engine_releases_url'"):
        await client(releases).newest(1)


async def test_an_endless_list_is_not_read(releases: LocalReleases) -> None:
    """It is bounded; so is a small file."""
    releases.add_pointer("v0.6.0", "b" + "1" * 70_000)
    latest = await client(releases).latest()
    assert latest is not None
    with pytest.raises(HubError, match=r"sends more than 64 KiB for nightly-tag\.txt"):
        await client(releases).read(latest.files[0])


async def test_a_list_that_is_cut_is_asked_for_again(releases: LocalReleases) -> None:
    """A part of JSON is no JSON."""
    releases.hub.inject_fault(Fault(cut_after_bytes=20), host=Host.FOREIGN, times=1)
    assert len(await client(releases).newest(1)) == 1


async def test_the_offline_mode_sends_nothing(releases: LocalReleases) -> None:
    """It is the hub's."""
    with pytest.raises(HubUnreachableError, match="offline mode"):
        await GitHubReleases(releases.url, is_offline=True).newest(1)
    assert releases.hub.requests == []


@pytest.mark.parametrize("url", ["http://releases.example/x", "http://192.0.2.1/x", "ftp://localhost/x", "x"])
def test_programs_come_by_https_alone(url: str) -> None:
    """Except from this machine."""
    with pytest.raises(HubError):
        GitHubReleases(url)


async def test_a_download_without_https_is_refused(releases: LocalReleases, target: Path) -> None:
    """The API names the address of a file."""
    file = ReleaseFile(name=NAME, size_bytes=1, url="http://releases.example/a.zip", sha256="0" * 64)
    with pytest.raises(HubError, match=r"releases\.example would send programs without https"):
        await client(releases).fetch(file, target, lambda *_: None)
