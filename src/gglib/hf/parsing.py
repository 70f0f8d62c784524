"""Converts the hub's repository metadata to gglib's values. Pure: it reads attributes and knows no library.

Absent fields are tolerated; a field of the wrong type is an error, not a guess. Names are kept as they are: code that
builds paths from them validates them first.
"""

from datetime import datetime
from typing import Any, TypeVar

from gglib.core.hub.repository import Gating, HubFile, HubRepository

MAX_FILE_BYTES = 1 << 50
"""A pebibyte: far above any model file, so a larger size is invalid."""

_GATES = {None: Gating.OPEN, False: Gating.OPEN, "auto": Gating.AUTOMATIC, "manual": Gating.MANUAL}
_LICENCE_TAG = "license:"

T = TypeVar("T")


class InvalidResponseError(ValueError):
    """A field does not have the expected form; the message continues a sentence that begins with the hub."""


def read_repository(info: object) -> HubRepository:
    """Return a repository from an object with the attributes of huggingface_hub's ``ModelInfo``.

    Raises ``InvalidResponseError``.
    """
    gguf = _field(info, "gguf", dict) or {}
    tags = tuple(_item(tag, "tags", str) for tag in _field(info, "tags", list) or ())
    return HubRepository(
        repo=_required(info, "id"),
        revision=_required(info, "sha"),
        files=tuple(_read_file(sibling) for sibling in _field(info, "siblings", list) or ()),
        downloads=_count(info, "downloads") or 0,
        likes=_count(info, "likes") or 0,
        updated_at=_read_time(_field(info, "last_modified", datetime)),
        licence=_read_licence(getattr(info, "card_data", None), tags),
        gate=_read_gate(getattr(info, "gated", None)),
        tags=tags,
        architecture=_item(gguf.get("architecture"), "gguf.architecture", str, may_be_absent=True),
        parameter_count=_number(gguf.get("total"), "gguf.total"),
        trained_context=_number(gguf.get("context_length"), "gguf.context_length"),
    )


def _read_file(sibling: object) -> HubFile:
    name = _required(sibling, "rfilename")
    large = getattr(sibling, "lfs", None)
    size = _count(sibling, "size")
    if size is None and large is not None:
        size = _count(large, "size")
    if size is None:
        raise InvalidResponseError(f"does not say how large {name!a} is")
    if size > MAX_FILE_BYTES:
        raise InvalidResponseError(f"says that {name!a} has {size} bytes, which no file has")
    return HubFile(name=name, size_bytes=size, sha256=None if large is None else _read_hash(large, name))


def _read_hash(large: object, name: str) -> str | None:
    found = _field(large, "sha256", str)
    if found is None:
        return None
    is_hash = len(found) == 64 and set(found.lower()) <= set("0123456789abcdef")
    if not is_hash:
        raise InvalidResponseError(f"says that {name!a} has the SHA-256 {found[:70]!a}, which is none")
    return found.lower()


def _read_time(when: datetime | None) -> int | None:
    try:
        return None if when is None else int(when.timestamp())
    except (OverflowError, OSError, ValueError) as error:
        raise InvalidResponseError(f"says that it changed at {when}, which is no time") from error


def _read_licence(card: object, tags: tuple[str, ...]) -> str | None:
    """Return the licence of the model card (the custom name if there is one), else that of the tags."""
    named = getattr(card, "license", None)
    if named == "other":
        named = getattr(card, "license_name", None) or named
    if isinstance(named, list):
        named = ", ".join(_item(name, "license", str) for name in named)
    if named is None:
        named = next((tag.removeprefix(_LICENCE_TAG) for tag in tags if tag.startswith(_LICENCE_TAG)), None)
    return _item(named, "license", str, may_be_absent=True) or None


def _read_gate(gated: object) -> Gating:
    if not isinstance(gated, str | bool | None) or gated not in _GATES:
        raise InvalidResponseError(f"says that it is gated {gated!a}, which gglib does not know")
    return _GATES[gated]


def _required(value: object, name: str) -> str:
    found = _field(value, name, str)
    if not found:
        raise InvalidResponseError(f"says nothing of its '{name}'")
    return found


def _count(value: object, name: str) -> int | None:
    return _number(getattr(value, name, None), name)


def _number(found: object, name: str) -> int | None:
    number: int | None = _item(found, name, int, may_be_absent=True)
    if isinstance(number, bool) or (number is not None and number < 0):
        raise InvalidResponseError(f"says {found!a} as its '{name}'")
    return number


def _field(value: object, name: str, kind: type[T]) -> T | None:
    found: T | None = _item(getattr(value, name, None), name, kind, may_be_absent=True)
    return found


def _item(found: object, name: str, kind: type[T], *, may_be_absent: bool = False) -> Any:  # noqa: ANN401 - T, or None where it may be absent
    if found is None and may_be_absent:
        return None
    if not isinstance(found, kind):
        raise InvalidResponseError(f"gives a {type(found).__name__} as its '{name}'")
    return found
