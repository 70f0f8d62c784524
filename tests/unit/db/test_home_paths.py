"""How paths are stored relative to the home."""

import os
from pathlib import Path

import pytest

from gglib.db.home_paths import HomePaths

HOME = Path("/srv/gglib")


@pytest.mark.parametrize(
    ("path", "stored"),
    [
        ("/srv/gglib/models/a.gguf", "models/a.gguf"),
        ("/srv/gglib/größe/模型.gguf", "größe/模型.gguf"),
        (os.fsdecode(b"/srv/gglib/models/\xff.gguf"), b"models/\xff.gguf"),
        (os.fsdecode(b"/other/\xff.gguf"), b"/other/\xff.gguf"),
        ("/srv/gglib-2/models/a.gguf", "/srv/gglib-2/models/a.gguf"),
        ("/srv/gglib/../a.gguf", "/srv/gglib/../a.gguf"),
        ("/srv/gglib/models/../../a.gguf", "/srv/gglib/models/../../a.gguf"),
        ("/srv/gglib", "/srv/gglib"),
        ("/srv/gglib/..a/b..gguf", "..a/b..gguf"),
        ("/", "/"),
    ],
)
def test_below_the_home_is_relative(path: str, stored: str | bytes) -> None:
    """Paths below the home are stored relative to it, all others absolute; both are read back unchanged."""
    home = HomePaths(HOME)
    assert home.stored(Path(path)) == stored
    assert home.path(stored) == Path(path)


def test_moved_home_finds_its_files() -> None:
    """Paths stored in one place are read in another, also where the home's own name is not Unicode."""
    stored = HomePaths(HOME).stored(HOME / "models" / "a.gguf")
    moved = Path(os.fsdecode(b"/mnt/\xe4"))
    assert HomePaths(moved).path(stored) == moved / "models" / "a.gguf"
    assert HomePaths(moved).stored(moved / "models" / "a.gguf") == "models/a.gguf"


def test_both_spellings_are_searched(tmp_path: Path) -> None:
    """A path below the home has its relative form, and absolute forms through the home and through its link target."""
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    home = HomePaths(link)
    spellings = ("a.gguf", f"{link}/a.gguf", f"{real}/a.gguf")
    assert home.spellings(link / "a.gguf") == spellings
    assert home.spellings(real / "a.gguf") == spellings
    assert home.spellings(tmp_path / "a.gguf") == (f"{tmp_path}/a.gguf",)
    assert home.path("a.gguf") == link / "a.gguf"


def test_home_at_the_root_contains_everything() -> None:
    """The root of the file system is a home like any other."""
    home = HomePaths(Path("/"))
    assert home.stored(Path("/models/a.gguf")) == "models/a.gguf"
    assert home.path("models/a.gguf") == Path("/models/a.gguf")


def test_relative_path_is_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller's relative path is resolved by the system; that of an old row is unchanged."""
    monkeypatch.chdir(tmp_path)
    home = HomePaths(tmp_path)
    assert home.stored(Path("a.gguf")) == "a.gguf"
    assert HomePaths(HOME).stored(Path("a.gguf")) == f"{tmp_path}/a.gguf"
    assert HomePaths(HOME).converted("a.gguf") == "a.gguf"
    assert HomePaths(HOME).converted(None) is None
