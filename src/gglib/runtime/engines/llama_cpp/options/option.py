"""An option of llama.cpp's server: its names, its value, and the field of the embedded engine's parameters. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from enum import StrEnum

INT_MIN, INT_MAX = -(2**31), 2**31 - 1
"""llama.cpp parses integers as 32 bits (``std::stoi``) and exits if one is out of range."""
ON, OFF = "on", "off"
"""The text of a switch and of its negation."""


class Kind(StrEnum):
    """The kinds of values, as the listings show them."""

    INTEGER = "N"
    NUMBER = "X"
    INTEGERS = "N,…"
    NUMBERS = "X,…"
    LAYERS = "N|all|auto"
    RANGE = "FIRST LAST"
    """Two words."""
    SWITCH = "switch"
    CHOICE = "choice"
    CHOICES = "choice,…"
    TEXT = "text"
    JSON = "JSON"
    """A JSON object."""
    FILE = "file"
    FILES = "file,…"
    SCALED_FILES = "file:scale,…"


NAMES_FILES = frozenset({Kind.FILE, Kind.FILES, Kind.SCALED_FILES})


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOption:
    """An option of llama-server, and where the embedded engine's parameters have it."""

    names: tuple[str, ...]
    """All names; the first long one, which every build has that has the option, is first."""
    kind: Kind
    help: str
    """What it does, in one line."""
    off_names: tuple[str, ...] = ()
    """The names of the negation of a switch."""
    field: str | None = None
    """Dotted path of the field of ``xllamacpp.CommonParams``; None if the embedded engine has none."""
    encode: Callable[[str], object] | None = None
    """Converts the text to the field's value; None: by ``kind``. The result can be written as JSON."""
    members: Mapping[str, str] = dataclass_field(default_factory=dict)
    """The members of the field's enum by text, for a choice."""
    also: tuple[tuple[str, object], ...] = ()
    """Other fields that the option sets, with their values."""
    choices: tuple[str, ...] = ()
    """The values that llama.cpp accepts; empty: any."""
    minimum: float = INT_MIN
    """The smallest accepted number."""
    maximum: float = INT_MAX
    default: str = ""
    """llama.cpp's default; empty: none, or one that depends on the model."""

    @property
    def name(self) -> str:
        """The name that messages and documents use."""
        return self.names[0]

    @property
    def is_switch(self) -> bool:
        """Whether it takes no value."""
        return self.kind is Kind.SWITCH

    @property
    def is_list(self) -> bool:
        """Whether the values of repeated arguments add up; of all others the last one applies."""
        return self.kind in {Kind.FILES, Kind.SCALED_FILES} or self.name in _ADDED_UP

    @property
    def names_files(self) -> bool:
        """Whether the value names files of this machine."""
        return self.kind in NAMES_FILES


_ADDED_UP = frozenset(
    {
        "--override-tensor",
        "--override-tensor-draft",
        "--override-kv",
        "--logit-bias",
        "--chat-template-kwargs",
    }
)


def integer(  # noqa: PLR0913 - the properties of an option
    names: str,
    field: str | None,
    help_text: str,
    *,
    default: str = "",
    minimum: float = INT_MIN,
    maximum: float = INT_MAX,
) -> EngineOption:
    """Return an option with a whole number. ``names`` are separated by spaces."""
    return EngineOption(
        names=tuple(names.split()),
        kind=Kind.INTEGER,
        field=field,
        help=help_text,
        default=default,
        minimum=minimum,
        maximum=maximum,
    )


def number(  # noqa: PLR0913 - the properties of an option
    names: str,
    field: str | None,
    help_text: str,
    *,
    default: str = "",
    minimum: float = -float("inf"),
    maximum: float = float("inf"),
    encode: Callable[[str], object] | None = None,
) -> EngineOption:
    """Return an option with a number."""
    return EngineOption(
        names=tuple(names.split()),
        kind=Kind.NUMBER,
        field=field,
        help=help_text,
        default=default,
        minimum=minimum,
        maximum=maximum,
        encode=encode,
    )


def switch(  # noqa: PLR0913 - the properties of an option
    names: str,
    field: str | None,
    help_text: str,
    *,
    off: str = "",
    default: str = OFF,
    encode: Callable[[str], object] | None = None,
) -> EngineOption:
    """Return a switch; ``off`` are the names of its negation."""
    return EngineOption(
        names=tuple(names.split()),
        off_names=tuple(off.split()),
        kind=Kind.SWITCH,
        field=field,
        help=help_text,
        default=default,
        encode=encode,
    )


def choice(  # noqa: PLR0913 - the properties of an option
    names: str,
    field: str | None,
    help_text: str,
    members: Mapping[str, str] | tuple[str, ...],
    *,
    default: str = "",
    encode: Callable[[str], object] | None = None,
) -> EngineOption:
    """Return an option with one of the values ``members``, which may map them to an enum's members."""
    return EngineOption(
        names=tuple(names.split()),
        kind=Kind.CHOICE,
        field=field,
        help=help_text,
        choices=tuple(members),
        members=members if isinstance(members, Mapping) else {},
        default=default,
        encode=encode,
    )


def other(  # noqa: PLR0913 - the properties of an option
    kind: Kind,
    names: str,
    field: str | None,
    help_text: str,
    *,
    default: str = "",
    encode: Callable[[str], object] | None = None,
    also: tuple[tuple[str, object], ...] = (),
    choices: tuple[str, ...] = (),
) -> EngineOption:
    """Return an option of another kind."""
    return EngineOption(
        names=tuple(names.split()),
        kind=kind,
        field=field,
        help=help_text,
        default=default,
        encode=encode,
        also=also,
        choices=choices,
    )


def members(prefix: str, **names: str) -> dict[str, str]:
    """Return an enum's members by value: ``names`` are the members without ``prefix``."""
    return {value: prefix + member for value, member in names.items()}


def inverted(text: str) -> bool:
    """Encode a switch whose field says the opposite."""
    return text == OFF
