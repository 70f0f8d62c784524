"""Downloads over real sockets, with every fault of the local hub."""

import asyncio
import os
import threading
from pathlib import Path

import pytest
from tests.integration.hf.support import NAME, REPO, TOKEN, Pull, content, limits, sha256
from tests.support.waiting import until

from gglib.core.errors import (
    DiskFullError,
    DownloadCorruptError,
    DownloadInProgressError,
    GatedRepositoryError,
    HubBusyError,
    HubError,
    HubUnreachableError,
    RepositoryNotFoundError,
    StorageError,
)
from gglib.core.hub.repository import RemoteFile
from gglib.core.part_names import part_manifest_path, part_path
from gglib.hf import resumable_bytes
from gglib.hf.download import download
from gglib.hf.download.connections import ConnectionLimits
from gglib.hf.download.manifest import Identity
from gglib.hf.download.part_file import open_part
from gglib.hf.download.segment import BLOCK_BYTES
from gglib.testing.local_hub import Disconnect, Fault, Host, failing, rate_limited

CUTS = pytest.mark.parametrize("cut", [Disconnect.FIN, Disconnect.RESET])
MANY = ConnectionLimits(
    max_connections=4,
    measure_s=0.1,
    warmup_s=0.05,
    min_remaining_s=0.1,
    retry_s=60.0,
    min_segment_bytes=200_000,
)


