"""Build the source archive and the wheel of HEAD into ``dist/``, and check them (``make dist``).

They are built from what git has, not from the working tree, and with the time of the commit, so the same commit gives
the same bytes in every checkout. The wheel is built a second time, from the source archive, and compared. With
``--check-tag``, for releases, HEAD needs a tag ``vVERSION``; without it, a tag that HEAD has must still be right. Exits
with 1 and leaves ``dist/`` as it was if anything is wrong.
"""

import argparse
import hashlib
import os
import runpy
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.dist_checks import metadata_faults, sdist_faults, tag_faults, wheel_faults

ROOT = Path(__file__).resolve().parents[1]
VERSION = "src/gglib/core/version.py"
ARCHIVES = ("gglib-*.tar.gz", "gglib-*.whl")


class DistError(Exception):
    """A sentence that says why nothing was built."""


@dataclass(frozen=True, slots=True)
class Built:
    """The two archives of one build."""

    sdist: Path
    wheel: Path

    def faults(self, sources: list[str], version: str) -> Iterator[str]:
        """Yield a sentence for each fault of the archives, which have to have the files in ``sources``."""
        with zipfile.ZipFile(self.wheel) as content:
            yield from wheel_faults(content.namelist(), sources=sources, version=version)
            metadata = content.read(f"gglib-{version}.dist-info/METADATA")
        with tarfile.open(self.sdist) as content:
            names = [member.name for member in content if member.isfile()]
            file = content.extractfile(f"gglib-{version}/PKG-INFO")
            same = file is not None and file.read() == metadata
        yield from sdist_faults(names, sources=sources, version=version)
        yield from metadata_faults(metadata)
        if not same:
            yield "The source archive and the wheel have different metadata."


def git(*arguments: str, root: Path) -> str:
    """Return the output of git in a checkout. Raises ``DistError``."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DistError(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout


def require_no_changes(root: Path) -> None:
    """Raise ``DistError`` if the checkout has something that HEAD has not."""
    changed = git("status", "--porcelain", root=root)
    if changed:
        raise DistError(
            f"The checkout has changes that are in no commit: commit or remove them first.\n{changed.rstrip()}"
        )


def version_of_head(root: Path, work: Path) -> str:
    """Return the version of HEAD, read in the directory ``work``."""
    module = work / "version.py"
    module.write_text(git("show", f"HEAD:{VERSION}", root=root), encoding="utf-8")
    version: str = runpy.run_path(str(module))["__version__"]
    return version


def export(root: Path, target: Path) -> list[str]:
    """Write the files of HEAD into ``target``; return their paths. Raises ``DistError``."""
    archive = target.with_suffix(".tar")
    git("archive", "--output", str(archive), "HEAD", root=root)
    with tarfile.open(archive) as content:
        content.extractall(target, filter="data")
        return [member.name for member in content if member.isfile()]


def build(tree: Path, target: Path, epoch: str, *formats: str) -> list[Path]:
    """Return the archives that hatchling builds from ``tree``. Raises ``DistError``."""
    environment = os.environ | {"SOURCE_DATE_EPOCH": epoch, "PYTHONDONTWRITEBYTECODE": "1"}
    wanted = [word for name in formats for word in ("--target", name)]
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(target), *wanted]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DistError(f"hatchling cannot build the package:\n{done.stdout}{done.stderr}")
    return [path for pattern in ARCHIVES for path in target.glob(pattern)]


def build_twice(tree: Path, work: Path, epoch: str) -> Built:
    """Build from ``tree``, and the wheel once more from the source archive. Raises ``DistError``."""
    sdist, wheel = build(tree, work / "built", epoch, "sdist", "wheel")
    with tarfile.open(sdist) as content:
        content.extractall(work / "unpacked", filter="data")
    (unpacked,) = (work / "unpacked").iterdir()
    (again,) = build(unpacked, work / "again", epoch, "wheel")
    if again.read_bytes() != wheel.read_bytes():
        raise DistError("The source archive builds another wheel than the checkout.")
    return Built(sdist, wheel)


def publish(built: Built, target: Path) -> None:
    """Replace the archives in ``target``."""
    target.mkdir(exist_ok=True)
    for pattern in ARCHIVES:
        for old in target.glob(pattern):
            old.unlink()
    for path in (built.sdist, built.wheel):
        shutil.copyfile(path, target / path.name)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        print(f"{digest}  {target.name}/{path.name}  {path.stat().st_size / 1e6:.1f} MB")


def check(faults: Iterable[str]) -> None:
    """Raise ``DistError`` with all faults if there are any."""
    found = list(faults)
    if found:
        raise DistError("\n".join(found))


def make(root: Path, *, is_release: bool) -> None:
    """Build from HEAD of the checkout, check, and publish. Raises ``DistError``."""
    with tempfile.TemporaryDirectory(prefix="gglib-dist-") as name:
        work = Path(name)
        require_no_changes(root)
        version = version_of_head(root, work)
        tags = git("tag", "--points-at", "HEAD", "--list", "v*", root=root).split()
        check(tag_faults(tags, version=version, is_required=is_release))
        sources = export(root, work / "tree")
        epoch = os.environ.get("SOURCE_DATE_EPOCH") or git("log", "-1", "--format=%ct", root=root).strip()
        built = build_twice(work / "tree", work, epoch)
        check(built.faults(sources, version))
        publish(built, root / "dist")


def main(root: Path = ROOT) -> int:
    """Read the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check-tag", action="store_true", help="HEAD needs the tag of the version")
    options = parser.parse_args()
    try:
        make(root, is_release=options.check_tag)
    except DistError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
