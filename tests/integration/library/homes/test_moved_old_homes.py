"""Homes of an older gglib that were moved or copied before the first open: their records have absolute paths."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.library.homes.conftest import Open, Write
from tests.integration.library.homes.harness import HomeHarness, state_of
from tests.integration.library.homes.old_home import OldHome, OldModel, sha256_of

from gglib.core.hub.repository import RemoteFile
from gglib.core.models import ModelSource

REPO = "ada/coder-GGUF"
SOURCE = ModelSource(origin="hub", repo=REPO, revision="c0ffee" * 6 + "abcd", file="coder-Q4_K_M.gguf")
NAME = "coder-Q4_K_M.gguf"
CUT_NAME = "coder-Q8_0.gguf"
CONTENT = b"GGUF" + b"x" * 10_000


@pytest.fixture
def full(old: OldHome, write: Write) -> OldHome:
    """Return a home with a downloaded model and an interrupted pull."""
    path = write(old.models / REPO / NAME)
    source = replace(SOURCE, sha256=sha256_of(path))
    old.add(OldModel("coder", (path,), source))
    old.record(path, source)
    target = old.models / REPO / CUT_NAME
    scratch = old.directory / "scratch"
    scratch.write_bytes(CONTENT)
    remote = RemoteFile(
        name=CUT_NAME,
        repo=REPO,
        revision=SOURCE.revision,
        size_bytes=len(CONTENT),
        sha256=sha256_of(scratch),
    )
    scratch.unlink()
    old.part(target, CONTENT, 6_000, remote=remote)
    old.pull("cut", f"{REPO}:Q8_0", replace(SOURCE, file=CUT_NAME), [(target, CONTENT)])
    return old


def parts_in(models: Path) -> list[int]:
    """Return the sizes of the incoming parts of a home."""
    return [path.stat().st_size for path in (models / ".incoming").glob("*.part")]


async def test_a_moved_home_goes_on(full: OldHome, open_home: Open, tmp_path: Path) -> None:
    """Its rows have the present paths of its files, and its pull resumes."""
    moved = tmp_path / "moved"
    full.directory.rename(moved)
    path = moved / "models" / REPO / NAME
    before = path.stat()
    async with open_home(moved) as catalog:
        (model,) = await catalog.list_models()
        (version,) = await catalog.list_versions()
        (job,) = await catalog.list_pulls()
    assert (model.name, model.paths, model.version_id) == ("coder", (path,), version.id)
    assert version.files[0].identity.inode == before.st_ino
    assert job.name == "cut"
    assert parts_in(moved / "models") == [6_000]
    assert await HomeHarness(moved).remove("coder") == [path]


async def test_a_copy_has_its_own_files(full: OldHome, open_home: Open, tmp_path: Path) -> None:
    """Its rows have the paths of the copied files, its pull restarts, and the original is not changed."""
    copy = HomeHarness(tmp_path / "copy")
    shutil.copytree(full.directory, copy.directory, symlinks=True)
    before = state_of(full.directory)
    async with open_home(copy.directory) as catalog:
        (model,) = await catalog.list_models()
        assert await catalog.list_pulls() == []
    path = copy.models / REPO / NAME
    assert model.paths == (path,)
    assert parts_in(copy.models) == []
    assert not path.with_name(f"{CUT_NAME}.part").exists()
    assert await copy.remove("coder") == [path]
    await copy.prune()
    assert state_of(full.directory) == before
    async with open_home(full.directory) as catalog:
        assert [job.name for job in await catalog.list_pulls()] == ["cut"]
    assert parts_in(full.models) == [6_000]


async def test_a_copy_that_shares_the_models(
    full: OldHome, open_home: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """None of the shared files belongs to the copy, whichever home is opened first; one sentence reports it."""
    full.models.rename(tmp_path / "shared")
    full.models.symlink_to(tmp_path / "shared")
    copy = HomeHarness(tmp_path / "copy")
    shutil.copytree(full.directory, copy.directory, symlinks=True)
    before = state_of(tmp_path / "shared")
    async with open_home(copy.directory) as catalog:
        (model,) = await catalog.list_models()
        assert await catalog.list_pulls() == []
        assert await catalog.list_versions() == []
    assert [message.split(", so ")[0] for message in caplog.messages] == [
        f"{copy.models} belongs to the home {full.directory}"
    ]
    assert await copy.remove(model.name) == []
    assert await copy.prune() == []
    (tmp_path / "shared" / ".home").rename(tmp_path / "mark")
    assert state_of(tmp_path / "shared") == before
    (tmp_path / "mark").rename(tmp_path / "shared" / ".home")
    async with open_home(full.directory) as catalog:
        (version,) = await catalog.list_versions()
        (job,) = await catalog.list_pulls()
    assert version.files[0].path == full.models / REPO / NAME
    assert job.name == "cut"


async def test_a_home_that_was_reached_by_a_link(full: OldHome, open_home: Open, tmp_path: Path) -> None:
    """Paths through a link, in rows and in the record of a pull, mean the same files."""
    real = tmp_path / "real"
    full.directory.rename(real)
    full.directory.symlink_to(real)
    async with open_home(real) as catalog:
        (model,) = await catalog.list_models()
        (job,) = await catalog.list_pulls()
    assert model.paths == (real / "models" / REPO / NAME,)
    assert model.version_id is not None
    assert job.name == "cut"
