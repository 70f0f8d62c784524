"""Upstream states of models: repository changed, unchanged, gone, or unavailable."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from gglib.core.errors import GatedRepositoryError, HubError, HubUnreachableError, RepositoryNotFoundError
from gglib.core.hub.repository import RemoteFile
from gglib.core.hub.updates import Upstream, UpstreamCheck
from gglib.core.models import ModelSource, ModelSummary
from gglib.core.versions import FileIdentity, FileRole, OwnFile, Version
from gglib.library.outdated import check_upstream
from gglib.testing import FakeHub

MODELS = Path("/home/u/models")
REPO = "ada/coder-GGUF"
OLD, NEW = b"GGUF old", b"GGUF new!"


def sha256(content: bytes) -> str:
    """Return the hash as the hub writes it."""
    return hashlib.sha256(content).hexdigest()


def model(
    name: str = "coder-Q4_K_M.gguf", *, asked_revision: str | None = None, content: bytes = OLD
) -> ModelSummary:
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
            asked_revision=asked_revision,
            file=name,
            sha256=sha256(content),
        ),
        is_downloaded=True,
    )


async def check(*models: ModelSummary, hub: FakeHub) -> list[UpstreamCheck]:
    """Check against the hub."""
    return await check_upstream(models, (), hub)


@pytest.fixture(name="hub")
def make_hub() -> FakeHub:
    """Return a hub with the repository's present state."""
    hub = FakeHub()
    hub.add_repository(REPO, {"coder-Q4_K_M.gguf": NEW, "other.gguf": b"GGUF"})
    return hub


def revision_of(hub: FakeHub) -> str:
    """Return the newest commit of the repository."""
    return hub._commits[REPO][-1].revision


class TestComparing:
    async def test_changed_content_is_reported_with_both_versions(self, hub: FakeHub) -> None:
        """A file of the same name with another hash is a change, with old and new hash and revision."""
        (report,) = await check(model(), hub=hub)
        assert (report.state, report.repo, report.target) == (
            Upstream.CHANGED,
            REPO,
            f"{REPO}/coder-Q4_K_M.gguf",
        )
        assert (report.old_revision, report.new_revision) == ("f" * 40, revision_of(hub))
        (change,) = report.changes
        assert (change.old_sha256, change.new_sha256) == (sha256(OLD), sha256(NEW))
        assert (change.name, change.new_size_bytes) == ("coder-Q4_K_M.gguf", len(NEW))

    async def test_new_commit_with_the_same_file_is_no_change(self, hub: FakeHub) -> None:
        """A repository with a new commit that leaves the file unchanged leaves the model current."""
        (report,) = await check(model(content=NEW), hub=hub)
        assert (report.state, report.changes) == (Upstream.CURRENT, ())

    @pytest.mark.parametrize(("content", "state"), [(OLD, Upstream.CHANGED), (NEW, Upstream.CURRENT)])
    async def test_without_a_hash_the_size_decides(
        self, hub: FakeHub, content: bytes, state: Upstream
    ) -> None:
        """A model whose hash is unknown is compared by its size."""
        unknown = replace(model(content=content), hashes=(), source=replace(model().source, sha256=None))
        (report,) = await check(unknown, hub=hub)
        assert report.state is state

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
        (report,) = await check(sharded, hub=hub)
        assert [change.name for change in report.changes] == [names[1]]

    async def test_projector_counts(self, hub: FakeHub) -> None:
        """A changed projector is reported, though the model itself is unchanged."""
        hub.add_repository(REPO, {"coder-Q4_K_M.gguf": NEW, "mmproj-F16.gguf": NEW})
        seeing = replace(
            model(content=NEW), projector=MODELS / REPO / "mmproj-F16.gguf", projector_sha256=sha256(OLD)
        )
        (report,) = await check(seeing, hub=hub)
        assert [change.name for change in report.changes] == ["mmproj-F16.gguf"]

    async def test_file_that_is_gone(self, hub: FakeHub) -> None:
        """A file that is no longer in the repository is gone; the repository is not."""
        (report,) = await check(model("deleted.gguf"), hub=hub)
        assert (report.state, report.reason) == (Upstream.GONE, None)

    async def test_model_without_a_file_name_cannot_be_compared(self, hub: FakeHub) -> None:
        """A file that another program took from a repository, under its own name, is reported as unchecked."""
        nameless = replace(model(), source=ModelSource(origin="ollama", repo=REPO))
        (report,) = await check(nameless, hub=hub)
        assert (report.state, report.target) == (Upstream.UNCHECKED, REPO)