def descriptors() -> int:
    """Return the number of open descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


def fetch_threads() -> list[str]:
    """Return the threads that a download left running."""
    return [one.name for one in threading.enumerate() if one.name.startswith("gglib-")]


async def cut_off(pull: Pull, at_bytes: int, file: RemoteFile | None = None) -> int:
    """Cancel a download after about this many bytes, and return the number of stored bytes."""
    file = file or pull.file
    with pull.hub.pause_after(NAME, at_bytes):
        task = asyncio.create_task(pull.client().fetch(file, pull.target, pull.on_progress))
        await until(
            lambda: (
                resumable_bytes(file, pull.target) >= at_bytes - BLOCK_BYTES
                and pull.hub.sent_bytes(NAME) >= at_bytes
            )
        )
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await until(lambda: all(one.is_finished for one in pull.hub.requests))
    return resumable_bytes(file, pull.target)


async def test_a_file_comes_whole_and_verified_and_alone(pull: Pull) -> None:
    """One request to the hub, one to the file host; progress reaches the end; no other files remain."""
    await pull.run()
    assert [(one.host, one.range) for one in pull.hub.requests] == [(Host.HUB, None), (Host.CDN, None)]
    assert pull.progress[-1] == (len(pull.data), len(pull.data))


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 2 * BLOCK_BYTES])
async def test_files_of_any_size_come_whole(pull: Pull, size: int) -> None:
    """Includes empty files, and files that end at a block boundary."""
    pull.data = content(size)
    pull.commit = pull.hub.commit(REPO, {NAME: pull.data})
    await pull.run()


async def test_an_existing_file_is_hashed_without_a_request(pull: Pull) -> None:
    """Also in offline mode; files left by a kill are deleted."""
    pull.target.write_bytes(pull.data)
    part_manifest_path(pull.target).write_bytes(b"left")
    async with pull.client(is_offline=True) as client:
        assert (await client.fetch(pull.file, pull.target, pull.on_progress)).sha256 == sha256(pull.data)
    assert pull.hub.requests == []
    assert pull.left == [NAME]
    assert pull.progress[-1] == (len(pull.data), len(pull.data))


@pytest.mark.parametrize("there", [b"", content(4_000_000, seed=9)])
async def test_another_file_at_the_same_place_is_replaced(pull: Pull, there: bytes) -> None:
    """A file of another size, or with another hash, is replaced."""
    pull.target.write_bytes(there)
    await pull.run()


async def test_a_cancelled_fetch_ends_at_once_and_leaves_what_came(pull: Pull) -> None:
    """No thread or descriptor remains; the hub waits at a gate, so the connection is idle at that moment."""
    before = descriptors()
    here = await cut_off(pull, 2_500_000)
    assert 2_500_000 - BLOCK_BYTES <= here <= 2_500_000
    assert fetch_threads() == []
    assert pull.left == [NAME + ".part", NAME + ".part.note"]
    await until(lambda: descriptors() <= before)


async def test_the_next_fetch_asks_for_the_rest_and_only_that(pull: Pull) -> None:
    """The request has Range and If-Range; every recorded byte is downloaded once."""
    here = await cut_off(pull, 2_500_000)
    pull.hub.forget_requests()
    await pull.run()
    asked = pull.hub.requests[-1]
    assert asked.range == f"bytes={here}-{len(pull.data) - 1}"
    assert asked.headers["if-range"].startswith('"')
    assert asked.sent_bytes == len(pull.data) - here


async def test_what_is_all_here_is_only_hashed(pull: Pull) -> None:
    """After a kill between the last byte and the rename, no request is sent, also offline."""
    await cut_off(pull, 2_500_000)
    with open_part(pull.file, pull.target) as part:
        part.write(memoryview(pull.data), 0)
    pull.hub.forget_requests()
    async with pull.client(is_offline=True) as client:
        await client.fetch(pull.file, pull.target, pull.on_progress)
    assert pull.target.read_bytes() == pull.data
    assert pull.hub.requests == []


@CUTS
async def test_a_connection_that_is_cut_again_and_again_goes_on_each_time(
    pull: Pull, cut: Disconnect
) -> None:
    """Each retry resumes with a newly signed URL, while each connection delivers bytes."""
    pull.hub.inject_fault(Fault(cut_after_bytes=500_000, cut=cut), file=NAME, times=6)
    await pull.run()
    starts = pull.starts()
    assert starts == sorted(set(starts))
    if cut is Disconnect.FIN:  # a reset may discard bytes that were sent
        assert starts == [500_000 * number for number in range(7)]
    assert len([one for one in pull.hub.requests if one.host is Host.HUB]) == len(starts)


async def test_an_address_that_expired_is_asked_for_again(pull: Pull) -> None:
    """The file host responds 403, and the hub signs another URL."""
    pull.hub.inject_fault(Fault(status=403), file=NAME, host=Host.CDN, times=1)
    await pull.run()


@pytest.mark.parametrize(
    "fault", [failing(500), failing(502), failing(503), Fault(raw=b"nonsense\r\n\r\n"), Fault(raw=b"")]
)
@pytest.mark.parametrize("host", [Host.HUB, Host.CDN])
async def test_a_server_that_fails_for_a_moment_is_asked_again(pull: Pull, fault: Fault, host: Host) -> None:
    """Both hosts are retried, after each kind of failure."""
    rule = pull.hub.inject_fault(fault, file=NAME, host=host, times=2)
    await pull.run()
    assert rule.used == 2


async def test_a_server_that_falls_silent_counts_as_lost(pull: Pull) -> None:
    """After a read timeout the next connection downloads the remaining bytes."""
    pull.hub.inject_fault(Fault(stalls=True), file=NAME, times=1)
    await pull.run(limits(read_s=0.2))


async def test_a_body_that_stalls_in_the_middle_counts_as_lost(pull: Pull) -> None:
    """All bytes received before the failure are kept."""
    with pull.hub.pause_after(NAME, 1_500_000) as gate:
        task = asyncio.create_task(pull.run(limits(read_s=0.2)))
        await until(lambda: len(pull.hub.requests_of(NAME, Host.CDN)) > 1)
        gate.release()
        await task
    assert pull.starts()[:2] == [0, 1_500_000]


async def test_a_network_that_is_gone_is_said_in_one_sentence(pull: Pull) -> None:
    """The received bytes are kept, and the message says that the same command resumes."""
    here = await cut_off(pull, 2_500_000)
    pull.hub.inject_fault(Fault(raw=b""))
    with pytest.raises(HubUnreachableError, match="same command resumes"):
        await pull.run()
    assert resumable_bytes(pull.file, pull.target) == here
    pull.hub.clear_faults()
    await pull.run()


async def test_a_hub_that_is_not_there_leaves_nothing(pull: Pull) -> None:
    """No empty part file and no manifest remain."""
    pull.hub.inject_fault(failing(500))
    with pytest.raises(HubUnreachableError, match="500"):
        await pull.run()
    assert pull.left == []


async def test_patience_that_is_asked_for_is_given(pull: Pull) -> None:
    """Both hosts respond 429 with Retry-After once."""
    pull.hub.inject_fault(rate_limited(0), file=NAME, host=Host.HUB, times=1)
    pull.hub.inject_fault(rate_limited(0), file=NAME, host=Host.CDN, times=1)
    await pull.run()


async def test_a_long_retry_after_is_an_error_instead_of_a_wait(pull: Pull) -> None:
    """The error is raised after one request."""
    pull.hub.inject_fault(rate_limited(3600))
    with pytest.raises(HubBusyError, match="3600 s"):
        await pull.run()
    assert len(pull.hub.requests) == 1


@pytest.mark.parametrize("is_deaf", [False, True])
@pytest.mark.parametrize("size", [4_000_000, 1_000_000, 5_000_000])
async def test_a_file_that_changed_is_begun_again(*, pull: Pull, is_deaf: bool, size: int) -> None:
    """If-Range returns the complete new version, and a part with another ETag is rejected: no old byte remains."""
    address = pull.hub.add_address(f"/{NAME}", pull.data)
    old = RemoteFile(name=NAME, url=address)
    file_name = f"/{NAME}"
    with pull.hub.pause_after(file_name, 1_500_000):
        task = asyncio.create_task(pull.client().fetch(old, pull.target, pull.on_progress))
        await until(lambda: resumable_bytes(old, pull.target) > 0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    pull.data = content(size, seed=2)
    pull.hub.add_address(f"/{NAME}", pull.data)
    if is_deaf:
        pull.hub.inject_fault(Fault(ignores_if_range=True))
    await pull.run(file=old)


async def test_a_new_version_under_an_old_tag_is_noticed_by_its_hash(pull: Pull) -> None:
    """A server that ignores If-Range causes a mix of versions; the file is deleted, and the download restarts."""
    await cut_off(pull, 2_500_000)
    with open_part(pull.file, pull.target) as part:
        part.write(memoryview(content(1000, seed=5)), 0)
    await pull.run()
    assert pull.starts()[-1] == 0


async def test_a_server_without_ranges_sends_all_of_it_again(pull: Pull) -> None:
    """The download restarts, and completes once the server sends the complete file."""
    await cut_off(pull, 2_500_000)
    pull.hub.inject_fault(Fault(ignores_range=True), file=NAME)
    await pull.run()
    pull.target.unlink()
    pull.hub.inject_fault(Fault(ignores_range=True, cut_after_bytes=3_000_000), file=NAME, times=2)
    await pull.run()


@pytest.mark.parametrize("sent", ["bytes 0-99/4000000", "bytes 100-199/4000000", "nonsense"])
async def test_another_part_than_was_asked_for_is_not_written(pull: Pull, sent: str) -> None:
    """If the server sends a wrong range, the download restarts without ranges."""
    await cut_off(pull, 2_500_000)
    pull.hub.inject_fault(Fault(content_range=sent), file=NAME, times=1)
    await pull.run()


async def test_wrong_bytes_are_fetched_once_more(pull: Pull) -> None:
    """A download with wrong content restarts from the first byte, and succeeds."""
    rule = pull.hub.inject_fault(Fault(flips_byte_at=3_999_999), file=NAME, times=1)
    await pull.run()
    assert rule.used == 1
    assert pull.starts() == [0, 0]


async def test_wrong_bytes_twice_are_an_error_and_nothing_is_kept(pull: Pull) -> None:
    """The error is one sentence; no file and no part file remain."""
    pull.hub.inject_fault(Fault(flips_byte_at=0), file=NAME)
    with pytest.raises(DownloadCorruptError):
        await pull.run()
    assert pull.left == []
    assert pull.starts() == [0, 0]


@pytest.mark.parametrize("fault", [Fault(length_delta=-1000), Fault(length_delta=1000)])
async def test_a_file_of_another_length_than_promised_is_never_kept(pull: Pull, fault: Fault) -> None:
    """A shorter or longer Content-Length leaves neither a file of that length nor a mix of versions."""
    pull.hub.inject_fault(fault, file=NAME)
    with pytest.raises((DownloadCorruptError, HubUnreachableError)):
        await pull.run()
    assert not pull.target.exists()
    pull.hub.clear_faults()
    await pull.run()


async def test_chunks_without_a_length_come_whole(pull: Pull) -> None:
    """With and without a known size; a truncated body is detected and the download resumes."""
    pull.hub.inject_fault(Fault(hides_length=True, cut_after_bytes=1_000_000), file=NAME, times=1)
    pull.hub.inject_fault(Fault(hides_length=True), file=NAME)
    await pull.run()
    pull.target.unlink()
    address = pull.hub.add_address(f"/{NAME}", pull.data)
    pull.hub.inject_fault(Fault(hides_length=True, cut_after_bytes=1_000_000), file=f"/{NAME}", times=1)
    pull.hub.inject_fault(Fault(hides_length=True), file=f"/{NAME}")
    await pull.run(file=RemoteFile(name=NAME, url=address))
    assert pull.progress[-1] == (len(pull.data), len(pull.data))


async def test_a_file_without_a_length_leaves_room_on_the_disk(
    pull: Pull, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a body of unknown size the free space is checked repeatedly, not only at the start."""
    monkeypatch.setattr(download, "SYNC_BYTES", 1_000_000)
    address = pull.hub.add_address(f"/{NAME}", pull.data)
    pull.hub.inject_fault(Fault(hides_length=True, bytes_per_s=10_000_000), file=f"/{NAME}")
    with pytest.raises(DiskFullError, match="free"):
        await pull.run(limits(spare_bytes=2**60), file=RemoteFile(name=NAME, url=address))


