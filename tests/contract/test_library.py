"""The contract of every library: the same tests for that of a server and for the fake."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Protocol

import pytest

from gglib.app.models.library import build_library
from gglib.app.settings import Settings, prepare_home
from gglib.core.errors import (
    DiskFullError,
    DownloadDoneError,
    DownloadNotFoundError,
    GglibError,
    InvalidGgufError,
    ModelExistsError,
    ModelFileNotFoundError,
    ModelNotFoundError,
    RepositoryNotFoundError,
    VariantChoiceError,
)
from gglib.core.hub.downloads import Download, DownloadState
from gglib.core.hub.repository import HubRepository, HubSort
from gglib.core.hub.search_results import RepositoryResult
from gglib.core.memory import MachineMemory
from gglib.core.models import GgufFacts, ModelEdit, ModelSource, ModelSummary, NewModel
from gglib.core.ports import ModelLibraryPort
from gglib.core.ports.hub import ModelHubPort
from gglib.core.ports.store import HomeStorePort
from gglib.core.verification import FileVerdict, Verification, VerifyProgress
from gglib.core.versions import FileRole, NewVersion, OwnFile
from gglib.library.pull.execute import PullProgress
from gglib.library.pull.queue import Downloads, Progress
from gglib.library.search import ModelFinder, repository_result
from gglib.library.variants.find import find_variants
from gglib.library.variants.pull_target import read_target
from gglib.library.versions.ownership import identity_of
from gglib.testing import FakeCatalog, FakeHub, FakeLibrary, write_tiny_gguf

DEADLINE_S = 10.0
GB = 10**9
FILES = {"m-Q4_K_M.gguf": 1 * GB, "m-Q8_0.gguf": 2 * GB}


class Subject(Protocol):
    """A library, its dependencies, and control over its downloads."""

    library: ModelLibraryPort
    store: HomeStorePort
    models_dir: Path

    @property
    def discarded(self) -> list[str]:
        """The targets whose partial files were discarded."""

    async def finish(self, download: Download, model_name: str) -> None:
        """Finish a download."""

    async def fail(self, download: Download, error: GglibError) -> None:
        """Fail a download."""

    async def report(self, download: Download, done_bytes: int) -> None:
        """Report the progress of a download."""


class OfServer:
    """The library of a server, with controlled pulls."""

    def __init__(self, home: Path, hub: ModelHubPort) -> None:
        settings = Settings(home=home / "home")
        prepare_home(settings)
        self.models_dir = settings.models_dir
        self.store: HomeStorePort = FakeCatalog()
        self.outcomes: dict[str, asyncio.Future[ModelSummary]] = {}
        self.discarded: list[str] = []
        self.on_progress: dict[str, Callable[[Progress], None]] = {}
        self.downloads = Downloads(
            self._pull,
            discard=self._discard,
            clock=lambda: 0.0,
            now=lambda: 0.0,
            identify=read_target,
        )
        self.library: ModelLibraryPort = build_library(settings, self.store, hub, self.downloads)

    async def finish(self, download: Download, model_name: str) -> None:
        """Let the pull return."""
        await asyncio.sleep(0)  # its task takes its first step
        self.outcomes[download.target].set_result(ModelSummary(id=1, name=model_name))

    async def fail(self, download: Download, error: GglibError) -> None:
        """Let the pull raise."""
        await asyncio.sleep(0)
        self.outcomes[download.target].set_exception(error)

    async def report(self, download: Download, done_bytes: int) -> None:
        """Let the pull report progress."""
        await asyncio.sleep(0)
        self.on_progress[download.target](
            PullProgress(file="f.gguf", done_bytes=done_bytes, total_bytes=100, phase="downloading")
        )
        await asyncio.sleep(0)

    async def _pull(self, target: str, on_progress: Callable[[Progress], None]) -> ModelSummary:
        self.on_progress[target] = on_progress
        self.outcomes[target] = asyncio.get_running_loop().create_future()
        return await self.outcomes[target]

    async def _discard(self, target: str) -> bool:
        self.discarded.append(target)
        return True


class OfFake:
    """The fake."""

    def __init__(self, home: Path, repository: HubRepository) -> None:
        self.models_dir = home / "models"
        self.fake = FakeLibrary(repositories=[_found(repository)])
        self.library: ModelLibraryPort = self.fake
        self.store = self.fake.store

    @property
    def discarded(self) -> list[str]:
        """Those of the fake."""
        return self.fake.discarded

    async def finish(self, download: Download, model_name: str) -> None:
        """Finish the download of the fake."""
        self.fake.finish(download.id, model_name)

    async def report(self, download: Download, done_bytes: int) -> None:
        """Show progress of the fake."""
        self.fake.update(download.id, done_bytes=done_bytes)

    async def fail(self, download: Download, error: GglibError) -> None:
        """Fail the download of the fake."""
        self.fake.fail(download.id, error)


def _found(repository: HubRepository) -> RepositoryResult:
    memory = MachineMemory(total_bytes=None, available_bytes=None)
    finder = ModelFinder(
        hub=FakeHub(), memory=memory, context=8192, slots=4, read_facts=lambda _: GgufFacts(architecture="x")
    )
    return repository_result(
        repository, find_variants(repository.files), None, finder=finder, max_size_bytes=None
    )


@pytest.fixture(params=["server", "fake"])
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    """Return an empty library, whose hub has one repository."""
    hub = FakeHub()
    repository = hub.add_repository("owner/coder", FILES)
    if request.param == "fake":
        yield OfFake(tmp_path, repository)
        return
    served = OfServer(tmp_path, hub)
    async with served.downloads:
        yield served


async def test_an_edit_changes_a_model_or_nothing(subject: Subject, tmp_path: Path) -> None:
    """The edited model is returned and stored; an unknown name raises, with similar names."""
    path = tmp_path / "coder.gguf"
    path.touch()
    await subject.store.add_model(
        NewModel(name="coder", paths=(path,), size_bytes=0, facts=GgufFacts(architecture="x"))
    )
    changed = await subject.library.edit_model("coder", lambda _: ModelEdit(tags=("t",)))
    assert changed.tags == ("t",)
    assert await subject.store.list_models() == [changed]
    with pytest.raises(ModelNotFoundError, match="coder"):
        await subject.library.edit_model("code", lambda _: ModelEdit(tags=()))


async def ends(library: ModelLibraryPort, download_id: str) -> Download:
    """Return the final state of a download."""
    async with asyncio.timeout(DEADLINE_S), aclosing(library.follow_download(download_id)) as followed:
        return [download async for download in followed][-1]


class TestModels:
    async def test_a_file_is_added_in_place(self, subject: Subject, tmp_path: Path) -> None:
        """It is in the catalogue, with the given names, and has not moved."""
        path = write_tiny_gguf(tmp_path / "tiny.gguf")
        added = await subject.library.add_file(path, name="mine", aliases=("m",))
        assert (added.name, added.aliases, added.paths) == ("mine", ("m",), (path,))
        assert await subject.store.resolve_model("m") == added
        assert path.exists()

    async def test_without_a_name_the_name_of_the_file_is_used(
        self, subject: Subject, tmp_path: Path
    ) -> None:
        """The file's own name."""
        added = await subject.library.add_file(write_tiny_gguf(tmp_path / "tiny.gguf"))
        assert added.name == "tiny"

    async def test_only_gguf_files_are_added(self, subject: Subject, tmp_path: Path) -> None:
        """A missing file is refused, too."""
        (tmp_path / "text.gguf").write_text("Not a model.")
        for name in ("text.gguf", "none.gguf"):
            with pytest.raises(InvalidGgufError):
                await subject.library.add_file(tmp_path / name)
        assert await subject.store.list_models() == []

    async def test_the_facts_of_a_model(self, subject: Subject, tmp_path: Path) -> None:
        """From the header of its file, while there is one."""
        path = write_tiny_gguf(tmp_path / "tiny.gguf")
        added = await subject.library.add_file(path)
        assert (await subject.library.read_facts(added)).architecture == added.architecture
        path.unlink()
        with pytest.raises(ModelFileNotFoundError):
            await subject.library.read_facts(added)

    async def test_a_name_that_is_taken_is_refused(self, subject: Subject, tmp_path: Path) -> None:
        """Ignoring case, as in the catalogue."""
        await subject.library.add_file(write_tiny_gguf(tmp_path / "a.gguf"), name="mine")
        with pytest.raises(ModelExistsError):
            await subject.library.add_file(write_tiny_gguf(tmp_path / "b.gguf"), name="MINE")

    async def test_a_model_is_forgotten_by_any_of_its_names(self, subject: Subject, tmp_path: Path) -> None:
        """Its file stays."""
        path = write_tiny_gguf(tmp_path / "tiny.gguf")
        added = await subject.library.add_file(path, aliases=("t",))
        removed = await subject.library.remove_model("t")
        assert (removed.model, removed.deleted, removed.freed_bytes, removed.kept) == (added, (), 0, ())
        assert path.exists()
        with pytest.raises(ModelNotFoundError):
            await subject.library.remove_model("t")

    async def test_files_that_gglib_did_not_download_stay(self, subject: Subject, tmp_path: Path) -> None:
        """Also when deletion was requested; the result names the files and the reason."""
        path = write_tiny_gguf(tmp_path / "tiny.gguf")
        await subject.library.add_file(path)
        removed = await subject.library.remove_model("tiny", with_files=True)
        assert (removed.deleted, removed.kept) == ((), ((path, "gglib did not download it"),))
        assert path.exists()
        assert await subject.store.list_models() == []

    async def test_files_that_gglib_downloaded_are_deleted_on_request(self, subject: Subject) -> None:
        """The model and its file are deleted, and the result has the freed bytes."""
        subject.models_dir.mkdir(parents=True, exist_ok=True)
        path = write_tiny_gguf(subject.models_dir / "tiny.gguf")
        identity = identity_of(path)
        assert identity is not None
        file = OwnFile(path=path, role=FileRole.MODEL, name=path.name, identity=identity, sha256=None)
        await subject.store.install_version(
            NewVersion(directory=None, source=ModelSource(), files=(file,)),
            NewModel(name="tiny", paths=(path,), size_bytes=1, facts=GgufFacts(architecture="llama")),
        )
        removed = await subject.library.remove_model("tiny", with_files=True)
        assert (removed.deleted, removed.kept) == ((path,), ())
        assert removed.freed_bytes > 0
        assert not path.exists()

    async def test_a_preview_of_a_removal_changes_nothing(self, subject: Subject, tmp_path: Path) -> None:
        """It has the files of gglib and the user's files that stay."""
        path = write_tiny_gguf(tmp_path / "tiny.gguf")
        added = await subject.library.add_file(path, aliases=("t",))
        preview = await subject.library.preview_removal("t")
        assert (preview.model, preview.deleted, preview.freed_bytes) == (added, (), 0)
        assert preview.kept == ((path, "gglib did not download it"),)
        assert await subject.store.list_models() == [added]
        with pytest.raises(ModelNotFoundError):
            await subject.library.preview_removal("none")

    async def test_files_are_verified(self, subject: Subject, tmp_path: Path) -> None:
        """Progress first, the result last; a file without a known hash has a found one."""
        path = write_tiny_gguf(tmp_path / "tiny.gguf")
        await subject.library.add_file(path)
        async with aclosing(subject.library.verify_model("tiny")) as steps:
            first, *_, last = [step async for step in steps]
        assert isinstance(first, VerifyProgress)
        assert (first.file, first.done_bytes, first.total_bytes) == (path.name, 0, path.stat().st_size)
        assert isinstance(last, Verification)
        (check,) = last.checks
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        assert (check.path, check.verdict, check.found) == (path, FileVerdict.UNKNOWN, found)
        with pytest.raises(ModelNotFoundError):
            await anext(subject.library.verify_model("none"))

    async def test_each_model_has_a_fit(self, subject: Subject, tmp_path: Path) -> None:
        """In the order of the catalogue, with the context of a request."""
        first = await subject.library.add_file(write_tiny_gguf(tmp_path / "a.gguf"))
        second = await subject.library.add_file(write_tiny_gguf(tmp_path / "b.gguf"))
        found = await subject.library.list_fits()
        assert [(fit.model_id, fit.model_name) for fit in found.fits] == [(first.id, "a"), (second.id, "b")]
        assert all(fit.context > 0 and fit.reason for fit in found.fits)


