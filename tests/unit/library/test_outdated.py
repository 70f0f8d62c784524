"""What is said of models whose repository changed, did not, is gone, or cannot be asked."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from gglib.core.errors import GatedRepositoryError, HubError, HubUnreachableError, RepositoryNotFoundError
from gglib.core.hub.repository import RemoteFile
from gglib.core.models import ModelSource, ModelSummary
from gglib.core.versions import FileIdentity, FileRole, OwnFile, Version
from gglib.library.outdated import Upstream, UpstreamCheck, check_upstream
from gglib.testing import FakeHub

MODELS = Path("/home/u/models")
REPO = "ada/coder-GGUF"
OLD, NEW = b"GGUF old", b"GGUF new!"


def sha256(content: bytes) -> str:
    """Return the hash as the hub writes it."""
    return hashlib.sha256(content).hexdigest()


def model(name: str = "coder-Q4_K_M.gguf", *, asked: str | None = None, content: bytes = OLD) -> ModelSummary:
    """Return a model that came from the repository, without a version."""
    return ModelSummary(
        id=1,
        name="coder",
        size_bytes=len(content),
        paths=(MODELS / REPO / name,),
        hashes=(sha256(content),),
        source=ModelSource(
            origin="hub",
            repo=REPO,
            revision="f" * 40,
            asked_revision=asked,
            file=name,
            sha256=sha256(content),
        ),
        is_downloaded=True,
    )


async def check(*models: ModelSummary, hub: FakeHub) -> list[UpstreamCheck]:
    """Ask the hub."""
    return await check_upstream(models, (), hub)


@pytest.fixture(name="hub")
def make_hub() -> FakeHub:
    """Return a hub with the repository as it is now."""
    hub = FakeHub()
    hub.add_repository(REPO, {"coder-Q4_K_M.gguf": NEW, "other.gguf": b"GGUF"})
    return hub


def revision_of(hub: FakeHub) -> str:
    """Return the newest commit of the repository."""
    return hub._commits[REPO][-1].revision


class TestComparing:
    async def test_another_content_is_told_with_both_versions(self, hub: FakeHub) -> None:
        """A file of the same name with another hash is a change, with old and new hash and revision."""
        (one,) = await check(model(), hub=hub)
        assert (one.state, one.repo, one.target) == (Upstream.CHANGED, REPO, f"{REPO}/coder-Q4_K_M.gguf")
        assert (one.old_revision, one.new_revision) == ("f" * 40, revision_of(hub))
        (change,) = one.changes
        assert (change.old_sha256, change.new_sha256) == (sha256(OLD), sha256(NEW))
        assert (change.name, change.new_size_bytes) == ("coder-Q4_K_M.gguf", len(NEW))

    async def test_a_new_commit_with_the_same_file_is_no_change(self, hub: FakeHub) -> None:
        """A repository that moved on without touching the file leaves the model current."""
        (one,) = await check(model(content=NEW), hub=hub)
        assert (one.state, one.changes) == (Upstream.CURRENT, ())

    @pytest.mark.parametrize(("content", "state"), [(OLD, Upstream.CHANGED), (NEW, Upstream.CURRENT)])
    async def test_without_a_hash_the_size_decides(
        self, hub: FakeHub, content: bytes, state: Upstream
    ) -> None:
        """A model whose hash nobody knows is compared by its size."""
        unknown = replace(model(content=content), hashes=(), source=replace(model().source, sha256=None))
        (one,) = await check(unknown, hub=hub)
        assert one.state is state

    async def test_every_shard_counts(self) -> None:
        """A change in a later shard is a change, and only that shard is named."""
        hub = FakeHub()
        names = [f"big-0000{number}-of-00002.gguf" for number in (1, 2)]
        hub.add_repository(REPO, {names[0]: OLD, names[1]: NEW})
        sharded = replace(
            model(names[0]),
            paths=tuple(MODELS / REPO / name for name in names),
            hashes=(sha256(OLD), sha256(OLD)),
        )
        (one,) = await check(sharded, hub=hub)
        assert [change.name for change in one.changes] == [names[1]]

    async def test_a_projector_counts(self, hub: FakeHub) -> None:
        """A projector that changed is told, though the model itself did not."""
        hub.add_repository(REPO, {"coder-Q4_K_M.gguf": NEW, "mmproj-F16.gguf": NEW})
        seeing = replace(
            model(content=NEW), projector=MODELS / REPO / "mmproj-F16.gguf", projector_sha256=sha256(OLD)
        )
        (one,) = await check(seeing, hub=hub)
        assert [change.name for change in one.changes] == ["mmproj-F16.gguf"]

    async def test_a_file_that_is_gone(self, hub: FakeHub) -> None:
        """A file that the repository has no more is gone, which is not the repository's end."""
        (one,) = await check(model("deleted.gguf"), hub=hub)
        assert (one.state, one.reason) == (Upstream.GONE, None)

    async def test_a_model_without_a_file_name_cannot_be_compared(self, hub: FakeHub) -> None:
        """Of what another program took from a repository, under a name of its own, that is said."""
        nameless = replace(model(), source=ModelSource(origin="ollama", repo=REPO))
        (one,) = await check(nameless, hub=hub)
        assert (one.state, one.target) == (Upstream.UNCHECKED, REPO)


