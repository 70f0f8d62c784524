"""The interface through which a response uses its connection."""

from typing import Protocol


class ResponseTransport(Protocol):
    """The sending side of a connection, for one response."""

    @property
    def date_line(self) -> bytes:
        """The current ``Date`` header line."""
        ...

    @property
    def can_keep_alive(self) -> bool:
        """Whether another request may follow on this connection, as of now."""
        ...

    @property
    def is_write_paused(self) -> bool:
        """Whether the client reads too slowly: await ``drain`` before writing more."""
        ...

    @property
    def peer_host(self) -> str | None:
        """The IP address of the client; None if the socket is not an IP socket."""
        ...

    @property
    def server_host(self) -> str | None:
        """The IP address that the client connected to; None if the socket is not an IP socket."""
        ...

    async def drain(self) -> None:
        """Return when writing is not paused, or the connection is lost."""
        ...

    def write(self, data: bytes) -> None:
        """Write data; discard it if the connection is lost or closing."""
        ...

    def end(self, *, may_keep_alive: bool) -> None:
        """Mark the response as complete; without ``may_keep_alive`` the connection closes after it."""
        ...
