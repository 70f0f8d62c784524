"""What the sidecar says to the front, as JSON lines. Pure."""

from typing import Annotated, Any

import msgspec

MAX_LINE_BYTES = 1_000_000
_MAX_CHARS = 1000
"""Of each field of a report: a sentence with an address."""
_Text = Annotated[str, msgspec.Meta(max_length=_MAX_CHARS)]


class UnreadableMessageError(Exception):
    """A line is not a message."""


class AgentReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent says of the gglib of its node. Another version's may have further fields."""

    url: _Text | None = None
    """The address of the gglib for other machines; None: it does not serve."""
    key: _Text | None = None
    """An admin key of it; None: it needs none."""
    version: _Text = ""
    """The version of gglib there."""
    ray: _Text = ""
    python: _Text = ""
    failure: _Text = ""
    """Why it does not serve, as a sentence."""

    def __repr__(self) -> str:
        """Return all but the key."""
        return f"AgentReport(url={self.url!r}, version={self.version!r}, failure={self.failure!r})"


class Member(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node of the cluster."""

    name: str
    address: str = ""
    """Of its machine; empty if Ray has forgotten it."""
    is_connected: bool = False
    """Whether its raylet is there."""
    report: AgentReport | None = None
    """None: its agent does not answer."""


class Members(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="members"):
    """All nodes of the cluster, now."""

    cluster: str
    """Identifies the cluster: another head, without the memory of the one before, has another one."""
    members: tuple[Member, ...]


class Trouble(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="trouble"):
    """Nothing is known of the cluster at the moment."""

    reason: str
    """A sentence."""


Message = Members | Trouble

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Members | Trouble)


def to_line(message: Message) -> bytes:
    """Return a message as a line."""
    return _ENCODER.encode(message) + b"\n"


def from_line(line: bytes) -> Message:
    """Return the message of a line. Raises ``UnreadableMessageError``."""
    try:
        message: Message = _DECODER.decode(line)
    except msgspec.MsgspecError as error:
        raise UnreadableMessageError(str(error)) from None
    return message


def read_report(value: Any) -> AgentReport | None:  # noqa: ANN401 - what another version's agent has returned
    """Return what an agent has said; None if it cannot be understood, or is too long."""
    try:
        return msgspec.convert(value, AgentReport)
    except msgspec.ValidationError:
        return None