class TestAsking:
    async def test_a_repository_is_asked_once(self, hub: FakeHub) -> None:
        """Two models of one repository cost one question."""
        await check(model(), model("other.gguf"), hub=hub)
        assert hub.calls["repository"] == 1

    async def test_what_came_from_nowhere_is_not_asked_about(self, hub: FakeHub) -> None:
        """A model of the user's own is not in the answer."""
        assert await check(replace(model(), source=ModelSource()), hub=hub) == []
        assert hub.calls["repository"] == 0

    async def test_one_that_is_gone_hides_no_other(self, hub: FakeHub) -> None:
        """A repository that is gone is told, and the others are compared."""
        gone = replace(model(), source=replace(model().source, repo="ada/gone"))
        first, second = await check(gone, model(), hub=hub)
        assert (first.state, second.state) == (Upstream.GONE, Upstream.CHANGED)
        assert first.reason is not None

    async def test_a_hub_that_is_not_there(self) -> None:
        """Without a network every model says so, in the hub's own sentence."""
        hub = FakeHub(fails_with=HubUnreachableError("The hub is not there."))
        (one,) = await check(model(), hub=hub)
        assert (one.state, one.reason) == (Upstream.UNCHECKED, "The hub is not there.")


class TestPinned:
    async def test_a_pinned_model_is_not_asked_about(self, hub: FakeHub) -> None:
        """A model that was pulled at a revision by name says so, and the hub is not asked."""
        (one,) = await check(model(asked="feature/x"), hub=hub)
        assert (one.state, one.reason) == (Upstream.PINNED, "at feature/x")
        assert hub.calls["repository"] == 0

    async def test_a_sibling_that_is_followed_does_not_answer_for_it(self, hub: FakeHub) -> None:
        """A pinned model stays pinned where the same repository is also here without a revision."""
        followed, pinned = await check(model(), replace(model(asked="v1"), id=2), hub=hub)
        assert (followed.state, pinned.state) == (Upstream.CHANGED, Upstream.PINNED)
        assert (pinned.reason, pinned.changes) == ("at v1", ())

    async def test_a_directory_says_nothing_of_it(self, hub: FakeHub) -> None:
        """What was asked for is in the row's source: a user's directory may have any name."""
        (one,) = await check(replace(model(), paths=(Path("/m/ada/coder@v1/a.gguf"),)), hub=hub)
        assert one.state is Upstream.CHANGED


