"""``make dist`` in a checkout: reproducible, from what git has, and refused if something does not fit."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripts.build_dist import ROOT

LIMIT_S = 120.0
ENTRY = "import sys; from pathlib import Path; from scripts import build_dist; sys.exit(build_dist.main(Path.cwd()))"
PARTS = (".gitignore", "LICENSE", "README.md", "pyproject.toml", "scripts/package_readme.py", "src")
IDENTITY = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")

pytestmark = pytest.mark.skipif(
    shutil.which("git") is None or not (ROOT / ".git").exists(), reason="needs git and a checkout"
)


def git(checkout: Path, *arguments: str) -> str:
    """Run git in the checkout."""
    command = ("git", *IDENTITY, *arguments)
    return subprocess.run(command, cwd=checkout, check=True, capture_output=True, text=True).stdout


def make_dist(checkout: Path, *arguments: str, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
    """Run the script on the checkout."""
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    return subprocess.run(
        [sys.executable, "-c", ENTRY, *arguments],
        cwd=checkout,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
        umask=umask,
    )


def archives(checkout: Path) -> dict[str, bytes]:
    """Return what is in ``dist/``."""
    return {path.name: path.read_bytes() for path in (checkout / "dist").glob("*")}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Commit what the package is made of, as it is now, in a repository of its own."""
    directory = tmp_path_factory.mktemp("checkout")
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *PARTS).split(
        "\0"
    )
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, directory / name)
    git(directory, "init", "--quiet")
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--message", "all")
    return directory


@pytest.fixture
def tag(checkout: Path) -> Iterator[str]:
    """Give the commit a tag that is not that of the version."""
    git(checkout, "tag", "v99.0")
    yield "v99.0"
    git(checkout, "tag", "--delete", "v99.0")


def test_the_same_commit_gives_the_same_bytes(checkout: Path, tmp_path: Path) -> None:
    """In another directory, with ignored files beside, under another umask."""
    first = make_dist(checkout)
    assert first.returncode == 0, first.stderr
    other = tmp_path / "other"
    git(tmp_path, "clone", "--quiet", str(checkout), str(other))
    (other / "src" / "gglib" / "__pycache__").mkdir()
    (other / "src" / "gglib" / "__pycache__" / "a.pyc").write_bytes(b"")
    (other / "dist").mkdir()
    (other / "dist" / "gglib-0.0.1.tar.gz").write_bytes(b"of an older version")
    second = make_dist(other, umask=0o077)
    assert second.returncode == 0, second.stderr
    assert len(archives(checkout)) == 2
    assert archives(checkout) == archives(other)


def test_changes_outside_git_are_refused(checkout: Path) -> None:
    """The archives would not be those of the commit; what is in ``dist/`` stays."""
    before = archives(checkout)
    stray = checkout / "src" / "gglib" / "stray.py"
    stray.write_text("")
    done = make_dist(checkout)
    stray.unlink()
    assert done.returncode == 1
    assert "commit or remove them first.\n?? src/gglib/stray.py" in done.stderr
    assert archives(checkout) == before


@pytest.mark.usefixtures("tag")
def test_a_tag_of_another_version_is_refused(checkout: Path) -> None:
    """Also when no release is asked for: this commit would be published under two numbers."""
    done = make_dist(checkout)
    assert done.returncode == 1
    assert "The tag v99.0 is not that of version" in done.stderr


def test_a_release_needs_its_tag(checkout: Path) -> None:
    """The sentence has the command."""
    done = make_dist(checkout, "--check-tag")
    assert done.returncode == 1
    assert "tag it with 'git tag v" in done.stderr
