"""The manifest beside a part file: its version, and which of its bytes are stored. Pure.

Format, 4096 + 512 bytes, each part written by one system call:

    0     the identity: one line of JSON, readable for people, then zeros
    4096  the progress, 512 bytes (a disk sector, which is written whole or not at all):
          magic 4s, received ranges u16, durable ranges u16, boot id 16s, 14 x (first u64, end u64), zeros, crc32 u32

The checksum covers the identity too: progress is never applied to another file. *Received* bytes survive the death of
the process, since the kernel has them; only *durable* bytes survive a crash of the machine: after a reboot only those
are trusted.
"""

import hashlib
import json
import struct
import zlib
from dataclasses import asdict, dataclass, field

from gglib.core.hub.repository import RemoteFile
from gglib.hf.download.byte_ranges import ByteRanges

IDENTITY_BYTES = 4096
PROGRESS_BYTES = 512
MANIFEST_BYTES = IDENTITY_BYTES + PROGRESS_BYTES
MAX_RANGES = 14
"""Of both kinds together 28 x 16 bytes: what fits in a sector with the rest."""

_MAGIC = b"ggp1"
_HEAD = struct.Struct("<4sHH16s")
_RANGE = struct.Struct("<QQ")
_CRC = struct.Struct("<I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The version of the file that the bytes belong to."""

    key: str
    """A hash that stands for the remote file, since its address may be a secret."""
    size_bytes: int | None
    """As the server says; None if it does not."""
    etag: str | None
    """As sent by the server that sends the bytes."""
    validator: str | None = None
    """As ``responses.validator_of`` read it from the response that the bytes began with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Which bytes are received, and which of them are durable."""

    received: ByteRanges = field(default_factory=ByteRanges)
    durable: ByteRanges = field(default_factory=ByteRanges)
    boot_id: bytes = bytes(16)
    """The boot in which ``received`` was written."""

    def trusted(self, boot_id: bytes) -> ByteRanges:
        """Return the bytes that are valid in the boot that ``boot_id`` names."""
        return self.received if boot_id == self.boot_id and any(boot_id) else self.durable


def key_of(file: RemoteFile) -> str:
    """Return the key of a remote file in a manifest: its content if known, else its address.

    A branch moves with each commit, even if only its README changes: the same content at another commit resumes.
    """
    if file.sha256 is not None and file.size_bytes is not None:
        content = f"{file.size_bytes} {file.sha256}"
    else:
        content = json.dumps(asdict(file), sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def encode_identity(identity: Identity, file: RemoteFile) -> bytes:
    """Return the first part of a manifest; it names ``file`` in readable form where there is room."""
    known = {
        "key": identity.key,
        "size_bytes": identity.size_bytes,
        "etag": identity.etag,
        "validator": identity.validator,
    }
    readable = {"name": file.name, "repo": file.repo, "revision": file.revision, "sha256": file.sha256}
    for content in ({**known, **readable}, known):
        line = json.dumps(content).encode() + b"\n"
        if len(line) <= IDENTITY_BYTES:
            return line.ljust(IDENTITY_BYTES, b"\0")
    return encode_identity(Identity(key=identity.key, size_bytes=identity.size_bytes, etag=None), file)


def encode_progress(progress: Progress, identity: bytes) -> bytes:
    """Return the second part of a manifest, bound to the bytes of the first."""
    ranges = b"".join(_RANGE.pack(*pair) for kind in (progress.received, progress.durable) for pair in kind)
    head = _HEAD.pack(_MAGIC, len(progress.received), len(progress.durable), progress.boot_id)
    body = (head + ranges).ljust(PROGRESS_BYTES - _CRC.size, b"\0")
    return body + _CRC.pack(zlib.crc32(body, zlib.crc32(identity)))


def decode(manifest: bytes) -> tuple[Identity, Progress] | None:
    """Return the content of a manifest, None for one that is torn, truncated or invalid."""
    identity, record = manifest[:IDENTITY_BYTES], manifest[IDENTITY_BYTES:]
    if len(manifest) != MANIFEST_BYTES or not record.startswith(_MAGIC):
        return None
    body, (crc,) = record[: -_CRC.size], _CRC.unpack(record[-_CRC.size :])
    if zlib.crc32(body, zlib.crc32(identity)) != crc:
        return None
    _, here, durable, boot_id = _HEAD.unpack_from(body)
    if here + durable > 2 * MAX_RANGES:
        return None
    ranges = [_RANGE.unpack_from(body, _HEAD.size + at * _RANGE.size) for at in range(here + durable)]
    progress = Progress(
        received=ByteRanges.of(ranges[:here]), durable=ByteRanges.of(ranges[here:]), boot_id=boot_id
    )
    try:
        return _decode_identity(identity), progress
    except (ValueError, KeyError, TypeError, RecursionError):  # the checksum is right, but the content is not
        return None


def _decode_identity(identity: bytes) -> Identity:
    content = json.loads(identity.rstrip(b"\0"))
    return Identity(
        key=content["key"],
        size_bytes=content["size_bytes"],
        etag=content["etag"],
        validator=content.get("validator"),  # older manifests have none
    )


def trusted_progress(
    manifest: bytes, *, key: str, boot_id: bytes, part_size_bytes: int
) -> tuple[Identity, ByteRanges, ByteRanges] | None:
    """Return the identity, the received and the durable bytes; None for a manifest that is not valid here.

    A manifest is not valid if it is torn, belongs to another file, or counts bytes that the part file does not have.
    """
    decoded = decode(manifest)
    if decoded is None:
        return None
    identity, progress = decoded
    here = progress.trusted(boot_id)
    if identity.key != key or here.end > part_size_bytes:
        return None
    if identity.size_bytes is not None and here.end > identity.size_bytes:
        return None
    return identity, here, progress.durable
