"""The manifest beside a part file."""

import json
import struct
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.hub.repository import RemoteFile
from gglib.hf.download.byte_ranges import ByteRange, ByteRanges
from gglib.hf.download.manifest import (
    IDENTITY_BYTES,
    MANIFEST_BYTES,
    MAX_RANGES,
    PROGRESS_BYTES,
    Identity,
    Progress,
    decode,
    encode_identity,
    encode_progress,
    key_of,
    trusted_progress,
)

FILE = RemoteFile(name="m.gguf", repo="ada/m", revision="c" * 40, size_bytes=1000, sha256="a" * 64)
KEY = key_of(FILE)
BOOT, OTHER_BOOT = b"b" * 16, b"o" * 16
some_ranges = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), max_size=MAX_RANGES)


def manifest_of(here: ByteRanges, durable: ByteRanges, identity: Identity | None = None) -> bytes:
    """Return the bytes of a manifest."""
    head = encode_identity(identity or Identity(key=KEY, size_bytes=1000, etag='"v1"'), FILE)
    return head + encode_progress(Progress(received=here, durable=durable, boot_id=BOOT), head)


def read(
    manifest: bytes, *, key: str = KEY, boot_id: bytes = BOOT, part_size_bytes: int = 1000
) -> ByteRanges | None:
    """Return the trusted ranges."""
    found = trusted_progress(manifest, key=key, boot_id=boot_id, part_size_bytes=part_size_bytes)
    return None if found is None else found[1]


@given(some_ranges, some_ranges)
def test_manifest_round_trip(here: list[ByteRange], durable: list[ByteRange]) -> None:
    """All received bytes are valid in the same boot, only durable ones after a reboot."""
    manifest = manifest_of(ByteRanges.of(here), ByteRanges.of(durable))
    assert len(manifest) == MANIFEST_BYTES
    assert read(manifest) == ByteRanges.of(here)
    assert read(manifest, boot_id=OTHER_BOOT) == ByteRanges.of(durable)


def test_without_a_boot_id_only_durable_bytes_are_trusted() -> None:
    """Two unknown boot ids need not be equal."""
    identity = encode_identity(Identity(key=KEY, size_bytes=1000, etag=None), FILE)
    progress = Progress(received=ByteRanges(((0, 9),)), durable=ByteRanges(((0, 5),)))
    assert read(identity + encode_progress(progress, identity), boot_id=bytes(16)) == ByteRanges(((0, 5),))


