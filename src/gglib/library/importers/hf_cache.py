"""Finds the models in the cache of the Hugging Face hub, which many programs share.

``HUB/models--OWNER--NAME/snapshots/COMMIT/FILE`` is a link to ``../../blobs/SHA256`` for a large file; ``refs/main``
has the commit of ``main`` at the last download (huggingface_hub, ``file_download.py``, the docstring of
``hf_hub_download``; ``utils/_cache_manager.py``, ``_scan_cached_repo``). On systems without links the snapshot has the
file itself, and its hash is unknown. The first hop of the link names the blob, which may be a link itself.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from gglib.library.file_state import FileState, file_state, is_directory
from gglib.library.importers.candidates import (
    HIDDEN_FAULT,
    Candidate,
    as_sha256,
    unreadable,
)
from gglib.library.importers.folder import candidates_of
from gglib.library.importers.walk import walk
from gglib.system.files.small_files import read_small

ORIGIN = "huggingface"
_PREFIX = "models--"
_SEPARATOR = "--"
_MAX_REF_BYTES = 4096
_FAULTS = {
    FileState.HERE: None,
    FileState.GONE: "its file is missing from the cache",
    FileState.HIDDEN: HIDDEN_FAULT,
}


def hub_cache(environ: Mapping[str, str], home: Path) -> Path:
    """Return the cache directory, from the variables and in the order of huggingface_hub's ``constants.py``."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if environ.get(variable):
            return Path(environ[variable]).expanduser()
    if environ.get("HF_HOME"):
        return Path(environ["HF_HOME"]).expanduser() / "hub"
    caches = Path(environ["XDG_CACHE_HOME"]) if environ.get("XDG_CACHE_HOME") else home / ".cache"
    return caches / "huggingface" / "hub"


def is_hub_cache(path: Path) -> bool:
    """Whether a folder looks like a hub cache."""
    return any(is_directory(repo / "snapshots") for repo in path.glob(f"{_PREFIX}*"))


def find_in_hub_cache(root: Path) -> Iterator[Candidate]:
    """Yield the models of the cache; of a file in several snapshots, the newest one."""
    try:
        repositories = sorted(path for path in root.iterdir() if path.name.startswith(_PREFIX))
    except OSError as error:
        yield unreadable(root, error)
        return
    for repository in repositories:
        yield from _find_in_repository(repository)


def _find_in_repository(directory: Path) -> Iterator[Candidate]:
    repo = directory.name.removeprefix(_PREFIX).replace(_SEPARATOR, "/", 1)
    seen: set[Path] = set()
    try:
        snapshots = _newest_first(directory)
    except OSError as error:
        yield unreadable(directory, error)
        return
    for snapshot in snapshots:
        found = walk(snapshot)
        for _, files in found.directories:
            new = [path for path in files if path.relative_to(snapshot) not in seen]
            seen.update(path.relative_to(snapshot) for path in files)
            yield from candidates_of(new, partial(_described, repo=repo, snapshot=snapshot))
        yield from found.faults


def _newest_first(directory: Path) -> list[Path]:
    """Return the snapshots: that of ``main`` first, then by date, newest first. Raises OSError."""
    main = _read(directory / "refs" / "main")
    snapshots = [path for path in (directory / "snapshots").glob("*") if is_directory(path)]
    return sorted(snapshots, key=lambda path: (path.name == main, _changed_at(path)), reverse=True)


def _described(path: Path, *, repo: str, snapshot: Path) -> Candidate:
    return Candidate(
        path=path,
        origin=ORIGIN,
        repo=repo,
        revision=snapshot.name,
        file=path.relative_to(snapshot).as_posix(),
        sha256_of=_sha256_of,
        fault=_FAULTS[file_state(path)],
    )


def _sha256_of(path: Path) -> str | None:
    try:
        return as_sha256(path.readlink().name)
    except OSError:  # not a link
        return None


def _read(path: Path) -> str:
    try:
        return read_small(path, max_bytes=_MAX_REF_BYTES, follows_links=True).decode().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