@pytest.mark.parametrize("size", [3_999_999, 4_000_001])
async def test_chunks_of_another_length_than_promised_are_not_kept(pull: Pull, size: int) -> None:
    """Without a hash, only the length is checked."""
    address = pull.hub.add_address(f"/{NAME}", pull.data)
    pull.hub.inject_fault(Fault(hides_length=True), file=f"/{NAME}")
    with pytest.raises(DownloadCorruptError, match="its size"):
        await pull.run(file=RemoteFile(name=NAME, url=address, size_bytes=size))
    assert pull.left == []


async def test_the_token_is_sent_to_the_hub_only(pull: Pull) -> None:
    """The file host, a foreign host, the hub after a redirect from there, and the log do not get the token."""
    pull.hub.accept_token(TOKEN)
    pull.hub.add_address("/back", b"")
    pull.hub.inject_fault(Fault(location=pull.hub.foreign_url + "/away"), file=NAME, host=Host.HUB, times=1)
    back = pull.hub.resolve_url(REPO, NAME)
    pull.hub.inject_fault(Fault(location=back), host=Host.FOREIGN, times=1)
    async with pull.client(token=TOKEN) as client:
        await client.fetch(pull.file, pull.target, pull.on_progress)
    assert [(one.host, one.token) for one in pull.hub.requests] == [
        (Host.HUB, f"Bearer {TOKEN}"),
        (Host.FOREIGN, None),
        (Host.HUB, None),
        (Host.CDN, None),
    ]


