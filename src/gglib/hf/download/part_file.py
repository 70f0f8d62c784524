"""A file while it comes: ``<target>.part``, its bytes where they will be, and ``<target>.part.note`` beside it.

Who has it open holds a lock on the note, which the kernel drops with the process. Nothing is preallocated: the room is
checked before, a file that grows only with its bytes shows when the note lies, and where a file system cannot
preallocate, the C library would write to each of its blocks instead.
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
from gglib.hf.download.byte_ranges import Spans
from gglib.hf.download.manifest import (
    IDENTITY_BYTES,
    NOTE_BYTES,
    Identity,
    Progress,
    believed_spans,
    encode_identity,
    encode_progress,
    key_of,
)
from gglib.system.files.durable import sync
from gglib.system.files.locks import lock_file
from gglib.system.files.small_files import open_regular, read_small


class Part:
    """The bytes of ``file`` that are here, and their note. Any thread may write; each must write other bytes."""

    def __init__(self, file: RemoteFile, target: Path, *, part: int, note: int) -> None:
        self.key = key_of(file)
        """What stands for the file in the note."""
        self._file = file
        self._target = target
        self._part = part
        self._note = note
        self._boot_id = read_boot_id()
        self._lock = threading.Lock()
        self._durable = Spans()
        found = believed_spans(
            os.pread(note, NOTE_BYTES + 1, 0),
            key=self.key,
            boot_id=self._boot_id,
            part_size_bytes=os.fstat(part).st_size,
        )
        self.identity: Identity | None = None
        """Which version is here; None before the first answer."""
        self.here = Spans()
        """Replaced, never changed: may be read without a lock."""
        self._is_gone = False
        self._identity_record = b""
        if found is not None:
            self.identity, self.here, self._durable = found
            self._identity_record = encode_identity(self.identity, file)

    def begin(self, identity: Identity) -> None:
        """Start with nothing, as the version that ``identity`` names."""
        with self._lock:
            # In this order: killed in between, the old note counts bytes that are no longer there.
            os.ftruncate(self._part, 0)
            self.identity, self.here, self._durable = identity, Spans(), Spans()
            self._identity_record = encode_identity(identity, self._file)
            os.pwrite(self._note, self._identity_record + self._progress_record(), 0)

    def know_size(self, size_bytes: int) -> None:
        """Note the size, which only the end of the body told."""
        with self._lock:
            if self.identity is not None:
                self.identity = replace(self.identity, size_bytes=size_bytes)
                self._identity_record = encode_identity(self.identity, self._file)
                os.pwrite(self._note, self._identity_record + self._progress_record(), 0)

    def discard(self) -> None:
        """Throw everything away."""
        with self._lock:
            os.ftruncate(self._part, 0)
            self.identity, self.here, self._durable = None, Spans(), Spans()

    def write(self, data: memoryview, offset: int) -> None:
        """Put bytes in their place and note that they are here."""
        at = offset
        while data:
            written = os.pwrite(self._part, data, at)
            data, at = data[written:], at + written
        with self._lock:
            self.here = self.here.plus(offset, at)
            os.pwrite(self._note, self._progress_record(), IDENTITY_BYTES)

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Put bytes that are here into ``buffer`` and return how many."""
        return os.preadv(self._part, [buffer], offset)

    @property
    def undurable_bytes(self) -> int:
        """How many bytes a power cut would take."""
        return self.here.size_bytes - self._durable.size_bytes

    def sync(self) -> None:
        """Make what is here survive a power cut, and note that."""
        with self._lock:
            here, identity = self.here, self.identity
        _sync_data(self._part)
        with self._lock:
            if self.identity is identity:  # else it was begun again meanwhile
                self._durable = here
                os.pwrite(self._note, self._progress_record(), IDENTITY_BYTES)
        _sync_data(self._note)

    def publish(self) -> None:
        """Give the file its name; the note goes last. Killed in between, there is a note of a part that is gone."""
        os.fsync(self._part)
        part_path(self._target).replace(self._target)
        sync(self._target.parent)
        part_manifest_path(self._target).unlink(missing_ok=True)
        self._is_gone = True

    def leave(self) -> None:
        """Leave nothing behind where nothing has come. What is published is somebody else's already."""
        if not self._is_gone and self.here.size_bytes == 0:
            part_path(self._target).unlink(missing_ok=True)
            part_manifest_path(self._target).unlink(missing_ok=True)

    def _progress_record(self) -> bytes:
        progress = Progress(here=self.here, durable=self._durable, boot_id=self._boot_id)
        return encode_progress(progress, self._identity_record)


@contextlib.contextmanager
def open_part(file: RemoteFile, target: Path) -> Iterator[Part]:
    """Hold what is here of a file. Raises ``DownloadInProgressError`` when somebody else does, and ``OSError``."""
    note = _lock(target)
    try:
        descriptor = open_regular(part_path(target), flags=os.O_RDWR | os.O_CREAT, mode=0o644)
        try:
            part = Part(file, target, part=descriptor, note=note)
            try:
                yield part
            finally:
                part.leave()
        finally:
            os.close(descriptor)
    finally:
        os.close(note)  # and with it the lock


def sweep(target: Path) -> None:
    """Remove what a kill left beside a file that is whole."""
    if part_path(target).exists() or part_manifest_path(target).exists():
        with contextlib.suppress(DownloadInProgressError, OSError):
            note = _lock(target)
            try:
                part_path(target).unlink(missing_ok=True)
                part_manifest_path(target).unlink(missing_ok=True)
            finally:
                os.close(note)


def bytes_here(file: RemoteFile, target: Path) -> int:
    """Return how many bytes a fetch of ``file`` to ``target`` would find; reads the disk, asks nobody."""
    if target.exists():
        return target.stat().st_size if file.size_bytes in {None, target.stat().st_size} else 0
    try:
        note = read_small(part_manifest_path(target), max_bytes=NOTE_BYTES)
        size = part_path(target).stat().st_size
    except OSError:
        return 0
    found = believed_spans(note, key=key_of(file), boot_id=read_boot_id(), part_size_bytes=size)
    return 0 if found is None else found[1].size_bytes


def _lock(target: Path) -> int:
    try:
        return lock_file(part_manifest_path(target), needs_locks=True)
    except BlockingIOError:
        raise DownloadInProgressError(
            f"Another gglib fetches {target.name} now: wait for it, or end it and run the same command again."
        ) from None


@functools.cache
def read_boot_id() -> bytes:
    """Return what names this start of the machine, zeros where nothing does."""
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
