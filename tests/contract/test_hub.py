"""The contract of every hub: the same tests for the Hugging Face adapter, over real sockets, and for the fake.

What only a network can do (ranges, redirects, tokens, wrong lengths) is tested with the adapter.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from gglib.core.errors import (
    DownloadCorruptError,
    DownloadInProgressError,
    GatedRepositoryError,
    HubError,
    HubUnreachableError,
    RepositoryNotFoundError,
)
from gglib.core.hub.repository import (
    Gating,
    HubFile,
    HubRepository,
    HubSort,
    RemoteFile,
)
from gglib.core.ports.hub import ModelHubPort, OnFetchProgress
from gglib.hf import HubAccess, HubLimits, HuggingFaceHub
from gglib.hf.download.download import DownloadLimits
from gglib.hf.download.retries import RetryLimits
from gglib.testing import FakeHub
from gglib.testing.local_hub import Fault, LocalHub, sparse_file

CONTENT = bytes(number * 7 % 251 for number in range(100_000))
SHA256 = hashlib.sha256(CONTENT).hexdigest()
REPO = "ada/coder-GGUF"
NAME = "coder-Q4_K_M.gguf"


class World(Protocol):
    """A hub, and what a test can do to it."""

    hub: ModelHubPort

    def have(self, repo: str, files: Mapping[str, bytes | int], **fields: Any) -> str:
        """Add a repository, or a further commit of it; return the commit."""
        ...

    def have_address(self, path: str, content: bytes) -> str:
        """Add a file at an address."""
        ...

    def rename(self, old: str, new: str) -> None:
        """Rename a repository."""
        ...

    def change(self, content: bytes) -> None:
        """Change ``NAME`` under the same commit."""
        ...

    def cut(self, after_bytes: int) -> None:
        """Cut ``NAME`` off there, until ``mend``."""
        ...

    def mend(self) -> None:
        """Remove all faults."""
        ...

    def spoil(self) -> None:
        """Corrupt ``NAME``."""
        ...

    def hold(self) -> None:
        """Pause ``NAME`` in the middle, until ``mend``."""
        ...

    def leave(self) -> None:
        """Make the hub unreachable."""
        ...

    def fetched_bytes(self) -> int:
        """Return how many bytes of ``NAME`` were sent."""
        ...


class FakeWorld:
    """The fake and its settings."""

    def __init__(self) -> None:
        self.fake = FakeHub()
        self.hub: ModelHubPort = self.fake

    def have(self, repo: str, files: Mapping[str, bytes | int], **fields: Any) -> str:
        return self.fake.add_repository(repo, files, **fields).revision

    def have_address(self, path: str, content: bytes) -> str:
        url = f"https://files.invalid{path}"
        self.fake.add_address(url, content)
        return url

    def rename(self, old: str, new: str) -> None:
        self.fake.rename_repository(old, new)

    def change(self, content: bytes) -> None:
        self.fake.replace_in_place(REPO, NAME, content)

    def cut(self, after_bytes: int) -> None:
        self.fake.cuts[NAME] = after_bytes

    def mend(self) -> None:
        self.fake.cuts.clear()
        for event in self.fake.pauses.values():
            event.set()

    def spoil(self) -> None:
        self.fake.corrupted.add(NAME)

    def hold(self) -> None:
        self.fake.pauses[NAME] = asyncio.Event()

    def leave(self) -> None:
        self.fake.fails_with = HubUnreachableError("The hub cannot be reached: check the network.")

    def fetched_bytes(self) -> int:
        return sum(fetch.end_bytes - fetch.start_bytes for fetch in self.fake.fetches)


class LocalWorld:
    """The adapter, connected to the local hub."""

    def __init__(self, local: LocalHub) -> None:
        self.local = local
        few = RetryLimits(max_attempts=2, first_pause_s=0.001, max_pause_s=0.001)
        limits = HubLimits(download=DownloadLimits(retries=few), metadata=few)
        self.hub: ModelHubPort = HuggingFaceHub(HubAccess(endpoint=local.url), limits)

    def have(self, repo: str, files: Mapping[str, bytes | int], **fields: Any) -> str:
        gate = fields.pop("gate", Gating.OPEN)
        fields["gated"] = {Gating.OPEN: None, Gating.AUTOMATIC: "auto", Gating.MANUAL: "manual"}[gate]
        contents = {
            name: sparse_file(content) if isinstance(content, int) else content
            for name, content in files.items()
        }
        if self.local.has_repository(repo):
            return self.local.commit(repo, contents, **fields)
        return self.local.add_repository(repo, contents, **fields)

    def have_address(self, path: str, content: bytes) -> str:
        return self.local.add_address(path, content)

    def rename(self, old: str, new: str) -> None:
        self.local.rename_repository(old, new)

    def change(self, content: bytes) -> None:
        self.local.replace_in_place(REPO, NAME, content)

    def cut(self, after_bytes: int) -> None:
        self.local.inject_fault(Fault(cut_after_bytes=after_bytes), file=NAME, times=1)
        self.local.inject_fault(Fault(cut_after_bytes=0), file=NAME)

    def mend(self) -> None:
        self.local.clear_faults()

    def spoil(self) -> None:
        self.local.inject_fault(Fault(flips_byte_at=77), file=NAME)

    def hold(self) -> None:
        self.local.inject_fault(Fault(stalls=True), file=NAME)

    def leave(self) -> None:
        self.local.inject_fault(Fault(raw=b""))

    def fetched_bytes(self) -> int:
        return self.local.sent_bytes(NAME)


@pytest.fixture(params=["fake", "hugging_face"])
async def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Return an empty hub."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    if request.param == "fake":
        yield FakeWorld()
        return
    with LocalHub() as local:
        yield LocalWorld(local)


def have_model(world: World, **fields: Any) -> RemoteFile:
    """Add the one model, and return its file."""
    revision = world.have(REPO, {NAME: CONTENT, "README.md": b"hello"}, **fields)
    return RemoteFile(name=NAME, repo=REPO, revision=revision, size_bytes=len(CONTENT), sha256=SHA256)


def ignore(_here: int, _all: int | None) -> None:
    """Ignore progress."""


def setter_of(event: asyncio.Event) -> OnFetchProgress:
    """Return a callback that sets an event of this loop at the first progress report, from any thread."""
    loop = asyncio.get_running_loop()

    def on_progress(_here: int, _all: int | None) -> None:
        loop.call_soon_threadsafe(event.set)

    return on_progress


def names_in(directory: Path) -> list[str]:
    """Return what is in a directory."""
    return sorted(path.name for path in directory.iterdir())


async def search(world: World, query: str, sort: HubSort = HubSort.DOWNLOADS, limit: int = 9) -> list[str]:
    """Return the names that a search finds."""
    return [repository.repo for repository in await world.hub.search(query, sort=sort, limit=limit)]


class TestSearch:
    async def test_finds_a_part_of_the_name_ignoring_case(self, world: World) -> None:
        """A query matches names; no match is an empty list, not an error."""
        have_model(world)
        world.have("ada/poet-GGUF", {"poet.gguf": 5})
        assert await search(world, "CODER") == [REPO]
        assert await search(world, "no such thing") == []

    async def test_sorts_best_first_and_stops_at_the_limit(self, world: World) -> None:
        """The best results come first, limited to the requested number."""
        for number, likes in enumerate((3, 9, 6)):
            world.have(f"ada/m{number}", {"m.gguf": 5}, downloads=number, likes=likes)
        assert await search(world, "ada/m", HubSort.DOWNLOADS, 2) == ["ada/m2", "ada/m1"]
        assert await search(world, "ada/m", HubSort.LIKES) == ["ada/m1", "ada/m2", "ada/m0"]
        assert await search(world, "ada/m", limit=0) == []

    async def test_paging_skips_earlier_results(self, world: World) -> None:
        """Paging returns each repository once."""
        for number in range(4):
            world.have(f"ada/m{number}", {"m.gguf": 5}, downloads=9 - number)
        later = await world.hub.search("ada/m", sort=HubSort.DOWNLOADS, limit=3, skip=1)
        assert [repository.repo for repository in later] == ["ada/m1", "ada/m2"]
        assert await world.hub.search("ada/m", sort=HubSort.DOWNLOADS, limit=3, skip=3) == []

    async def test_results_have_files_and_a_model(self, world: World) -> None:
        """Each result has its files with sizes; a repository without a GGUF file is no result."""
        have_model(world)
        world.have("ada/coder-notes", {"README.md": b"x"})
        (found,) = await world.hub.search("coder", sort=HubSort.DOWNLOADS, limit=9)
        assert {file.name: file.size_bytes for file in found.files} == {NAME: len(CONTENT), "README.md": 5}

    async def test_unreachable_hub_is_one_sentence(self, world: World) -> None:
        """An unreachable hub is an error, not an empty list."""
        have_model(world)
        world.leave()
        with pytest.raises(HubUnreachableError):
            await search(world, "coder")


class TestRepository:
    async def test_repository_has_all_metadata(self, world: World) -> None:
        """A repository has its commit, its files with the hashes of the large ones, and its gating."""
        file = have_model(world, gate=Gating.AUTOMATIC, downloads=4)
        found: HubRepository = await world.hub.repository(REPO)
        assert (found.repo, found.revision, found.gate, found.downloads) == (
            REPO,
            file.revision,
            Gating.AUTOMATIC,
            4,
        )
        assert found.files == (
            HubFile(name=NAME, size_bytes=len(CONTENT), sha256=SHA256),
            HubFile(name="README.md", size_bytes=5),
        )

    async def test_repository_is_found_at_every_commit(self, world: World) -> None:
        """Without a revision, and as main, it is the newest commit; an older one is found by its name."""
        old = have_model(world).revision
        new = world.have(REPO, {NAME: b"new"})
        assert (await world.hub.repository(REPO)).revision == new
        assert (await world.hub.repository(REPO, "main")).revision == new
        before = await world.hub.repository(REPO, old)
        assert (before.revision, before.files[0].size_bytes) == (old, len(CONTENT))

    async def test_is_not_found_under_another_name_or_revision(self, world: World) -> None:
        """A missing repository or revision is reported as missing."""
        have_model(world)
        for repo, revision in (("ada/nothing", None), (REPO, "no-such-branch")):
            with pytest.raises(RepositoryNotFoundError):
                await world.hub.repository(repo, revision)


class TestReadStart:
    async def test_reads_the_first_bytes(self, world: World) -> None:
        """The requested number of bytes; all of a shorter file."""
        file = have_model(world)
        assert await world.hub.read_start(file, 100) == CONTENT[:100]
        assert await world.hub.read_start(file, 10 * len(CONTENT)) == CONTENT

    async def test_stops_at_a_gate(self, world: World) -> None:
        """Gating protects the files, not the listing."""
        file = have_model(world, gate=Gating.MANUAL)
        with pytest.raises(GatedRepositoryError):
            await world.hub.read_start(file, 100)


class TestLocate:
    async def test_finds_the_size_at_a_url(self, world: World) -> None:
        """A file at a URL has the last part as its name, and the size that its server sends."""
        url = world.have_address("/models/tiny.gguf?download=true", CONTENT)
        found = await world.hub.locate(url)
        assert (found.name, found.url, found.size_bytes) == ("tiny.gguf", url, len(CONTENT))
        assert found.repo is None

    async def test_a_validator_distinguishes_the_versions_of_an_address(
        self, world: World, tmp_path: Path
    ) -> None:
        """The validator changes with the content, and a fetched file has that of its content."""
        url = world.have_address("/m.gguf", CONTENT)
        before = await world.hub.locate(url)
        fetched = await world.hub.fetch(before, tmp_path / "a.gguf", ignore)
        assert before.validator == fetched.validator is not None
        assert (await world.hub.locate(url)).validator == before.validator
        world.have_address("/m.gguf", CONTENT[::-1])
        after = await world.hub.locate(url)
        assert after.size_bytes == before.size_bytes
        assert after.validator not in {None, before.validator}

    async def test_a_repository_that_was_renamed_is_found_under_both_names(self, world: World) -> None:
        """The result has the current name."""
        world.have("ada/old-GGUF", {NAME: CONTENT})
        world.rename("ada/old-GGUF", "ada/new-GGUF")
        names = [(await world.hub.repository(name)).repo for name in ("ada/old-GGUF", "ada/new-GGUF")]
        assert names == ["ada/new-GGUF", "ada/new-GGUF"]

    async def test_missing_file_at_a_url_is_not_found(self, world: World) -> None:
        """A URL without a file is reported as missing."""
        url = world.have_address("/a.gguf", CONTENT)
        with pytest.raises(RepositoryNotFoundError):
            await world.hub.locate(url.replace("a.gguf", "b.gguf"))


class TestFetch:
    async def test_fetches_the_file_and_leaves_no_other(self, world: World, tmp_path: Path) -> None:
        """The file is complete with its size and hash, no other file is beside it, and progress ended at the total."""
        progress: list[tuple[int, int | None]] = []
        fetched = await world.hub.fetch(
            have_model(world), tmp_path / "m.gguf", lambda here, total: progress.append((here, total))
        )
        assert (fetched.size_bytes, fetched.sha256) == (len(CONTENT), SHA256)
        assert (tmp_path / "m.gguf").read_bytes() == CONTENT
        assert names_in(tmp_path) == ["m.gguf"]
        assert progress[-1] == (len(CONTENT), len(CONTENT))

    async def test_fetches_a_file_at_a_url(self, world: World, tmp_path: Path) -> None:
        """A file at a URL can be fetched, too; its hash is computed."""
        url = world.have_address("/tiny.gguf", CONTENT)
        fetched = await world.hub.fetch(await world.hub.locate(url), tmp_path / "t.gguf", ignore)
        assert fetched.sha256 == SHA256
        assert (tmp_path / "t.gguf").read_bytes() == CONTENT

    async def test_fetches_a_small_file_and_an_empty_one(self, world: World, tmp_path: Path) -> None:
        """Files without a hash on the hub, and files of no bytes, are files."""
        revision = world.have(REPO, {"README.md": b"hello", "empty.txt": b""})
        for name, size in (("README.md", 5), ("empty.txt", 0)):
            file = RemoteFile(name=name, repo=REPO, revision=revision, size_bytes=size)
            assert (await world.hub.fetch(file, tmp_path / name, ignore)).size_bytes == size
        assert names_in(tmp_path) == ["README.md", "empty.txt"]

    async def test_present_file_needs_no_request(self, world: World, tmp_path: Path) -> None:
        """An existing, correct file needs no network."""
        file = have_model(world)
        (tmp_path / "m.gguf").write_bytes(CONTENT)
        world.leave()
        assert (await world.hub.fetch(file, tmp_path / "m.gguf", ignore)).sha256 == SHA256

    async def test_replaces_a_present_wrong_file(self, world: World, tmp_path: Path) -> None:
        """An existing file with other content, or another size, is downloaded again."""
        file = have_model(world)
        for wrong in (bytes(len(CONTENT)), b"short"):
            (tmp_path / "m.gguf").write_bytes(wrong)
            await world.hub.fetch(file, tmp_path / "m.gguf", ignore)
            assert (tmp_path / "m.gguf").read_bytes() == CONTENT

    async def test_resumes_after_an_interruption(self, world: World, tmp_path: Path) -> None:
        """The bytes before the interruption are kept beside the target, and are not fetched again."""
        file = have_model(world)
        world.cut(60_000)
        with pytest.raises(HubUnreachableError):
            await world.hub.fetch(file, tmp_path / "m.gguf", ignore)
        assert "m.gguf" not in names_in(tmp_path)
        assert "m.gguf.part" in names_in(tmp_path)
        world.mend()
        await world.hub.fetch(file, tmp_path / "m.gguf", ignore)
        assert (tmp_path / "m.gguf").read_bytes() == CONTENT
        assert world.fetched_bytes() == len(CONTENT)
        assert names_in(tmp_path) == ["m.gguf"]

    async def test_resumes_after_a_cancel(self, world: World, tmp_path: Path) -> None:
        """A cancelled fetch leaves no final file and no lock; the next one ends it."""
        file = have_model(world)
        world.hold()
        came = asyncio.Event()
        fetching = asyncio.create_task(world.hub.fetch(file, tmp_path / "m.gguf", setter_of(came)))
        await came.wait()
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
        assert "m.gguf" not in names_in(tmp_path)
        world.mend()
        await world.hub.fetch(file, tmp_path / "m.gguf", ignore)
        assert (tmp_path / "m.gguf").read_bytes() == CONTENT

    async def test_never_splices_two_versions(self, world: World, tmp_path: Path) -> None:
        """A file that changed while half of it was stored starts over."""
        file = have_model(world)
        unhashed = RemoteFile(name=file.name, repo=file.repo, revision=file.revision, size_bytes=len(CONTENT))
        world.cut(60_000)
        with pytest.raises(HubUnreachableError):
            await world.hub.fetch(unhashed, tmp_path / "m.gguf", ignore)
        world.mend()
        other = CONTENT[::-1]
        world.change(other)
        await world.hub.fetch(unhashed, tmp_path / "m.gguf", ignore)
        assert (tmp_path / "m.gguf").read_bytes() == other

    async def test_keeps_no_corrupt_content(self, world: World, tmp_path: Path) -> None:
        """Corrupt content is an error, and nothing is kept."""
        file = have_model(world)
        world.spoil()
        with pytest.raises(DownloadCorruptError):
            await world.hub.fetch(file, tmp_path / "m.gguf", ignore)
        assert names_in(tmp_path) == []

    async def test_concurrent_fetch_of_the_same_file_fails(self, world: World, tmp_path: Path) -> None:
        """Two fetches to one target do not mix: the second fails, the first succeeds."""
        file = have_model(world)
        world.hold()
        came = asyncio.Event()
        first = asyncio.create_task(world.hub.fetch(file, tmp_path / "m.gguf", setter_of(came)))
        await came.wait()
        with pytest.raises(DownloadInProgressError):
            await world.hub.fetch(file, tmp_path / "m.gguf", ignore)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first

    async def test_gated_and_missing_files_are_errors(self, world: World, tmp_path: Path) -> None:
        """Gated and missing files are errors, and leave nothing behind."""
        gated = have_model(world, gate=Gating.AUTOMATIC)
        with pytest.raises(GatedRepositoryError):
            await world.hub.fetch(gated, tmp_path / "m.gguf", ignore)
        revision = world.have("ada/open", {"m.gguf": CONTENT})
        missing = RemoteFile(name="n.gguf", repo="ada/open", revision=revision, size_bytes=9)
        with pytest.raises(RepositoryNotFoundError):
            await world.hub.fetch(missing, tmp_path / "n.gguf", ignore)
        assert [name for name in names_in(tmp_path) if not name.endswith((".part", ".lock"))] == []


async def test_every_failure_is_one_sentence(world: World, tmp_path: Path) -> None:
    """Every method of an unreachable hub raises one line that ends in a full stop."""
    file = have_model(world)
    world.leave()
    for question in (
        world.hub.repository(REPO),
        world.hub.search("x", sort=HubSort.LIKES, limit=1),
        world.hub.read_start(file, 9),
        world.hub.fetch(file, tmp_path / "m.gguf", ignore),
    ):
        with pytest.raises(HubError) as caught:
            await question
        assert str(caught.value).endswith(".")
        assert "\n" not in str(caught.value)
