"""What the hub tells of a repository becomes our values. Pure: it reads attributes, and knows no library.

Tolerant of what is absent, strict about what is there: a field of another type than the hub's is an error, since
nothing good comes of guessing. Names are kept as they are; whoever makes paths of them looks at them first.
"""

from datetime import datetime
from typing import Any, TypeVar

from gglib.core.hub.repository import Gating, HubFile, HubRepository

LARGEST_FILE_BYTES = 1 << 50
"""A pebibyte: no file of a model comes near, so a size beyond it is no size."""

_GATES = {None: Gating.OPEN, False: Gating.OPEN, "auto": Gating.AUTOMATIC, "manual": Gating.MANUAL}
_LICENCE_TAG = "license:"

T = TypeVar("T")


class UnreadableError(ValueError):
    """A field has not the form that the hub gives it; the text is the rest of a sentence that begins with the hub."""


def read_repository(info: object) -> HubRepository:
    """Return a repository from an object with the attributes of huggingface_hub's ``ModelInfo``.

    Raises ``UnreadableError``.
    """
    gguf = _field(info, "gguf", dict) or {}
    tags = tuple(_item(tag, "tags", str) for tag in _field(info, "tags", list) or ())
    return HubRepository(
        repo=_needed(info, "id"),
        revision=_needed(info, "sha"),
        files=tuple(_read_file(one) for one in _field(info, "siblings", list) or ()),
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
    name = _needed(sibling, "rfilename")
    large = getattr(sibling, "lfs", None)
    size = _count(sibling, "size")
    if size is None and large is not None:
        size = _count(large, "size")
    if size is None:
        raise UnreadableError(f"does not say how large {name!a} is")
    if size > LARGEST_FILE_BYTES:
        raise UnreadableError(f"says that {name!a} has {size} bytes, which no file has")
    return HubFile(name=name, size_bytes=size, sha256=None if large is None else _read_hash(large, name))


def _read_hash(large: object, name: str) -> str | None:
    found = _field(large, "sha256", str)
    if found is None:
        return None
    is_hash = len(found) == 64 and set(found.lower()) <= set("0123456789abcdef")
    if not is_hash:
        raise UnreadableError(f"says that {name!a} has the SHA-256 {found[:70]!a}, which is none")
    return found.lower()


def _read_time(when: datetime | None) -> int | None:
    try:
        return None if when is None else int(when.timestamp())
    except (OverflowError, OSError, ValueError) as error:
        raise UnreadableError(f"says that it changed at {when}, which is no time") from error


def _read_licence(card: object, tags: tuple[str, ...]) -> str | None:
    """Return the licence of the card (its own name where it is a special one), else that of the tags."""
    named = getattr(card, "license", None)
    if named == "other":
        named = getattr(card, "license_name", None) or named
    if isinstance(named, list):
        named = ", ".join(_item(one, "license", str) for one in named)
    if named is None:
        named = next((tag.removeprefix(_LICENCE_TAG) for tag in tags if tag.startswith(_LICENCE_TAG)), None)
    return _item(named, "license", str, may_be_absent=True) or None


def _read_gate(told: object) -> Gating:
    if not isinstance(told, str | bool | None) or told not in _GATES:
        raise UnreadableError(f"says that it is gated {told!a}, which gglib does not know")
    return _GATES[told]


def _needed(value: object, name: str) -> str:
    found = _field(value, name, str)
    if not found:
        raise UnreadableError(f"says nothing of its '{name}'")
    return found


def _count(value: object, name: str) -> int | None:
    return _number(getattr(value, name, None), name)


def _number(found: object, name: str) -> int | None:
    number: int | None = _item(found, name, int, may_be_absent=True)
    if isinstance(number, bool) or (number is not None and number < 0):
        raise UnreadableError(f"says {found!a} as its '{name}'")
    return number


def _field(value: object, name: str, kind: type[T]) -> T | None:
    found: T | None = _item(getattr(value, name, None), name, kind, may_be_absent=True)
    return found


def _item(found: object, name: str, kind: type[T], *, may_be_absent: bool = False) -> Any:  # noqa: ANN401 - T, or None where it may be absent
    if found is None and may_be_absent:
        return None
    if not isinstance(found, kind):
        raise UnreadableError(f"gives a {type(found).__name__} as its '{name}'")
    return found