class TestVersions:
    """What the version's record says of names and sizes, where there is one."""

    async def test_projectors_of_one_name_are_not_mixed(self) -> None:
        """A projector is compared with the file of its whole name, not with one of another folder (kind 10)."""
        hub = FakeHub()
        files = {"small/a-Q4_K_M.gguf": OLD, "small/mmproj-F16.gguf": OLD, "large/mmproj-F16.gguf": NEW}
        hub.add_repository(REPO, {**files, "large/b-Q4_K_M.gguf": NEW})
        for folder, content in (("small", OLD), ("large", NEW)):
            name = {"small": "small/a-Q4_K_M.gguf", "large": "large/b-Q4_K_M.gguf"}[folder]
            version = version_of({name: content}, projector={f"{folder}/mmproj-F16.gguf": content})
            (one,) = await check_upstream([with_version(version)], [version], hub)
            assert (one.state, one.changes) == (Upstream.CURRENT, ())

    async def test_a_projector_that_changed_has_its_whole_name(self) -> None:
        """It is told by what the repository calls it."""
        hub = FakeHub()
        hub.add_repository(REPO, {"s/a-Q4_K_M.gguf": OLD, "s/mmproj-F16.gguf": NEW, "mmproj-F16.gguf": OLD})
        version = version_of({"s/a-Q4_K_M.gguf": OLD}, projector={"s/mmproj-F16.gguf": OLD})
        (one,) = await check_upstream([with_version(version)], [version], hub)
        assert [(change.name, change.new_sha256) for change in one.changes] == [
            ("s/mmproj-F16.gguf", sha256(NEW))
        ]

    @pytest.mark.parametrize("projector", [None, Path("/mine/mmproj-F16.gguf")])
    async def test_a_projector_that_the_model_does_not_have_is_no_change(
        self, projector: Path | None
    ) -> None:
        """One that was taken away, or for which the user set another, is not missed."""
        hub = FakeHub()
        hub.add_repository(REPO, {"a-Q4_K_M.gguf": OLD, "mmproj-F16.gguf": NEW})
        version = version_of({"a-Q4_K_M.gguf": OLD}, projector={"mmproj-F16.gguf": OLD})
        one = replace(with_version(version), projector=projector, projector_sha256=None)
        (found,) = await check_upstream([one], [version], hub)
        assert found.state is Upstream.CURRENT

    async def test_each_size_counts_where_no_hash_is_known(self) -> None:
        """Two shards whose sizes were swapped have the same sum, and another content."""
        hub = FakeHub()
        names = [f"big-Q4_K_M-0000{number}-of-00002.gguf" for number in (1, 2)]
        hub.add_repository(REPO, {names[0]: b"GGUF long", names[1]: b"GGUF"})
        version = version_of({names[0]: b"GGUF", names[1]: b"GGUF long"}, has_hashes=False)
        (one,) = await check_upstream([with_version(version)], [version], hub)
        assert [change.name for change in one.changes] == names

    async def test_a_file_that_was_renamed_is_found_by_its_quantization(self) -> None:
        """Another name with another content is a newer version, and what to pull means it (kind 8)."""
        hub = FakeHub()
        hub.add_repository(REPO, {"coder-v2-Q4_K_M.gguf": NEW, "coder-v2-Q8_0.gguf": NEW})
        version = version_of({"coder-Q4_K_M.gguf": OLD})
        (one,) = await check_upstream([with_version(version)], [version], hub)
        assert (one.state, one.target) == (Upstream.CHANGED, f"{REPO}:Q4_K_M")
        assert [(change.name, change.old_sha256, change.new_sha256) for change in one.changes] == [
            ("coder-v2-Q4_K_M.gguf", sha256(OLD), sha256(NEW))
        ]

    async def test_a_file_that_was_split_is_found_by_its_quantization(self) -> None:
        """Where it is now several files, each is named; of which old one it has taken the place is not known."""
        hub = FakeHub()
        names = [f"coder-Q4_K_M-0000{number}-of-00002.gguf" for number in (1, 2)]
        hub.add_repository(REPO, dict.fromkeys(names, NEW))
        version = version_of({"coder-Q4_K_M.gguf": OLD})
        (one,) = await check_upstream([with_version(version)], [version], hub)
        assert (one.state, one.target) == (Upstream.CHANGED, f"{REPO}:Q4_K_M")
        assert [(change.name, change.old_sha256) for change in one.changes] == [
            (name, None) for name in names
        ]

    async def test_a_file_that_was_renamed_only_is_current(self) -> None:
        """The same content under another name is nothing to pull."""
        hub = FakeHub()
        hub.add_repository(REPO, {"coder-v2-Q4_K_M.gguf": OLD})
        version = version_of({"coder-Q4_K_M.gguf": OLD})
        (one,) = await check_upstream([with_version(version)], [version], hub)
        assert (one.state, one.changes) == (Upstream.CURRENT, ())


