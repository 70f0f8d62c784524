"""The record of an installed engine, ``engine.json`` in its directory. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

from gglib.core.errors import UnsafeNameError
from gglib.core.file_names import safe_path

FORMAT = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}", re.ASCII)
_RESERVED = frozenset(("embedded",))


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveRecord:
    """An archive that an engine was unpacked from."""

    name: str
    sha256: str
    source: str
    """Its URL, or its path at that time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRecord:
    """What is known of an installed engine."""

    name: str
    """Also the name of its directory."""
    kind: str
    """``vulkan``, ``cuda-13.4``."""
    version: str | None
    """As the program says; None if it does not."""
    program: str
    """The path of llama-server in the engine's directory, with ``/``."""
    devices: tuple[str, ...] | None
    """The GPUs that it found when it was installed; None if it cannot list them."""
    archives: tuple[ArchiveRecord, ...]
    size_bytes: int
    """Of the files on the disk."""
    installed_at: str
    """``2026-11-30T02:04:05Z``."""


def is_engine_name(name: str) -> bool:
    """Whether an engine may have this name: it is a directory's, and no other word for an engine."""
    return _NAME.fullmatch(name) is not None and name not in _RESERVED and not name.endswith(".")


def encode(record: EngineRecord) -> bytes:
    """Return the content of the file."""
    return json.dumps({"format": FORMAT, **asdict(record)}, indent=2).encode() + b"\n"


def decode(content: Any, name: str) -> EngineRecord:  # noqa: ANN401 - parsed JSON
    """Return the record of the engine ``name`` in parsed JSON. Raises ValueError, whose message is a phrase."""
    if not isinstance(content, Mapping) or content.get("format") != FORMAT:
        raise ValueError("it is not a record of this version of gglib")
    try:
        record = EngineRecord(
            name=_text(content["name"]),
            kind=_text(content["kind"]),
            version=None if content["version"] is None else _text(content["version"]),
            program=_text(content["program"]),
            devices=None if content["devices"] is None else tuple(map(_text, content["devices"])),
            archives=tuple(_archive(each) for each in content["archives"]),
            size_bytes=_number(content["size_bytes"]),
            installed_at=_text(content["installed_at"]),
        )
        safe_path(record.program)
    except (KeyError, TypeError, UnsafeNameError) as error:
        raise ValueError(f"it is not complete ({type(error).__name__})") from None
    if record.name != name:
        raise ValueError("it is the record of another engine")
    return record


def program_path(record: EngineRecord) -> PurePosixPath:
    """Return the path of the program in the engine's directory."""
    return PurePosixPath(record.program)


def _archive(content: Mapping[str, object]) -> ArchiveRecord:
    return ArchiveRecord(
        name=_text(content["name"]), sha256=_text(content["sha256"]), source=_text(content["source"])
    )


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
