"""What a response needs of the connection that it goes over."""

from typing import Protocol


class ResponseTransport(Protocol):
    """The sending side of a connection, for one response."""

    @property
    def date_line(self) -> bytes:
        """The ``Date`` header of now, as a line."""
        ...

    @property
    def can_keep_alive(self) -> bool:
        """Whether, as things stand, another request may follow on this connection."""
        ...

    @property
    def is_write_paused(self) -> bool:
        """Whether the client is slow to read: wait for ``drain`` before more is written."""
        ...

    @property
    def peer_host(self) -> str | None:
        """The address that the connection comes from; None when it is no network address."""
        ...

    @property
    def server_host(self) -> str | None:
        """The address that the connection came to; None when it is no network address."""
        ...

    async def drain(self) -> None:
        """Return when the client has read, or is gone."""
        ...

    def write(self, data: bytes) -> None:
        """Send; what a client that is gone is sent is lost."""
        ...

    def end(self, *, may_keep_alive: bool) -> None:
        """Note that the response is whole, and whether the connection may go on."""
        ...
