"""A node by address, as the settings have it. Values only."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another gglib, and how this one reaches it."""

    name: str
    """Unique among the nodes of this front."""
    url: str
    """Scheme and authority, without a trailing slash."""
    key_env: str | None = None
    """The environment variable with an admin key of that gglib; None: it needs none."""
    key: str | None = field(default=None, repr=False)
    """The value of ``key_env``; None if it is not set."""
    ca_file: Path | None = None
    """Certificates in PEM format that the node's own is verified with; None: those of the system."""
    is_drained: bool = False
    """Whether it gets no new requests, by the user's order."""
