"""What a backup has in it: the parts, their files in the archive, and the manifest that lists them. Pure."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

FORMAT = 1
"""Format of the archive. A change that older gglibs cannot read gets the next number."""
MANIFEST_NAME = "gglib-backup.json"


class Part(StrEnum):
    """A part of a home that is restored as a whole."""

    CATALOG = "catalog"
    SETTINGS = "settings"
    HISTORY = "history"


FILES = {Part.CATALOG: "gglib.db", Part.SETTINGS: "config.toml", Part.HISTORY: "history.db"}
"""The only names that are read from an archive; no path of an archive is ever used on the disk."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The description of an archive."""

    gglib: str
    """The version of gglib that wrote it."""
    created_at: str
    """ISO 8601, with the offset from UTC."""
    parts: Mapping[Part, Mapping[str, int]]
    """Its parts, with counts for the reader: of models, requests, recorded bodies, bytes."""


def manifest_json(manifest: Manifest) -> bytes:
    """Return the manifest as JSON."""
    parts = {part.value: {"file": FILES[part], **counts} for part, counts in manifest.parts.items()}
    content = {
        "format": FORMAT,
        "gglib": manifest.gglib,
        "created_at": manifest.created_at,
        "parts": parts,
    }
    return (json.dumps(content, indent=2) + "\n").encode()


def parse_manifest(content: bytes) -> Manifest:
    """Return the manifest of an archive; parts that this gglib does not know are left out.

    Raises ValueError, whose message continues "FILE ...", for a damaged one and for that of a newer gglib.
    """
    try:
        fields = json.loads(content)
        number, version, parts = fields["format"], str(fields["gglib"]), fields["parts"]
        is_known = isinstance(number, int) and number <= FORMAT
        known = {part: _counts(parts[part.value]) for part in Part if is_known and part.value in parts}
        created_at = str(fields["created_at"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ValueError(f"is damaged: its {MANIFEST_NAME} cannot be read") from None
    if not is_known:
        raise ValueError(f"was written by a newer gglib ({version[:40]}): upgrade gglib, then restore it")
    return Manifest(version, created_at, known)


def _counts(fields: Mapping[str, object]) -> dict[str, int]:
    return {name: value for name, value in fields.items() if isinstance(value, int)}


def chosen_parts(available: Collection[Part], wanted: Sequence[Part]) -> tuple[Part, ...]:
    """Return the parts to restore in the order of ``Part``: the wanted ones, or all if none is named.

    Raises ValueError, whose message continues "FILE ...", if the backup lacks one.
    """
    for part in wanted:
        if part not in available:
            raise ValueError(f"has no {part.value}: it has {_listed(available)}")
    return tuple(part for part in Part if part in (wanted or available))


def _listed(parts: Collection[Part]) -> str:
    return " and ".join(part.value for part in Part if part in parts) or "nothing"
