"""Finds versions on the disk that the catalogue does not know: it was restored from a backup, or is a new one.

Each version's directory has a manifest. What is not known and is where gglib puts versions, with the files that the
manifest describes, is entered without a model: a pull or an ``add`` of the same takes it, and ``prune`` frees it. The
disk is searched only where something was published or forgotten since the last search (``fingerprint``).
"""

import asyncio
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from gglib.core.errors import UnsafeNameError
from gglib.core.file_names import safe_folder, safe_path
from gglib.core.models import ModelSource, ModelSummary
from gglib.core.ports.store import HomeStorePort
from gglib.core.versions import FileIdentity, FileRole, NewVersion, OwnFile, Version
from gglib.library.file_state import FileState, file_state
from gglib.library.versions.layout import INCOMING_NAME, MANIFEST_NAME
from gglib.library.versions.manifest import Manifest, read_manifest
from gglib.library.versions.ownership import is_same, status_of

MAX_DEPTH = 6
"""``OWNER/NAME@REVISION/LABEL-XXXXXXXX`` is three directories down; the rest is for folders that users made."""
_VERSION_NAME = re.compile(r".+-[0-9a-f]{8}(?:-[1-9][0-9]{0,2})?")
"""See ``layout.version_directory`` and ``layout.candidates``."""
_OTHERS_JOB = re.compile(r"[0-9a-f]{16}-(?P<home>[0-9a-f]{8})")
"""What a manifest calls its pull where a home brought it that has the ``models/`` of another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a search of the disk showed."""

    unknown: tuple[NewVersion, ...] = ()
    """On the disk, and not in the catalogue."""
    identities: Mapping[Path, FileIdentity] = field(default_factory=dict)
    """Of known versions' files that are others than the catalogue has it, and those of the manifest beside them."""


def fingerprint(versions: Iterable[Version], models_dir: Path, incoming: Path) -> str:
    """Return a text that is another one after a version was published, entered or forgotten.

    A version gets its name by a rename out of the directory of what comes, whose time changes with it, also where the
    process was killed before the catalogue knew the version.
    """
    names = sorted(
        os.path.relpath(version.directory, models_dir)
        for version in versions
        if version.directory is not None
    )
    try:
        changed_ns = incoming.stat().st_mtime_ns
    except OSError:
        changed_ns = 0
    return hashlib.sha256(json.dumps([names, changed_ns]).encode()).hexdigest()[:32]


def search(
    versions: Sequence[Version], models_dir: Path, *, believes_content: bool, home_id: str = ""
) -> Findings:
    """Search the disk; reads manifests, and no model. Blocks.

    What another home brought, with ``home_id`` not its own, is that one's for as long as it shares ``models/``.
    ``believes_content``: the home is in another place, so that devices and inodes of manifests mean nothing, and a
    version that lies where gglib puts it is one of gglib's. Whether its files still are, their content decides then.
    """
    known = {version.directory: version for version in versions if version.directory is not None}
    unknown: list[NewVersion] = []
    identities: dict[Path, FileIdentity] = {}
    for directory in directories_with_manifest(models_dir):
        manifest = read_manifest(directory)
        if manifest is None:
            continue
        if directory in known:
            identities |= _renewed(known[directory].files, manifest.files)
            continue
        if _is_of_other_home(manifest, models_dir, home_id):
            continue
        is_believed = believes_content and _is_in_place(directory, models_dir, manifest.source)
        files = tuple(filter(None, (_found(file, is_believed=is_believed) for file in manifest.files)))
        if files:
            unknown.append(NewVersion(directory=directory, source=manifest.source, files=files))
    return Findings(unknown=tuple(unknown), identities=identities)


async def reconcile(store: HomeStorePort, models_dir: Path, *, believes_content: bool) -> Findings:
    """Enter what is on the disk and not in the catalogue; return it. Raises ``CatalogError``."""
    versions, home = await store.list_versions(), await store.read_home()
    home_id = "" if home is None else home.id
    findings = await asyncio.to_thread(
        search, versions, models_dir, believes_content=believes_content, home_id=home_id
    )
    if findings.identities:
        await store.update_identities(findings.identities)
    for version in findings.unknown:
        installed = await store.add_version(version)
        for model in await store.list_models():
            if model.version_id is None and _has_files_of(model, version):
                await store.assign_version(model.id, installed.id)
    return findings


def without_files(models: Iterable[ModelSummary]) -> list[ModelSummary]:
    """Return the models that gglib fetched and whose files are gone: their version was deleted meanwhile. Blocks."""
    return [
        model
        for model in models
        if model.is_downloaded and all(file_state(path) is FileState.GONE for path in model.paths)
    ]


def directories_with_manifest(models_dir: Path) -> Iterator[Path]:
    """Yield every directory below that has a manifest; links are not followed, hidden directories not searched."""
    yield from _with_manifest(models_dir, 0)


def _with_manifest(directory: Path, depth: int) -> Iterator[Path]:
    try:
        with os.scandir(directory) as opened:
            entries = sorted(opened, key=lambda entry: entry.name)
    except OSError:
        return
    if depth and any(entry.name == MANIFEST_NAME for entry in entries):
        yield directory
        return
    for entry in entries:
        if depth < MAX_DEPTH and not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
            yield from _with_manifest(directory / entry.name, depth + 1)


def _is_of_other_home(manifest: Manifest, models_dir: Path, home_id: str) -> bool:
    """Whether another home brought a version, and shares ``models/`` still: its incoming directory is there."""
    found = _OTHERS_JOB.fullmatch(manifest.job_key or "")
    if found is None or home_id.startswith(found["home"]):
        return False
    return os.path.lexists(models_dir / f"{INCOMING_NAME}-{found['home']}")


def _is_in_place(directory: Path, models_dir: Path, source: ModelSource) -> bool:
    """Whether gglib puts a version from there into such a directory."""
    try:
        folder = folder_of(source)
    except UnsafeNameError:
        return False
    return directory.parent == models_dir / folder and _VERSION_NAME.fullmatch(directory.name) is not None


def folder_of(source: ModelSource) -> PurePosixPath:
    """Return where versions from there lie below ``models/``. Raises ``UnsafeNameError``."""
    if source.repo is not None:
        return safe_folder(source.repo, source.asked_revision)
    return safe_path((urlsplit(source.url or "").hostname or "").replace(":", "-"))


def _found(file: OwnFile, *, is_believed: bool) -> OwnFile | None:
    """Return a file of a manifest as it is known from here on; None for one that is gone, or another one."""
    status = status_of(file.path)
    if status is None:
        return None
    if is_same(file.identity, status):
        return file
    if not is_believed or file.sha256 is None or status.st_size != file.identity.size_bytes:
        return None
    return replace(file, identity=replace(file.identity, device=None, inode=None, modified_ns=None))


def _has_files_of(model: ModelSummary, version: NewVersion) -> bool:
    return model.paths == tuple(file.path for file in version.files if file.role is FileRole.MODEL)


def _renewed(known: Iterable[OwnFile], manifest: Iterable[OwnFile]) -> dict[Path, FileIdentity]:
    """Return the identities of a known version's files that were written again after the catalogue was backed up."""
    by_path = {file.path: file for file in manifest}
    renewed = {}
    for file in known:
        other = by_path.get(file.path)
        if other is not None and other.identity != file.identity and other.sha256 == file.sha256:
            status = status_of(file.path)
            if status is not None and is_same(other.identity, status):
                renewed[file.path] = other.identity
    return renewed