URL = "https://example.org/files/m.gguf?signature=secret"


class TestAddresses:
    @staticmethod
    def pulled(
        validator: str | None, *, has_hash: bool = False, content: bytes = OLD
    ) -> tuple[ModelSummary, Version]:
        """Return what was pulled from an address, and its version."""
        source = ModelSource(origin="url", url=URL, file="m.gguf")
        version = version_of({"m.gguf": content}, source=source, has_hashes=has_hash, validator=validator)
        return with_version(version), version

    @pytest.mark.parametrize(
        ("was", "now", "state"),
        [
            ('"1"', RemoteFile(name="m.gguf", url=URL, size_bytes=8, validator='"1"'), Upstream.CURRENT),
            ('"1"', RemoteFile(name="m.gguf", url=URL, size_bytes=8, validator='"2"'), Upstream.CHANGED),
            ('"1"', RemoteFile(name="m.gguf", url=URL, size_bytes=9, validator=None), Upstream.CHANGED),
            (None, RemoteFile(name="m.gguf", url=URL, size_bytes=8), Upstream.UNKNOWN),
            (None, RemoteFile(name="m.gguf", url=URL, sha256=sha256(NEW)), Upstream.CHANGED),
        ],
        ids=["same", "equal size", "other size", "silent", "hash"],
    )
    async def test_what_the_server_says_decides(
        self, monkeypatch: pytest.MonkeyPatch, was: str | None, now: RemoteFile, state: Upstream
    ) -> None:
        """Its hash, else its size and its validator: new content of equal size at the same address is an update.

        An address is not named as what to pull without its query, with which it is another file.
        """
        hub = FakeHub()

        async def locate(url: str) -> RemoteFile:
            assert url == URL
            return now

        monkeypatch.setattr(hub, "locate", locate)
        model, version = self.pulled(was, has_hash=now.sha256 is not None)
        (one,) = await check_upstream([model], [version], hub)
        assert one.state is state
        assert (one.repo, one.target) == ("https://example.org/files/m.gguf", None)

    @pytest.mark.parametrize(
        "error", [RepositoryNotFoundError("Gone."), GatedRepositoryError("Not any more.")]
    )
    async def test_an_address_that_is_over_is_gone(self, error: HubError) -> None:
        """A signature ends some day: that is no failure to ask."""
        model, version = self.pulled('"1"')
        (one,) = await check_upstream([model], [version], FakeHub(fails_with=error))
        assert (one.state, one.reason) == (Upstream.GONE, str(error))


def version_of(
    files: Mapping[str, bytes],
    *,
    projector: Mapping[str, bytes] | None = None,
    source: ModelSource | None = None,
    has_hashes: bool = True,
    validator: str | None = None,
) -> Version:
    """Return a version of files by their names in the repository."""
    roles = {**dict.fromkeys(files, FileRole.MODEL), **dict.fromkeys(projector or {}, FileRole.PROJECTOR)}
    own = tuple(
        OwnFile(
            path=MODELS / "v" / PurePosixPath(name).name,
            role=roles[name],
            name=name,
            identity=FileIdentity(device=1, inode=1, size_bytes=len(content), modified_ns=1),
            sha256=sha256(content) if has_hashes else None,
            validator=validator,
        )
        for name, content in {**files, **(projector or {})}.items()
    )
    source = source or ModelSource(origin="hub", repo=REPO, revision="f" * 40, file=next(iter(files)))
    return Version(id=7, created_at=0, directory=MODELS / "v", source=source, files=own)


def with_version(version: Version) -> ModelSummary:
    """Return the model that has a version."""
    projector = next((file for file in version.files if file.role is FileRole.PROJECTOR), None)
    own = [file for file in version.files if file.role is FileRole.MODEL]
    hashes = tuple(file.sha256 for file in own)
    return ModelSummary(
        id=1,
        name="coder",
        size_bytes=sum(file.identity.size_bytes for file in own),
        paths=tuple(file.path for file in own),
        hashes=hashes if any(hashes) else (),
        projector=None if projector is None else projector.path,
        projector_sha256=None if projector is None else projector.sha256,
        source=version.source,
        version_id=version.id,
        is_downloaded=True,
    )