class TestAsking:
    async def test_repository_is_requested_once(self, hub: FakeHub) -> None:
        """Two models of one repository cost one request."""
        await check(model(), model("other.gguf"), hub=hub)
        assert hub.calls["repository"] == 1

    async def test_model_without_a_source_is_not_checked(self, hub: FakeHub) -> None:
        """A model of the user's own is not in the result."""
        assert await check(replace(model(), source=ModelSource()), hub=hub) == []
        assert hub.calls["repository"] == 0

    async def test_missing_repository_does_not_affect_others(self, hub: FakeHub) -> None:
        """A repository that is gone is reported, and the others are compared."""
        gone = replace(model(), source=replace(model().source, repo="ada/gone"))
        first, second = await check(gone, model(), hub=hub)
        assert (first.state, second.state) == (Upstream.GONE, Upstream.CHANGED)
        assert first.reason is not None

    async def test_unreachable_hub(self) -> None:
        """Without a network every model has the hub's own error."""
        hub = FakeHub(fails_with=HubUnreachableError("The hub is not there."))
        (report,) = await check(model(), hub=hub)
        assert (report.state, report.reason) == (Upstream.UNCHECKED, "The hub is not there.")


class TestPinned:
    async def test_pinned_model_is_not_checked(self, hub: FakeHub) -> None:
        """A model that was pulled at a named revision is reported as pinned, without a request."""
        (report,) = await check(model(asked_revision="feature/x"), hub=hub)
        assert (report.state, report.reason) == (Upstream.PINNED, "at feature/x")
        assert hub.calls["repository"] == 0

    async def test_pinned_model_stays_pinned_beside_an_unpinned_one(self, hub: FakeHub) -> None:
        """A pinned model stays pinned where the same repository is also present without a revision."""
        followed, pinned = await check(model(), replace(model(asked_revision="v1"), id=2), hub=hub)
        assert (followed.state, pinned.state) == (Upstream.CHANGED, Upstream.PINNED)
        assert (pinned.reason, pinned.changes) == ("at v1", ())

    async def test_directory_name_does_not_decide(self, hub: FakeHub) -> None:
        """The requested revision is in the row's source: a user's directory may have any name."""
        (report,) = await check(replace(model(), paths=(Path("/m/ada/coder@v1/a.gguf"),)), hub=hub)
        assert report.state is Upstream.CHANGED


