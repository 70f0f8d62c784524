"""The note beside a half-fetched file: of what it is a part, and which of its bytes are here. Pure.

Form, 4096 + 512 bytes, each part written whole by one system call::

    0     the identity: one line of JSON, which a person can read, then zeros
    4096  the progress, 512 bytes (a disk's sector: it is never written by halves):
          magic 4s, spans here u16, spans durable u16, boot id 16s, 14 x (first u64, end u64), zeros, crc32 u32

The checksum covers the identity too: progress is never believed for another file than the one it was written for.
What is *here* survives the death of the process, since the kernel has it; only what is *durable* survives the
machine's: after another start of the machine only that is believed.
"""

import hashlib
import json
import struct
import zlib
from dataclasses import asdict, dataclass, field

from gglib.core.hub.repository import RemoteFile
from gglib.hf.download.byte_ranges import Spans

IDENTITY_BYTES = 4096
PROGRESS_BYTES = 512
NOTE_BYTES = IDENTITY_BYTES + PROGRESS_BYTES
MOST_SPANS = 14
"""Of both kinds together 28 x 16 bytes: what fits in a sector beside the rest."""

_MAGIC = b"ggp1"
_HEAD = struct.Struct("<4sHH16s")
_SPAN = struct.Struct("<QQ")
_CRC = struct.Struct("<I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which version of which file the bytes belong to."""

    key: str
    """Of the remote file: a hash, since its address may be a secret."""
    size_bytes: int | None
    """What the server says; None where it does not."""
    etag: str | None
    """As the server that sends the bytes writes it."""
    validator: str | None = None
    """As ``replies.validator_of`` reads it from the answer that the bytes began with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Which bytes are here, and which of them are here to stay."""

    here: Spans = field(default_factory=Spans)
    durable: Spans = field(default_factory=Spans)
    boot_id: bytes = bytes(16)
    """Of the machine's start in which ``here`` was written."""

    def believed(self, boot_id: bytes) -> Spans:
        """Return the bytes that can be relied on in the machine's start that ``boot_id`` names."""
        return self.here if boot_id == self.boot_id and any(boot_id) else self.durable


def key_of(file: RemoteFile) -> str:
    """Return what stands for a remote file in a note: its content where that is known, else where it is to be had.

    A branch moves with each commit, also when only its README changes: the same content under another one goes on.
    """
    if file.sha256 is not None and file.size_bytes is not None:
        content = f"{file.size_bytes} {file.sha256}"
    else:
        content = json.dumps(asdict(file), sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def encode_identity(identity: Identity, file: RemoteFile) -> bytes:
    """Return the first part of a note; of ``file`` it has what helps a person who wonders what this is."""
    known = {
        "key": identity.key,
        "size_bytes": identity.size_bytes,
        "etag": identity.etag,
        "validator": identity.validator,
    }
    shown = {"name": file.name, "repo": file.repo, "revision": file.revision, "sha256": file.sha256}
    for content in ({**known, **shown}, known):
        line = json.dumps(content).encode() + b"\n"
        if len(line) <= IDENTITY_BYTES:
            return line.ljust(IDENTITY_BYTES, b"\0")
    return encode_identity(Identity(key=identity.key, size_bytes=identity.size_bytes, etag=None), file)


def encode_progress(progress: Progress, identity: bytes) -> bytes:
    """Return the second part of a note, bound to the bytes of the first."""
    spans = b"".join(_SPAN.pack(*span) for kind in (progress.here, progress.durable) for span in kind)
    head = _HEAD.pack(_MAGIC, len(progress.here), len(progress.durable), progress.boot_id)
    body = (head + spans).ljust(PROGRESS_BYTES - _CRC.size, b"\0")
    return body + _CRC.pack(zlib.crc32(body, zlib.crc32(identity)))


def decode(note: bytes) -> tuple[Identity, Progress] | None:
    """Return what a note says, None for one that is torn, cut or none of ours."""
    identity, record = note[:IDENTITY_BYTES], note[IDENTITY_BYTES:]
    if len(note) != NOTE_BYTES or not record.startswith(_MAGIC):
        return None
    body, (crc,) = record[: -_CRC.size], _CRC.unpack(record[-_CRC.size :])
    if zlib.crc32(body, zlib.crc32(identity)) != crc:
        return None
    _, here, durable, boot_id = _HEAD.unpack_from(body)
    if here + durable > 2 * MOST_SPANS:
        return None
    spans = [_SPAN.unpack_from(body, _HEAD.size + at * _SPAN.size) for at in range(here + durable)]
    progress = Progress(here=Spans.of(spans[:here]), durable=Spans.of(spans[here:]), boot_id=boot_id)
    try:
        return _decode_identity(identity), progress
    except (ValueError, KeyError, TypeError, RecursionError):  # the checksum is right, and it is none of ours
        return None


def _decode_identity(identity: bytes) -> Identity:
    content = json.loads(identity.rstrip(b"\0"))
    return Identity(
        key=content["key"],
        size_bytes=content["size_bytes"],
        etag=content["etag"],
        validator=content.get("validator"),  # notes of before have none
    )


def believed_spans(
    note: bytes, *, key: str, boot_id: bytes, part_size_bytes: int
) -> tuple[Identity, Spans, Spans] | None:
    """Return which version is here, which of its bytes, and which of these durably; None for a note not to believe.

    Not to be believed is one that is torn, belongs to another file, or counts bytes that the part does not have.
    """
    decoded = decode(note)
    if decoded is None:
        return None
    identity, progress = decoded
    here = progress.believed(boot_id)
    if identity.key != key or here.end > part_size_bytes:
        return None
    if identity.size_bytes is not None and here.end > identity.size_bytes:
        return None
    return identity, here, progress.durable
