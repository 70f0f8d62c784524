"""Manifests of gglib 0.1, which used another key for files without a known hash. Pure."""

import hashlib
import json
from dataclasses import asdict, replace

from gglib.core.hub.repository import RemoteFile
from gglib.hf.download.manifest import (
    decode,
    encode_identity,
    encode_progress,
    key_of,
)


def is_note(content: bytes) -> bool:
    """Whether this is the manifest of a part file."""
    return decode(content) is not None


def etag_in(content: bytes) -> str | None:
    """Return the ETag of the partial version; None if the server sent none, or if this is no manifest."""
    decoded = decode(content)
    return None if decoded is None else decoded[0].etag


def renewed(content: bytes, file: RemoteFile) -> bytes:
    """Return the manifest with the current key; other content is returned unchanged."""
    decoded = decode(content)
    if decoded is None or decoded[0].key != _older_key(file):
        return content
    identity, progress = decoded
    validator = file.validator if file.url is not None else None
    record = encode_identity(replace(identity, key=key_of(file), validator=validator), file)
    return record + encode_progress(progress, record)


def _older_key(file: RemoteFile) -> str | None:
    """Return the old key of a file without a known hash: all fields except the validator."""
    if file.sha256 is not None and file.size_bytes is not None:
        return None
    fields = asdict(file)
    del fields["validator"]
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