@pytest.mark.parametrize(
    "location", ["ftp://127.0.0.1/x", "http://u:p@127.0.0.1/x", "file:///etc/passwd", "http://["]
)
async def test_a_redirect_to_what_must_not_be_asked_is_an_error(pull: Pull, location: str) -> None:
    """The error is one sentence, without a retry."""
    pull.hub.inject_fault(Fault(location=location), file=NAME, host=Host.HUB)
    with pytest.raises(HubError):
        await pull.run()
    assert pull.left == []


async def test_redirects_that_go_round_end(pull: Pull) -> None:
    """The limit is ten redirects."""
    pull.hub.inject_fault(Fault(location="{path}"), host=Host.HUB)
    with pytest.raises(HubError, match="redirects more than"):
        await pull.run()
    assert len(pull.hub.requests) == 11


async def test_what_the_hub_refuses_is_said_as_the_hub_means_it(pull: Pull) -> None:
    """Gated and missing files leave no files behind and are not retried."""
    pull.commit = pull.hub.add_repository("ada/gated", {NAME: pull.data}, gated="auto")
    gated = RemoteFile(name=NAME, repo="ada/gated", revision=pull.commit, size_bytes=len(pull.data))
    with pytest.raises(GatedRepositoryError, match="ada/gated"):
        await pull.client().fetch(gated, pull.target, pull.on_progress)
    gone = RemoteFile(name="other.gguf", repo=REPO, revision="main", size_bytes=5)
    with pytest.raises(RepositoryNotFoundError, match=r"other\.gguf"):
        await pull.client().fetch(gone, pull.target, pull.on_progress)
    assert pull.left == []
    assert len(pull.hub.requests) == 2


async def test_a_second_fetch_to_the_same_place_is_refused_at_once(pull: Pull) -> None:
    """The second download fails immediately; the first is not affected."""
    with pull.hub.pause_after(NAME, 1_500_000) as gate:
        first = asyncio.create_task(pull.run())
        await until(lambda: pull.hub.sent_bytes(NAME) >= 1_500_000)
        with pytest.raises(DownloadInProgressError, match=NAME):
            await pull.client().fetch(pull.file, pull.target, pull.on_progress)
        gate.release()
        await first


