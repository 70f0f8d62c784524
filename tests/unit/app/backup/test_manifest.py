"""The manifest of a backup, and the choice of parts."""

import json

import pytest

from gglib.app.backup.manifest import (
    FORMAT,
    Manifest,
    Part,
    chosen_parts,
    manifest_json,
    parse_manifest,
)

MANIFEST = Manifest(
    "1.2.3", "2026-11-30T10:00:00+01:00", {Part.CATALOG: {"models": 2}, Part.HISTORY: {"requests": 3}}
)


def changed(**fields: object) -> bytes:
    """Return the manifest with other fields."""
    return json.dumps(json.loads(manifest_json(MANIFEST)) | fields).encode()


def test_there_and_back() -> None:
    """What is written is read, and names the files for readers."""
    assert parse_manifest(manifest_json(MANIFEST)) == MANIFEST
    assert json.loads(manifest_json(MANIFEST))["parts"]["catalog"] == {"file": "gglib.db", "models": 2}


def test_parts_of_later_gglibs() -> None:
    """Unknown parts of a known format are left out; the file's name in the manifest is not used."""
    parts = {"catalog": {"file": "../../etc/passwd", "models": 2}, "chats": {"file": "chats"}}
    assert parse_manifest(changed(parts=parts)).parts == {Part.CATALOG: {"models": 2}}


def test_a_newer_format() -> None:
    """A newer format is refused with the version that wrote it, whatever its parts are."""
    with pytest.raises(ValueError, match=r"^was written by a newer gglib \(9\.0\): upgrade gglib"):
        parse_manifest(changed(format=FORMAT + 1, gglib="9.0", parts=[]))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b'{"format": 1}',
        b"[" * 100_000,
        changed(parts=7),
        changed(parts={"catalog": 7}),
    ],
)
def test_damaged(content: bytes) -> None:
    """Anything else is damaged."""
    with pytest.raises(ValueError, match=r"^is damaged: its gglib-backup\.json cannot be read$"):
        parse_manifest(content)


def test_parts_that_are_restored() -> None:
    """All parts without a choice; a chosen one must be there."""
    there = {Part.HISTORY, Part.CATALOG}
    assert chosen_parts(there, ()) == (Part.CATALOG, Part.HISTORY)
    assert chosen_parts(there, [Part.HISTORY]) == (Part.HISTORY,)
    with pytest.raises(ValueError, match=r"^has no settings: it has catalog and history$"):
        chosen_parts(there, [Part.CATALOG, Part.SETTINGS])
    with pytest.raises(ValueError, match=r"^has no settings: it has nothing$"):
        chosen_parts((), [Part.SETTINGS])
