"""Reconciles the catalogue with the versions on the disk, after it was restored from a backup or created anew.

Each version's directory has a manifest. An unrecorded version whose files match its manifest is recorded without a
model: a pull or an ``add`` of the same files uses it, and ``prune`` deletes it. The disk is scanned only if a version
was published or forgotten since the last scan (``fingerprint``).
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
"""``OWNER/NAME@REVISION/LABEL-XXXXXXXX`` is three levels deep; the rest allows for folders that users created."""
_VERSION_NAME = re.compile(r".+-[0-9a-f]{8}(?:-[1-9][0-9]{0,2})?")
"""See ``layout.version_directory`` and ``layout.candidates``."""
_SHARED_JOB = re.compile(r"[0-9a-f]{16}-(?P<home>[0-9a-f]{8})")
"""The job key in a manifest that was written by a home that shares another home's ``models/``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The result of a scan."""

    unknown: tuple[NewVersion, ...] = ()
    """Versions on the disk that are not in the catalogue."""
    identities: Mapping[Path, FileIdentity] = field(default_factory=dict)
    """New identities of known versions' files that match their manifest, not the catalogue."""


def fingerprint(versions: Iterable[Version], models_dir: Path, incoming: Path) -> str:
    """Return a text that changes whenever a version is published, installed or forgotten.

    Publishing renames a directory out of the incoming directory, which changes its modification time even if the
    process is killed before the version is recorded.
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


def scan(
    versions: Sequence[Version], models_dir: Path, *, trusts_content: bool, home_id: str = ""
) -> Findings:
    """Scan the disk; reads manifests, not models. Blocks.

    Versions that another home pulled (by ``home_id``) belong to it while it shares ``models/``. ``trusts_content``: the
    home was moved, so devices and inodes in manifests are invalid, and a version in the expected place is accepted as
    gglib's; later, content decides whether its files are unchanged.
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
        is_trusted = trusts_content and _is_in_place(directory, models_dir, manifest.source)
        files = tuple(filter(None, (_found(file, is_trusted=is_trusted) for file in manifest.files)))
        if files:
            unknown.append(NewVersion(directory=directory, source=manifest.source, files=files))
    return Findings(unknown=tuple(unknown), identities=identities)


async def reconcile(store: HomeStorePort, models_dir: Path, *, trusts_content: bool) -> Findings:
    """Record the versions that are on the disk but not in the catalogue. Raises ``CatalogError``."""
    versions, home = await store.list_versions(), await store.read_home()
    home_id = "" if home is None else home.id
    findings = await asyncio.to_thread(
        scan, versions, models_dir, trusts_content=trusts_content, home_id=home_id
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
    """Return the downloaded models whose files are gone because their version was deleted meanwhile. Blocks."""
    return [
        model
        for model in models
        if model.is_downloaded and all(file_state(path) is FileState.GONE for path in model.paths)
    ]


def directories_with_manifest(models_dir: Path) -> Iterator[Path]:
    """Yield every directory below with a manifest; links and hidden directories are skipped."""
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
    """Whether a version was pulled by another home that still shares ``models/``: its incoming directory exists."""
    found = _SHARED_JOB.fullmatch(manifest.job_key or "")
    if found is None or home_id.startswith(found["home"]):
        return False
    return os.path.lexists(models_dir / f"{INCOMING_NAME}-{found['home']}")


def _is_in_place(directory: Path, models_dir: Path, source: ModelSource) -> bool:
    """Whether a directory is where gglib publishes versions of this source."""
    try:
        folder = folder_of(source)
    except UnsafeNameError:
        return False
    return directory.parent == models_dir / folder and _VERSION_NAME.fullmatch(directory.name) is not None


def folder_of(source: ModelSource) -> PurePosixPath:
    """Return the folder of a source's versions below ``models/``. Raises ``UnsafeNameError``."""
    if source.repo is not None:
        return safe_folder(source.repo, source.asked_revision)
    return safe_path((urlsplit(source.url or "").hostname or "").replace(":", "-"))


def _found(file: OwnFile, *, is_trusted: bool) -> OwnFile | None:
    """Return the record of a file in a manifest; None if the file is gone or differs."""
    status = status_of(file.path)
    if status is None:
        return None
    if is_same(file.identity, status):
        return file
    if not is_trusted or file.sha256 is None or status.st_size != file.identity.size_bytes:
        return None
    return replace(file, identity=replace(file.identity, device=None, inode=None, modified_ns=None))


def _has_files_of(model: ModelSummary, version: NewVersion) -> bool:
    return model.paths == tuple(file.path for file in version.files if file.role is FileRole.MODEL)


def _renewed(known: Iterable[OwnFile], manifest: Iterable[OwnFile]) -> dict[Path, FileIdentity]:
    """Return the new identities of a known version's files that were rewritten after the catalogue's backup."""
    by_path = {file.path: file for file in manifest}
    renewed = {}
    for file in known:
        other = by_path.get(file.path)
        if other is not None and other.identity != file.identity and other.sha256 == file.sha256:
            status = status_of(file.path)
            if status is not None and is_same(other.identity, status):
                renewed[file.path] = other.identity
    return renewed
