"""Fetches Mermaid, which draws the diagrams of the documentation site, from its npm package: pinned and verified.

    python -m scripts.docs_site.fetch_mermaid build/mermaid.min.js

The theme would load it from another server in the reader's browser. Without npm the site shows the diagrams as text.
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "mermaid@11.17.2"
SHA512 = (
    "57a2b70bc101744b0f1595d228c25eea9a50384371b87011afd1af1d7e21878e"
    "e501b84c443f6a7f8a042bb2e869143150b31af34feab798073bbdda0a578106"
)
"""Of the package's tarball."""
_MEMBER = "package/dist/mermaid.min.js"
_LIMIT_S = 120


class FetchError(Exception):
    """The package cannot be had, or is not the pinned one."""


def script_in(tarball: Path, sha512: str = SHA512) -> bytes:
    """Return the script of a package. Raises ``FetchError`` if the package has another hash, or no script."""
    if hashlib.sha512(tarball.read_bytes()).hexdigest() != sha512:
        raise FetchError(f"{PACKAGE} has another hash than the pinned one: it is not used.")
    with tarfile.open(tarball) as archive:
        member = archive.extractfile(_MEMBER)
        if member is None:
            raise FetchError(f"{PACKAGE} has no file {_MEMBER}.")
        return member.read()


def fetch(target: Path) -> None:
    """Write the script. Raises ``FetchError``; an older file then stays as it is."""
    with tempfile.TemporaryDirectory() as directory:
        command = ["npm", "pack", "--silent", "--pack-destination", directory, PACKAGE]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=_LIMIT_S)
        except (OSError, subprocess.SubprocessError) as error:
            raise FetchError(f"npm cannot download {PACKAGE}.") from error
        (tarball,) = Path(directory).glob("*.tgz")
        content = script_in(tarball)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    part.write_bytes(content)
    part.replace(target)


def main() -> int:
    """Write the script to the file of the command line, if it is not there; return the exit code."""
    target = Path(sys.argv[1])
    if target.is_file():
        return 0
    try:
        fetch(target)
    except FetchError as error:
        print(f"{error} The diagrams of the documentation site are shown as text.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
