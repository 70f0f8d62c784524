"""Manifests of gglib 0.1, which used another key for files without a known hash."""

import hashlib
import json
from dataclasses import replace

import pytest

from gglib.core.hub.repository import RemoteFile
from gglib.hf.download.byte_ranges import ByteRanges
from gglib.hf.download.manifest import Identity, Progress, decode, encode_identity, encode_progress, key_of
from gglib.hf.download.older_manifests import etag_in, is_note, renewed

OF_URL = RemoteFile(name="m.gguf", url="https://h/m.gguf", size_bytes=1000, validator='"v1"')
OF_REPO = RemoteFile(name="README.md", repo="ada/m", revision="c" * 40, size_bytes=1000)
OF_UNKNOWN_SIZE = RemoteFile(name="m.gguf", repo="ada/m", revision="c" * 40, sha256="a" * 64)
WITH_HASH = RemoteFile(name="m.gguf", repo="ada/m", revision="c" * 40, size_bytes=1000, sha256="a" * 64)
PROGRESS = Progress(
    received=ByteRanges(((0, 10), (20, 30))), durable=ByteRanges(((0, 10),)), boot_id=b"b" * 16
)


def older_key(file: RemoteFile) -> str:
    """Return the key as gglib 0.1 computed it: its files had no validator."""
    fields = {
        "name": file.name,
        "repo": file.repo,
        "revision": file.revision,
        "url": file.url,
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
    }
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def manifest(file: RemoteFile, key: str, etag: str | None = '"v1"') -> bytes:
    """Return the manifest of a part file of which something has arrived."""
    record = encode_identity(Identity(key=key, size_bytes=1000, etag=etag), file)
    return record + encode_progress(PROGRESS, record)


def test_only_a_manifest_is_one() -> None:
    """Content that is torn or from another program is none, and has no ETag."""
    whole = manifest(OF_URL, older_key(OF_URL))
    assert is_note(whole)
    assert etag_in(whole) == '"v1"'
    assert etag_in(manifest(OF_URL, older_key(OF_URL), etag=None)) is None
    for other in (whole[:-1], b"", b"a note of the user"):
        assert not is_note(other)
        assert etag_in(other) is None


@pytest.mark.parametrize("file", [OF_URL, OF_REPO, OF_UNKNOWN_SIZE])
def test_an_older_manifest_gets_the_current_key(file: RemoteFile) -> None:
    """The download resumes: what has arrived and the ETag stay as they are."""
    found = decode(renewed(manifest(file, older_key(file)), file))
    assert found is not None
    identity, progress = found
    assert (identity.key, identity.size_bytes, identity.etag) == (key_of(file), 1000, '"v1"')
    assert progress == PROGRESS


@pytest.mark.parametrize(
    ("file", "validator"), [(OF_URL, '"v1"'), (replace(OF_REPO, validator='"v1"'), None)]
)
def test_only_the_file_of_a_url_has_a_validator(file: RemoteFile, validator: str | None) -> None:
    """A file of a repository is identified by its commit."""
    found = decode(renewed(manifest(file, older_key(file)), file))
    assert found is not None
    assert found[0].validator == validator


@pytest.mark.parametrize(
    ("content", "file"),
    [
        (manifest(OF_URL, key_of(OF_URL)), OF_URL),
        (manifest(OF_URL, older_key(OF_URL)), OF_REPO),
        (manifest(WITH_HASH, key_of(WITH_HASH)), WITH_HASH),
        (manifest(WITH_HASH, older_key(WITH_HASH)), WITH_HASH),
        (b"a note of the user", OF_URL),
    ],
    ids=["current key", "other file", "known hash", "known hash, other key", "no manifest"],
)
def test_other_content_is_unchanged(content: bytes, file: RemoteFile) -> None:
    """The key of a file with a known hash and size was never another one."""
    assert renewed(content, file) == content
