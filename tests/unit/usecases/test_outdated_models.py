"""What is said of models whose repository changed, did not, is gone, or cannot be asked."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from gglib.core.errors import HubUnreachableError
from gglib.core.file_names import safe_folder
from gglib.core.models import ModelSource, ModelSummary
from gglib.testing import FakeHub
from gglib.usecases.outdated_models import Upstream, UpstreamCheck, check_upstream, pinned_revision

MODELS = Path("/home/u/models")
REPO = "ada/coder-GGUF"
OLD, NEW = b"GGUF old", b"GGUF new!"


def sha256(content: bytes) -> str:
    """Return the hash as the hub writes it."""
    return hashlib.sha256(content).hexdigest()


def model(name: str = "coder-Q4_K_M.gguf", *, directory: str = REPO, content: bytes = OLD) -> ModelSummary:
    """Return a model that was pulled from the repository."""
    return ModelSummary(
        id=1,
        name="coder",
        size_bytes=len(content),
        paths=(MODELS / directory / name,),
        hashes=(sha256(content),),
        source=ModelSource(origin="hub", repo=REPO, revision="f" * 40, file=name, sha256=sha256(content)),
        is_downloaded=True,
    )


async def check(*models: ModelSummary, hub: FakeHub) -> list[UpstreamCheck]:
    """Ask the hub."""
    return await check_upstream(models, hub, MODELS)


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
        assert (one.state, one.target) == (Upstream.NOT_TOLD, REPO)


class TestAsking:
    async def test_a_repository_is_asked_once(self, hub: FakeHub) -> None:
        """Two models of one repository cost one question."""
        await check(model(), model("other.gguf"), hub=hub)
        assert hub.questions["repository"] == 1

    async def test_what_came_from_nowhere_is_not_asked_about(self, hub: FakeHub) -> None:
        """A model of the user's own is not in the answer."""
        assert await check(replace(model(), source=ModelSource()), hub=hub) == []
        assert hub.questions["repository"] == 0

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
        assert (one.state, one.reason) == (Upstream.NOT_TOLD, "The hub is not there.")


class TestPinned:
    async def test_a_pinned_model_is_not_asked_about(self, hub: FakeHub) -> None:
        """A model that was pulled at a revision by name is told apart, and nobody is asked."""
        (one,) = await check(model(directory=f"{REPO}@v1"), hub=hub)
        assert (one.state, one.reason) == (Upstream.PINNED, "at v1")
        assert hub.questions["repository"] == 0

    async def test_a_sibling_that_is_followed_does_not_answer_for_it(self, hub: FakeHub) -> None:
        """A pinned model stays pinned where the same repository is also here without a revision."""
        followed, pinned = await check(model(), replace(model(directory=f"{REPO}@v1"), id=2), hub=hub)
        assert (followed.state, pinned.state) == (Upstream.CHANGED, Upstream.PINNED)
        assert (pinned.reason, pinned.changes) == ("at v1", ())

    def test_a_branch_is_spelled_as_git_does(self) -> None:
        """The directory has a slash of a branch's name quoted; who pulls types the branch."""
        for revision in ("feature/x", "refs/pr/1", "v1+cuda"):
            directory = str(safe_folder(REPO, revision))
            assert pinned_revision(model(directory=directory), MODELS) == revision

    def test_its_directory_says_so(self) -> None:
        """The revision stands behind the repository's name, and only where gglib made that directory."""
        assert pinned_revision(model(directory=f"{REPO}@v1"), MODELS) == "v1"
        assert pinned_revision(model(), MODELS) is None
        elsewhere = replace(model(directory=f"{REPO}@v1"), is_downloaded=False)
        assert pinned_revision(elsewhere, MODELS) is None