class TestHub:
    async def test_models_without_a_source_have_no_updates(self, subject: Subject, tmp_path: Path) -> None:
        """They are not compared."""
        await subject.library.add_file(write_tiny_gguf(tmp_path / "a.gguf"))
        assert await subject.library.check_updates() == []

    async def test_first_models_are_listed(self, subject: Subject) -> None:
        """Those that the hub has: none here."""
        found = await subject.library.list_first_models()
        assert (found.models, found.recommended) == ((), None)
        assert found.is_hub_reachable

    async def test_a_search_finds_repositories(self, subject: Subject) -> None:
        """With their variants, smallest first; larger ones are left out."""
        result = await subject.library.search("coder", sort=HubSort.DOWNLOADS, limit=10)
        assert [found.repository.repo for found in result.repositories] == ["owner/coder"]
        assert [found.variant.quantization for found in result.repositories[0].results] == ["Q4_K_M", "Q8_0"]
        smaller = await subject.library.search("coder", sort=HubSort.LIKES, limit=10, max_size_bytes=GB)
        assert [found.variant.quantization for found in smaller.repositories[0].results] == ["Q4_K_M"]

    async def test_a_search_may_find_nothing(self, subject: Subject) -> None:
        """Nothing is no error."""
        assert (await subject.library.search("poet", sort=HubSort.DOWNLOADS, limit=1)).repositories == ()

    async def test_a_repository_is_shown(self, subject: Subject) -> None:
        """At the head, or at a commit."""
        found = await subject.library.show_repository("owner/coder")
        assert {file.file.name for file in found.files()} == set(FILES)
        again = await subject.library.show_repository("owner/coder", found.repository.revision)
        assert again.repository == found.repository

    @pytest.mark.parametrize(("repo", "revision"), [("owner/poet", None), ("owner/coder", "0" * 40)])
    async def test_missing_repository_and_revision_are_not_found(
        self, subject: Subject, repo: str, revision: str | None
    ) -> None:
        """Neither a repository nor a revision."""
        with pytest.raises(RepositoryNotFoundError):
            await subject.library.show_repository(repo, revision)