async def test_offline_is_said_in_one_sentence(pull: Pull) -> None:
    """Every method that needs the network fails without a request."""
    client = pull.client(is_offline=True)
    for question in (
        client.fetch(pull.file, pull.target, pull.on_progress),
        client.locate(pull.hub.resolve_url(REPO, NAME)),
        client.read_start(pull.file, 10),
        client.repository(REPO),
    ):
        with pytest.raises(HubUnreachableError, match="HF_HUB_OFFLINE"):
            await question
    assert pull.hub.requests == []
    assert pull.left == []


async def test_room_is_looked_for_first(pull: Pull) -> None:
    """The message has the needed and the free space; no request is sent."""
    with pytest.raises(DiskFullError, match=r"needs .* and .* free"):
        await pull.run(limits(spare_bytes=2**60))
    assert pull.hub.requests == []
    assert pull.left == []


async def test_a_directory_that_cannot_be_written_is_said(pull: Pull) -> None:
    """A missing directory stands in for a read-only one, which root could write."""
    pull.target = pull.target.parent / "missing" / NAME
    with pytest.raises(StorageError, match="missing"):
        await pull.client().fetch(pull.file, pull.target, pull.on_progress)
    assert pull.hub.requests == []


async def test_a_disk_that_is_full_in_the_middle_keeps_what_came(
    pull: Pull, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next download resumes."""
    write = os.pwrite

    def full(descriptor: int, data: bytes, offset: int) -> int:
        if offset >= 2 * BLOCK_BYTES:
            raise OSError(28, "No space left on device")
        return write(descriptor, data, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(DiskFullError, match="resumes"):
            await pull.run()
    assert resumable_bytes(pull.file, pull.target) == 2 * BLOCK_BYTES
    await pull.run()
    assert pull.starts() == [0, 2 * BLOCK_BYTES]


async def test_several_connections_bring_it_faster_where_each_is_slow(pull: Pull) -> None:
    """Each connection downloads a segment; only bytes in flight when a range was split are fetched twice."""
    pull.hub.inject_fault(Fault(bytes_per_s=1_500_000), file=NAME, host=Host.CDN)
    await pull.run(limits(connections=MANY))
    answers = pull.hub.requests_of(NAME, Host.CDN)
    assert len(answers) >= 4
    assert {one.status for one in answers} == {200, 206}


@pytest.mark.parametrize(
    "fault", [Fault(ignores_range=True), failing(503), rate_limited(3600), Fault(raw=b"")]
)
async def test_a_server_that_does_not_take_several_connections_gets_one(pull: Pull, fault: Fault) -> None:
    """The first connection is not affected by the server's response to the second."""
    pull.hub.inject_fault(Fault(bytes_per_s=6_000_000), file=NAME, host=Host.CDN, times=1)
    pull.hub.inject_fault(fault, file=NAME, host=Host.CDN)
    await pull.run(limits(connections=MANY))
    assert pull.hub.requests_of(NAME, Host.CDN)[0].sent_bytes == len(pull.data)
    assert len(pull.hub.requests_of(NAME, Host.CDN)) <= 3


@CUTS
async def test_connections_that_are_cut_go_on_where_each_ended(pull: Pull, cut: Disconnect) -> None:
    """The resulting file is correct."""
    pull.hub.inject_fault(
        Fault(bytes_per_s=2_000_000, cut_after_bytes=300_000, cut=cut), file=NAME, host=Host.CDN, times=8
    )
    pull.hub.inject_fault(Fault(bytes_per_s=4_000_000), file=NAME, host=Host.CDN)
    await pull.run(limits(connections=MANY))


async def test_connections_are_resumed_where_each_ended(pull: Pull) -> None:
    """Only the gaps are requested."""
    with open_part(pull.file, pull.target) as part:
        part.begin(Identity(key=part.key, size_bytes=len(pull.data), etag=None))
        part.write(memoryview(pull.data)[1_000_000:2_000_000], 1_000_000)
        part.write(memoryview(pull.data)[3_000_000:], 3_000_000)
    await pull.run()
    asked = [one.range for one in pull.hub.requests_of(NAME, Host.CDN)]
    assert asked == ["bytes=0-999999", "bytes=2000000-2999999"]


@pytest.mark.parametrize("damage", ["note is gone", "note is torn", "note is another's", "part is cut"])
async def test_a_note_that_is_not_to_be_believed_begins_again(pull: Pull, damage: str) -> None:
    """A byte is kept only if its version is certain."""
    await cut_off(pull, 2_500_000)
    manifest_file, part = part_manifest_path(pull.target), part_path(pull.target)
    if damage == "note is gone":
        manifest_file.unlink()
    elif damage == "note is torn":
        manifest_file.write_bytes(manifest_file.read_bytes()[:-1] + b"!")
    elif damage == "note is another's":
        pull.data = content(4_000_000, seed=3)
        pull.commit = pull.hub.commit(REPO, {NAME: pull.data})
    else:
        os.truncate(part, 1000)
    pull.hub.forget_requests()
    await pull.run()
    assert pull.starts() == [0]


async def test_an_address_of_the_hub_is_a_file_at_a_commit(pull: Pull) -> None:
    """The branch of the URL is resolved to its commit; size and hash come from the hub."""
    async with pull.client() as client:
        assert await client.locate(pull.hub.resolve_url(REPO, NAME) + "?download=true") == pull.file
        blob = pull.hub.resolve_url(REPO, NAME).replace("/resolve/", "/blob/")
        assert await client.locate(blob) == pull.file


async def test_an_address_elsewhere_is_known_by_its_head(pull: Pull) -> None:
    """The HEAD response has the size; a server without HEAD gets a request for the first byte."""
    address = pull.hub.add_address("/a/My%20Model.gguf".replace("%20", " "), pull.data).replace(" ", "%20")
    async with pull.client() as client:
        located = await client.locate(address)
        expected = RemoteFile(
            name="My Model.gguf", url=address, size_bytes=len(pull.data), validator=located.validator
        )
        assert located == expected
        assert located.validator is not None
        pull.hub.inject_fault(Fault(status=405), host=Host.FOREIGN, times=1)
        assert await client.locate(address) == expected
        with pytest.raises(RepositoryNotFoundError):
            await client.locate(pull.hub.foreign_url + "/none.gguf")
        with pytest.raises(HubError, match="names no file"):
            await client.locate(pull.hub.foreign_url + "/")


async def test_the_first_bytes_can_be_had_alone(pull: Pull) -> None:
    """The request has a Range; a server may ignore it; a shorter file returns fewer bytes."""
    async with pull.client() as client:
        assert await client.read_start(pull.file, 100) == pull.data[:100]
        assert pull.hub.requests[-1].sent_bytes == 100
        pull.hub.inject_fault(Fault(ignores_range=True), file=NAME, times=1)
        assert await client.read_start(pull.file, 100) == pull.data[:100]
        assert await client.read_start(pull.file, 5_000_000) == pull.data


async def test_a_proxy_is_used_where_the_environment_names_one(
    pull: Pull, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain HTTP uses an absolute request target; only the proxy receives the password."""
    monkeypatch.setenv("http_proxy", pull.hub.foreign_url.replace("http://", "http://me:hush@"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    data = content(1000)
    pull.hub.add_address("/m.gguf", data)
    async with pull.client() as client:
        await client.fetch(
            RemoteFile(name=NAME, url="http://nowhere.invalid/m.gguf"), pull.target, pull.on_progress
        )
    assert pull.target.read_bytes() == data
    seen = pull.hub.requests[-1]
    assert (seen.authority, seen.headers["proxy-authorization"]) == ("nowhere.invalid", "Basic bWU6aHVzaA==")


async def test_a_token_that_can_be_none_is_said_without_showing_it(pull: Pull) -> None:
    """A trailing line break is stripped; the rest must be one word."""
    pull.hub.accept_token(TOKEN)
    async with pull.client(token=TOKEN + "\n") as client:
        assert await client.locate(pull.hub.resolve_url(REPO, NAME)) == pull.file
    with pytest.raises(HubError, match="HF_TOKEN") as caught:
        await pull.client(token="hush\r\nX: 1").fetch(pull.file, pull.target, pull.on_progress)
    assert "hush" not in str(caught.value)


def test_what_is_here_can_be_asked_without_the_network(pull: Pull, tmp_path: Path) -> None:
    """No bytes, some bytes, all bytes."""
    assert resumable_bytes(pull.file, pull.target) == 0
    pull.target.write_bytes(pull.data)
    assert resumable_bytes(pull.file, pull.target) == len(pull.data)
    pull.target.write_bytes(b"other")
    assert resumable_bytes(pull.file, pull.target) == 0
