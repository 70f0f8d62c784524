"""A file during its download: ``<target>.part`` and its manifest ``<target>.part.note``.

Each byte is at its final offset. The process that has the file open holds a lock on the manifest, which the kernel
releases with the process. Nothing is preallocated: free space is checked before, the size of the part file exposes a
wrong manifest, and without file system support the C library would preallocate by writing to each block.
"""

import contextlib
import ctypes
import functools
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from gglib.core.errors import DownloadInProgressError
from gglib.core.hub.repository import RemoteFile
from gglib.core.part_names import part_manifest_path, part_path
from gglib.hf.download.byte_ranges import ByteRanges
from gglib.hf.download.manifest import (
    IDENTITY_BYTES,
    MANIFEST_BYTES,
    Identity,
    Progress,
    encode_identity,
    encode_progress,
    key_of,
    trusted_progress,
)
from gglib.system.files.durable import sync
from gglib.system.files.locks import lock_file
from gglib.system.files.small_files import open_regular, read_small


class PartFile:
    """The stored bytes of ``file`` and their manifest. Any thread may write; the ranges must not overlap."""

    def __init__(self, file: RemoteFile, target: Path, *, part: int, manifest: int) -> None:
        self.key = key_of(file)
        """What identifies the file in the manifest."""
        self._file = file
        self._target = target
        self._part = part
        self._manifest = manifest
        self._boot_id = read_boot_id()
        self._lock = threading.Lock()
        self._durable = ByteRanges()
        found = trusted_progress(
            os.pread(manifest, MANIFEST_BYTES + 1, 0),
            key=self.key,
            boot_id=self._boot_id,
            part_size_bytes=os.fstat(part).st_size,
        )
        self.identity: Identity | None = None
        """The version of the stored bytes; None before the first response."""
        self.received = ByteRanges()
        """Replaced, never mutated: may be read without a lock."""
        self._is_published = False
        self._identity_record = b""
        if found is not None:
            self.identity, self.received, self._durable = found
            self._identity_record = encode_identity(self.identity, file)

    def begin(self, identity: Identity) -> None:
        """Start over with no bytes, as the version that ``identity`` names."""
        with self._lock:
            # In this order: after a kill in between, the old manifest counts bytes that are gone.
            os.ftruncate(self._part, 0)
            self.identity, self.received, self._durable = identity, ByteRanges(), ByteRanges()
            self._identity_record = encode_identity(identity, self._file)
            os.pwrite(self._manifest, self._identity_record + self._progress_record(), 0)

    def set_size(self, size_bytes: int) -> None:
        """Record the size, which was unknown until the end of the body."""
        with self._lock:
            if self.identity is not None:
                self.identity = replace(self.identity, size_bytes=size_bytes)
                self._identity_record = encode_identity(self.identity, self._file)
                os.pwrite(self._manifest, self._identity_record + self._progress_record(), 0)

    def discard(self) -> None:
        """Delete all bytes."""
        with self._lock:
            os.ftruncate(self._part, 0)
            self.identity, self.received, self._durable = None, ByteRanges(), ByteRanges()

    def write(self, data: memoryview, offset: int) -> None:
        """Write bytes at their offset and record them."""
        at = offset
        while data:
            written = os.pwrite(self._part, data, at)
            data, at = data[written:], at + written
        with self._lock:
            self.received = self.received.adding(offset, at)
            os.pwrite(self._manifest, self._progress_record(), IDENTITY_BYTES)

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Read stored bytes into ``buffer`` and return how many."""
        return os.preadv(self._part, [buffer], offset)

    @property
    def undurable_bytes(self) -> int:
        """The number of bytes that a power cut would lose."""
        return self.received.size_bytes - self._durable.size_bytes

    def sync(self) -> None:
        """Make the received bytes durable, and record that."""
        with self._lock:
            here, identity = self.received, self.identity
        _sync_data(self._part)
        with self._lock:
            if self.identity is identity:  # else the download was started over meanwhile
                self._durable = here
                os.pwrite(self._manifest, self._progress_record(), IDENTITY_BYTES)
        _sync_data(self._manifest)

    def publish(self) -> None:
        """Rename the part file to its target, then delete the manifest.

        A kill in between leaves a manifest without a part file.
        """
        os.fsync(self._part)
        part_path(self._target).replace(self._target)
        sync(self._target.parent)
        part_manifest_path(self._target).unlink(missing_ok=True)
        self._is_published = True

    def remove_if_empty(self) -> None:
        """Delete both files if no byte was received. A published file is not touched."""
        if not self._is_published and self.received.size_bytes == 0:
            part_path(self._target).unlink(missing_ok=True)
            part_manifest_path(self._target).unlink(missing_ok=True)

    def _progress_record(self) -> bytes:
        progress = Progress(received=self.received, durable=self._durable, boot_id=self._boot_id)
        return encode_progress(progress, self._identity_record)


@contextlib.contextmanager
def open_part(file: RemoteFile, target: Path) -> Iterator[PartFile]:
    """Open and lock the part file. Raises ``DownloadInProgressError`` if another process holds it, and ``OSError``."""
    manifest = _lock(target)
    try:
        descriptor = open_regular(part_path(target), flags=os.O_RDWR | os.O_CREAT, mode=0o644)
        try:
            part = PartFile(file, target, part=descriptor, manifest=manifest)
            try:
                yield part
            finally:
                part.remove_if_empty()
        finally:
            os.close(descriptor)
    finally:
        os.close(manifest)  # releases the lock


def remove_leftovers(target: Path) -> None:
    """Delete the part file and manifest that a kill left beside a complete file."""
    if part_path(target).exists() or part_manifest_path(target).exists():
        with contextlib.suppress(DownloadInProgressError, OSError):
            manifest = _lock(target)
            try:
                part_path(target).unlink(missing_ok=True)
                part_manifest_path(target).unlink(missing_ok=True)
            finally:
                os.close(manifest)


def resumable_bytes(file: RemoteFile, target: Path) -> int:
    """Return how many bytes of ``file`` are stored for ``target``; reads the disk, sends no request."""
    if target.exists():
        return target.stat().st_size if file.size_bytes in {None, target.stat().st_size} else 0
    try:
        manifest = read_small(part_manifest_path(target), max_bytes=MANIFEST_BYTES)
        size = part_path(target).stat().st_size
    except OSError:
        return 0
    found = trusted_progress(manifest, key=key_of(file), boot_id=read_boot_id(), part_size_bytes=size)
    return 0 if found is None else found[1].size_bytes


def _lock(target: Path) -> int:
    try:
        return lock_file(part_manifest_path(target), needs_locks=True)
    except BlockingIOError:
        raise DownloadInProgressError(
            f"Another gglib is downloading {target.name}: wait for it, or end it and run the same command again."
        ) from None


@functools.cache
def read_boot_id() -> bytes:
    """Return the id of this boot, zeros if the system has none."""
    try:
        if sys.platform == "linux":
            text = Path("/proc/sys/kernel/random/boot_id").read_text()
        elif sys.platform == "darwin":
            buffer = ctypes.create_string_buffer(64)
            length = ctypes.c_size_t(len(buffer))
            libc = ctypes.CDLL(None)
            if libc.sysctlbyname(b"kern.bootsessionuuid", buffer, ctypes.byref(length), None, 0):
                return bytes(16)
            text = buffer.value.decode()
        else:
            return bytes(16)
        return UUID(text.strip()).bytes
    except (OSError, ValueError, AttributeError):
        return bytes(16)


def _sync_data(descriptor: int) -> None:
    if sys.platform == "linux":
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)