@given(st.integers(0, MANIFEST_BYTES * 8 - 1))
def test_manifest_with_any_bit_changed_is_rejected(bit: int) -> None:
    """A torn, damaged or forged manifest restarts the download."""
    manifest = bytearray(manifest_of(ByteRanges(((0, 10), (20, 30))), ByteRanges(((0, 10),))))
    manifest[bit // 8] ^= 1 << bit % 8
    assert read(bytes(manifest)) is None


@pytest.mark.parametrize("length", [0, 1, IDENTITY_BYTES, MANIFEST_BYTES - 1, MANIFEST_BYTES + 1])
def test_manifest_of_another_length_is_rejected(length: int) -> None:
    """A truncated manifest, or any other content, is rejected."""
    assert read(manifest_of(ByteRanges(), ByteRanges()).ljust(length, b"\0")[:length]) is None


def test_manifest_beyond_the_part_file_is_rejected() -> None:
    """A part file that is one byte too short makes the manifest invalid."""
    manifest = manifest_of(ByteRanges(((0, 10), (20, 30))), ByteRanges())
    assert read(manifest, part_size_bytes=29) is None
    assert read(manifest, part_size_bytes=30) is not None


def test_manifest_beyond_the_file_size_is_rejected() -> None:
    """With any size of the part file."""
    assert read(manifest_of(ByteRanges(((0, 1001),)), ByteRanges()), part_size_bytes=2000) is None


@pytest.mark.parametrize(
    "other",
    [
        RemoteFile(name="m.gguf", repo="ada/m", revision="c" * 40, size_bytes=1000, sha256="b" * 64),
        RemoteFile(name="m.gguf", repo="ada/m", revision="c" * 40, size_bytes=1001, sha256="a" * 64),
        RemoteFile(name="m.gguf", repo="ada/m", revision="c" * 40, size_bytes=1000),
    ],
)
def test_manifest_of_another_file_is_rejected(other: RemoteFile) -> None:
    """Another size or hash is another file, and so is a file without a known hash."""
    assert read(manifest_of(ByteRanges(((0, 10),)), ByteRanges()), key=key_of(other)) is None


@pytest.mark.parametrize(
    "other",
    [
        RemoteFile(name="m.gguf", repo="ada/m", revision="d" * 40),
        RemoteFile(name="n.gguf", repo="ada/m", revision="c" * 40),
        RemoteFile(name="m.gguf", repo="eve/m", revision="c" * 40),
        RemoteFile(name="m.gguf", url="https://h/m.gguf"),
    ],
)
def test_without_a_hash_the_commit_identifies_the_file(other: RemoteFile) -> None:
    """Without a known hash, only the same address is the same file."""
    file = RemoteFile(name="m.gguf", repo="ada/m", revision="c" * 40)
    assert key_of(file) != key_of(other)
    assert key_of(file) == key_of(replace(file))


def test_same_content_under_another_commit_resumes() -> None:
    """A branch that moved for its README does not discard the bytes of a large file."""
    moved = RemoteFile(name="m.gguf", repo="ada/m", revision="d" * 40, size_bytes=1000, sha256="a" * 64)
    assert key_of(moved) == KEY


def test_progress_with_another_identity_is_rejected() -> None:
    """A kill between the two writes of a restart does not mix versions."""
    old, new = (
        manifest_of(ByteRanges(), ByteRanges(), Identity(key=KEY, size_bytes=1000, etag=tag))
        for tag in ('"v1"', '"v2"')
    )
    assert read(new[:IDENTITY_BYTES] + old[IDENTITY_BYTES:]) is None


def test_manifest_is_readable_and_contains_no_address() -> None:
    """An address may be a secret: the manifest has only its hash."""
    file = RemoteFile(name="m.gguf", url="https://h/m.gguf?Signature=hush")
    head = encode_identity(Identity(key=key_of(file), size_bytes=None, etag=None), file)
    assert json.loads(head.rstrip(b"\0"))["name"] == "m.gguf"
    assert b"hush" not in head


def test_manifest_has_a_fixed_length() -> None:
    """Fields that do not fit are omitted: first the readable ones, then the ETag, which resuming needs."""
    long = RemoteFile(name="n" * 5000, repo="ada/m", revision="c")
    for etag in ('"v1"', '"' + "v" * 5000 + '"'):
        identity = encode_identity(Identity(key=key_of(long), size_bytes=9, etag=etag), long)
        assert len(identity) == IDENTITY_BYTES
        manifest = identity + encode_progress(
            Progress(received=ByteRanges(((0, 5),)), boot_id=BOOT), identity
        )
        assert read(manifest, key=key_of(long)) == ByteRanges(((0, 5),))


def test_maximum_number_of_ranges_fits() -> None:
    """Of both kinds."""
    spans = ByteRanges.of((at * 10, at * 10 + 5) for at in range(MAX_RANGES))
    assert read(manifest_of(spans, spans)) == spans


@pytest.mark.parametrize(
    "identity", [b"no JSON", b"[]", b'{"size_bytes": 1, "etag": null}', b"[" * IDENTITY_BYTES]
)
def test_a_manifest_whose_checksum_is_right_may_still_be_invalid(identity: bytes) -> None:
    """Another program could have written it: content that is not an identity is rejected."""
    head = identity.ljust(IDENTITY_BYTES, b"\0")
    assert decode(head + encode_progress(Progress(), head)) is None


@pytest.mark.parametrize(("count", "is_valid"), [(2 * MAX_RANGES, True), (2 * MAX_RANGES + 1, False)])
def test_more_ranges_than_fit_are_invalid(count: int, *, is_valid: bool) -> None:
    """The count is checked before the ranges are read."""
    head = encode_identity(Identity(key=KEY, size_bytes=1000, etag=None), FILE)
    body = struct.pack("<4sHH16s", b"ggp1", count, 0, BOOT).ljust(PROGRESS_BYTES - 4, b"\0")
    manifest = head + body + struct.pack("<I", zlib.crc32(body, zlib.crc32(head)))
    assert (decode(manifest) is not None) is is_valid
