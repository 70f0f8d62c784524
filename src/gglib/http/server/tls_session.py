"""One TLS session of the server, without a socket: received bytes in, plaintext and bytes to send out. Pure.

OpenSSL does the protocol (``ssl.SSLObject`` between two memory buffers). Unlike the TLS of asyncio and of uvloop, this
keeps no plaintext that waits to be sent: what is written is encrypted at once, so there is one write buffer, that of
the socket's transport, whose size shows whether a slow client reads.
"""

import contextlib
import ssl
from typing import Any

READ_BYTES = 256 * 1024
"""The most plaintext that one ``read`` returns, as with a read from a socket."""
FEED_BYTES = 32 * 1024
"""How much OpenSSL gets at a time: its memory buffers never shrink, and each connection has its own."""
_RECORD_BYTES = 16 * 1024
"""The most plaintext of a record (RFC 8446 section 5.1); one read of OpenSSL returns no more."""
MAX_CONTROL_BYTES = 64 * 1024
"""How much a client may send without data for the application: key updates cost the server more than the client."""
HANDSHAKE_RECORD = 0x16
"""The first byte of every TLS connection: the type of its first record."""


class TlsSession:
    """The server's side of one session. Each method may leave bytes to send: ``take_output`` returns them."""

    __slots__ = ("_control_bytes", "_has_ended", "_incoming", "_outgoing", "_tls", "_unfed")

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._unfed = memoryview(b"")
        """Received bytes that OpenSSL has not got yet."""
        self._has_ended = False
        self._control_bytes = 0
        """What OpenSSL got since it last returned data."""

    @property
    def unread_bytes(self) -> int:
        """Received bytes that are not decrypted yet."""
        return self._incoming.pending + len(self._unfed)

    def receive(self, data: bytes) -> None:
        """Add received bytes."""
        if self._unfed:
            self._unfed = memoryview(b"".join((self._unfed, data)))
        elif len(data) > FEED_BYTES:
            self._unfed = memoryview(data)
        else:
            self._control_bytes += len(data)
            self._incoming.write(data)

    def shake_hands(self) -> bool:
        """Continue the handshake, and return whether it is complete. Raises ``ssl.SSLError`` if it has failed."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                if not self._feed():
                    return False
            else:
                return True

    @property
    def may_have_data(self) -> bool:
        """Whether another ``read`` may return something: an attempt that fails costs as much as one that succeeds."""
        return bool(self._incoming.pending or self._unfed or self._has_ended or self._tls.pending())

    def read(self) -> bytes | None:
        """Return decrypted bytes, at most ``READ_BYTES``; None: more have to be received; empty: the client has closed.

        Raises ``ssl.SSLError`` for a record that is not valid, and for too many without data.
        """
        records: list[bytes] = []
        size_bytes = 0
        while size_bytes <= READ_BYTES - _RECORD_BYTES:
            try:
                record = self._tls.read(_RECORD_BYTES)
            except ssl.SSLWantReadError:
                if self._control_bytes > MAX_CONTROL_BYTES:
                    raise ssl.SSLError("too much input without data") from None
                if self._feed():
                    continue
                break
            self._control_bytes = 0
            if not record:
                self._has_ended = True
                break
            records.append(record)
            size_bytes += len(record)
            if not self.may_have_data:
                break
        return b"".join(records) if records or self._has_ended else None

    def _feed(self) -> bool:
        """Pass the next received bytes to OpenSSL; False if there are none."""
        if not self._unfed:
            return False
        self._control_bytes += min(FEED_BYTES, len(self._unfed))
        self._incoming.write(self._unfed[:FEED_BYTES])
        self._unfed = self._unfed[FEED_BYTES:]
        return True

    def encrypt(self, data: "bytes | bytearray | memoryview[Any]") -> bytes:
        """Return ``data`` as records, after what is still to be sent. Raises ``ssl.SSLError`` after a failure."""
        if len(data) <= FEED_BYTES:
            if data:
                self._tls.write(data)  # all of it: without partial writes, and a memory buffer is never full
            return self._outgoing.read()
        records: list[bytes] = []
        for start in range(0, len(data), FEED_BYTES):
            self._tls.write(memoryview(data)[start : start + FEED_BYTES])
            records.append(self._outgoing.read())
        return b"".join(records)

    def close(self) -> bytes:
        """Return the end of the session (``close_notify``), after bytes that are still to be sent."""
        # Raised always: this does not wait for the client's end (RFC 8446 section 6.1).
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        return self._outgoing.read()

    def take_output(self) -> bytes:
        """Return the bytes to send."""
        return self._outgoing.read()