class TestVersions:
    """Names and sizes come from the version's record, if there is one."""

    async def test_projectors_of_one_name_are_not_mixed(self) -> None:
        """A projector is compared with the file of its whole name, not with one of another folder (kind 10)."""
        hub = FakeHub()
        files = {"small/a-Q4_K_M.gguf": OLD, "small/mmproj-F16.gguf": OLD, "large/mmproj-F16.gguf": NEW}
        hub.add_repository(REPO, {**files, "large/b-Q4_K_M.gguf": NEW})
        for folder, content in (("small", OLD), ("large", NEW)):
            name = {"small": "small/a-Q4_K_M.gguf", "large": "large/b-Q4_K_M.gguf"}[folder]
            version = version_of({name: content}, projector={f"{folder}/mmproj-F16.gguf": content})
            (report,) = await check_upstream([with_version(version)], [version], hub)
            assert (report.state, report.changes) == (Upstream.CURRENT, ())

    async def test_changed_projector_has_its_whole_name(self) -> None:
        """It is reported under its name in the repository."""
        hub = FakeHub()
        hub.add_repository(REPO, {"s/a-Q4_K_M.gguf": OLD, "s/mmproj-F16.gguf": NEW, "mmproj-F16.gguf": OLD})
        version = version_of({"s/a-Q4_K_M.gguf": OLD}, projector={"s/mmproj-F16.gguf": OLD})
        (report,) = await check_upstream([with_version(version)], [version], hub)
        assert [(change.name, change.new_sha256) for change in report.changes] == [
            ("s/mmproj-F16.gguf", sha256(NEW))
        ]

    @pytest.mark.parametrize("projector", [None, Path("/mine/mmproj-F16.gguf")])
    async def test_projector_that_the_model_does_not_have_is_no_change(self, projector: Path | None) -> None:
        """A removed projector, or one that the user replaced, is not missed."""
        hub = FakeHub()
        hub.add_repository(REPO, {"a-Q4_K_M.gguf": OLD, "mmproj-F16.gguf": NEW})
        version = version_of({"a-Q4_K_M.gguf": OLD}, projector={"mmproj-F16.gguf": OLD})
        report = replace(with_version(version), projector=projector, projector_sha256=None)
        (found,) = await check_upstream([report], [version], hub)
        assert found.state is Upstream.CURRENT

    async def test_each_size_counts_without_a_hash(self) -> None:
        """Two shards whose sizes were swapped have the same sum, and other content."""
        hub = FakeHub()
        names = [f"big-Q4_K_M-0000{number}-of-00002.gguf" for number in (1, 2)]
        hub.add_repository(REPO, {names[0]: b"GGUF long", names[1]: b"GGUF"})
        version = version_of({names[0]: b"GGUF", names[1]: b"GGUF long"}, has_hashes=False)
        (report,) = await check_upstream([with_version(version)], [version], hub)
        assert [change.name for change in report.changes] == names

    async def test_renamed_file_is_found_by_its_quantization(self) -> None:
        """Another name with other content is a newer version, and the pull target names it (kind 8)."""
        hub = FakeHub()
        hub.add_repository(REPO, {"coder-v2-Q4_K_M.gguf": NEW, "coder-v2-Q8_0.gguf": NEW})
        version = version_of({"coder-Q4_K_M.gguf": OLD})
        (report,) = await check_upstream([with_version(version)], [version], hub)
        assert (report.state, report.target) == (Upstream.CHANGED, f"{REPO}:Q4_K_M")
        assert [(change.name, change.old_sha256, change.new_sha256) for change in report.changes] == [
            ("coder-v2-Q4_K_M.gguf", sha256(OLD), sha256(NEW))
        ]

    async def test_split_file_is_found_by_its_quantization(self) -> None:
        """If it is now several files, each is named, without an old hash."""
        hub = FakeHub()
        names = [f"coder-Q4_K_M-0000{number}-of-00002.gguf" for number in (1, 2)]
        hub.add_repository(REPO, dict.fromkeys(names, NEW))
        version = version_of({"coder-Q4_K_M.gguf": OLD})
        (report,) = await check_upstream([with_version(version)], [version], hub)
        assert (report.state, report.target) == (Upstream.CHANGED, f"{REPO}:Q4_K_M")
        assert [(change.name, change.old_sha256) for change in report.changes] == [
            (name, None) for name in names
        ]

    async def test_file_that_was_only_renamed_is_current(self) -> None:
        """With the same content under another name, nothing is to be pulled."""
        hub = FakeHub()
        hub.add_repository(REPO, {"coder-v2-Q4_K_M.gguf": OLD})
        version = version_of({"coder-Q4_K_M.gguf": OLD})
        (report,) = await check_upstream([with_version(version)], [version], hub)
        assert (report.state, report.changes) == (Upstream.CURRENT, ())


URL = "https://example.org/files/m.gguf?signature=secret"


class TestAddresses:
    @staticmethod
    def pulled(
        validator: str | None, *, has_hash: bool = False, content: bytes = OLD
    ) -> tuple[ModelSummary, Version]:
        """Return a model that was pulled from a URL, and its version."""
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
    async def test_server_decides(
        self, monkeypatch: pytest.MonkeyPatch, was: str | None, now: RemoteFile, state: Upstream
    ) -> None:
        """Its hash, else its size and its validator: new content of equal size at the same URL is an update.

        The URL is not named as pull target without its query, which selects the file.
        """
        hub = FakeHub()

        async def locate(url: str) -> RemoteFile:
            assert url == URL
            return now

        monkeypatch.setattr(hub, "locate", locate)
        model, version = self.pulled(was, has_hash=now.sha256 is not None)
        (report,) = await check_upstream([model], [version], hub)
        assert report.state is state
        assert (report.repo, report.target) == ("https://example.org/files/m.gguf", None)

    @pytest.mark.parametrize(
        "error", [RepositoryNotFoundError("Gone."), GatedRepositoryError("Not any more.")]
    )
    async def test_expired_url_is_gone(self, error: HubError) -> None:
        """An expired signature is not reported as a failed check."""
        model, version = self.pulled('"1"')
        (report,) = await check_upstream([model], [version], FakeHub(fails_with=error))
        assert (report.state, report.reason) == (Upstream.GONE, str(error))


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
    """Return the model with the version."""
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