class TestDownloads:
    async def test_a_download_ends_with_the_name_of_its_model(self, subject: Subject) -> None:
        """A follower sees it running, and then done."""
        started = await subject.library.start_download("owner/coder:Q4_K_M")
        assert (started.state, started.target) == (DownloadState.RUNNING, "owner/coder:Q4_K_M")
        async with aclosing(subject.library.follow_download(started.id)) as followed:
            assert (await anext(followed)).state is DownloadState.RUNNING
            await subject.finish(started, "coder")
        ended = await ends(subject.library, started.id)
        assert (ended.state, ended.model_name, ended.error_code) == (DownloadState.DONE, "coder", None)
        assert await subject.library.show_download(started.id) == ended
        assert await subject.library.list_downloads() == [ended]

    async def test_failed_download_has_its_error(self, subject: Subject) -> None:
        """With code and sentence."""
        started = await subject.library.start_download("owner/coder")
        await subject.fail(started, DiskFullError("There is no room."))
        ended = await ends(subject.library, started.id)
        assert (ended.state, ended.error_code) == (DownloadState.FAILED, "disk_full")
        assert ended.error_message == "There is no room."

    async def test_the_same_target_is_not_started_twice(self, subject: Subject) -> None:
        """The same download is returned until it has ended."""
        started = await subject.library.start_download("owner/coder")
        assert (await subject.library.start_download(" owner/coder ")).id == started.id
        await subject.finish(started, "coder")
        await ends(subject.library, started.id)
        assert (await subject.library.start_download("owner/coder")).id != started.id

    async def test_a_download_can_be_cancelled(self, subject: Subject) -> None:
        """It ends before the call returns, and stays unchanged."""
        started = await subject.library.start_download("owner/coder")
        ended = await subject.library.cancel_download(started.id)
        assert ended.state is DownloadState.CANCELLED
        assert await ends(subject.library, started.id) == ended
        assert await subject.library.cancel_download(started.id) == ended

    async def test_a_paused_download_ends_its_events_and_resumes(self, subject: Subject) -> None:
        """Under the same id; a new start of the target resumes it, too."""
        started = await subject.library.start_download("owner/coder")
        paused = await subject.library.pause_download(started.id)
        assert (paused.state, paused.ended_at) == (DownloadState.PAUSED, None)
        assert await ends(subject.library, started.id) == paused
        assert await subject.library.pause_download(started.id) == paused
        resumed = await subject.library.resume_download(started.id)
        assert (resumed.id, resumed.state) == (started.id, DownloadState.RUNNING)
        assert (await subject.library.resume_download(started.id)).state is DownloadState.RUNNING
        await subject.library.pause_download(started.id)
        again = await subject.library.start_download("owner/coder")
        assert (again.id, again.state) == (started.id, DownloadState.RUNNING)
        await subject.finish(again, "coder")
        ended = await ends(subject.library, started.id)
        assert (ended.state, ended.model_name) == (DownloadState.DONE, "coder")
        assert await subject.library.pause_download(started.id) == ended
        with pytest.raises(DownloadDoneError, match="complete"):
            await subject.library.resume_download(started.id)

    async def test_cancelled_and_failed_downloads_resume(self, subject: Subject) -> None:
        """Without the error and the end of the first attempt."""
        started = await subject.library.start_download("owner/coder")
        await subject.library.cancel_download(started.id)
        assert (await subject.library.resume_download(started.id)).state is DownloadState.RUNNING
        await subject.fail(started, DiskFullError("There is no room."))
        assert (await ends(subject.library, started.id)).state is DownloadState.FAILED
        resumed = await subject.library.resume_download(started.id)
        assert (resumed.state, resumed.error_code, resumed.ended_at) == (DownloadState.RUNNING, None, None)

    async def test_files_are_discarded_on_request(self, subject: Subject) -> None:
        """Of a download that is not done, also if it has ended before."""
        started = await subject.library.start_download("owner/coder")
        await subject.report(started, 40)
        await subject.library.pause_download(started.id)
        cancelled = await subject.library.cancel_download(started.id)
        assert (cancelled.state, subject.discarded) == (DownloadState.CANCELLED, [])
        assert (await subject.library.cancel_download(started.id, with_files=True)).done_bytes == 0
        assert subject.discarded == ["owner/coder"]
        again = await subject.library.resume_download(started.id)
        await subject.finish(again, "coder")
        done = await ends(subject.library, started.id)
        assert await subject.library.cancel_download(started.id, with_files=True) == done
        assert subject.discarded == ["owner/coder"]

    async def test_files_of_a_newer_download_are_not_discarded(self, subject: Subject) -> None:
        """The older one of the same target keeps its progress, too."""
        old = await subject.library.start_download("owner/coder")
        await subject.report(old, 40)
        await subject.library.cancel_download(old.id)
        new = await subject.library.start_download("owner/coder")
        await subject.report(new, 50)
        await subject.library.pause_download(new.id)
        kept = await subject.library.cancel_download(old.id, with_files=True)
        assert (kept.state, kept.done_bytes, subject.discarded) == (DownloadState.CANCELLED, 40, [])

    async def test_invalid_target_is_refused_at_once(self, subject: Subject) -> None:
        """No download starts."""
        with pytest.raises(VariantChoiceError):
            await subject.library.start_download("coder")
        assert await subject.library.list_downloads() == []

    async def test_unknown_id_is_no_download(self, subject: Subject) -> None:
        """Neither to be shown, nor followed, nor cancelled."""
        with pytest.raises(DownloadNotFoundError):
            await subject.library.show_download("x")
        with pytest.raises(DownloadNotFoundError):
            await subject.library.cancel_download("x")
        with pytest.raises(DownloadNotFoundError):
            await subject.library.pause_download("x")
        with pytest.raises(DownloadNotFoundError):
            await subject.library.resume_download("x")
        with pytest.raises(DownloadNotFoundError):
            await anext(subject.library.follow_download("x"))
