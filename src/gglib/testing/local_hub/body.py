"""Sends the body of a response: fast by default; slow, paused, truncated or corrupted by a fault."""

import os
import socket
import struct

from gglib.testing.local_hub.faults import Disconnect, Fault
from gglib.testing.local_hub.responses import Response
from gglib.testing.local_hub.shared import Shared

BLOCK_BYTES = 4 * 1024 * 1024
"""Passed to the kernel at once: large enough that Python does not limit the rate."""
SLOW_BLOCKS_PER_S = 50
_CLOSE_WITH_RESET = struct.pack("ii", 1, 0)


class CutError(Exception):
    """The connection ends here."""


class Body:
    """Sends one body and reports each piece to the record and the meters."""

    def __init__(
        self, sock: socket.socket, shared: Shared, seen: int, file_name: str, *, fault: Fault
    ) -> None:
        self._sock = sock
        self._shared = shared
        self._seen = seen
        self._file_name = file_name
        self._fault = fault
        self._file: int | None = None

    def send(self, reply: Response) -> None:
        """Send the body, or as much as the fault allows; raises ``CutError`` if the connection must be closed."""
        fault = self._fault
        end = reply.length if fault.cut_after_bytes is None else min(reply.length, fault.cut_after_bytes)
        self._file = None if reply.content is None else reply.content.open()
        try:
            done = 0
            while done < end:
                done += self._send_piece(reply, done, self._block_bytes(end - done))
        finally:
            if self._file is not None:
                os.close(self._file)
        if fault.cut_after_bytes is not None:
            self._cut()
        if fault.hides_length:
            self._sock.sendall(b"0\r\n\r\n")
        if fault.length_delta:
            raise CutError

    def _send_piece(self, reply: Response, done: int, wanted: int) -> int:
        """Send up to ``wanted`` bytes, and return how many."""
        meters = self._shared.meters
        is_metered = reply.content is not None
        count = meters.claim(self._file_name, wanted) if is_metered else wanted
        if count == 0:
            raise CutError
        sent = 0
        try:
            sent = self._hand_over(reply, done, count)
        finally:
            self._shared.record.update(self._seen, sent_bytes=sent)
            if is_metered:
                meters.record_sent(self._file_name, sent=sent, claimed=count)
        if self._fault.bytes_per_s is not None and self._shared.shutdown.wait(sent / self._fault.bytes_per_s):
            raise CutError
        return sent

    def _hand_over(self, reply: Response, done: int, count: int) -> int:
        start = reply.span.start + done
        flip = self._fault.flips_byte_at
        is_plain = not self._fault.hides_length and not (flip is not None and start <= flip < start + count)
        if self._file is not None and is_plain:
            return os.sendfile(self._sock.fileno(), self._file, start, count)
        piece = self._read(reply, done, start, count)
        if flip is not None and start <= flip < start + count:
            changed = bytearray(piece)
            changed[flip - start] ^= 0xFF
            piece = bytes(changed)
        if self._fault.hides_length:
            self._sock.sendall(b"%x\r\n%b\r\n" % (len(piece), bytes(piece)))
            return len(piece)
        return self._sock.send(piece)

    def _read(self, reply: Response, done: int, start: int, count: int) -> bytes | memoryview:
        if reply.content is None:
            return reply.body[done : done + count]
        if self._file is None:
            return reply.content.read(start, count)
        return os.pread(self._file, count, start)

    def _block_bytes(self, left: int) -> int:
        if self._fault.bytes_per_s is None:
            return min(left, BLOCK_BYTES)
        return min(left, max(1, round(self._fault.bytes_per_s / SLOW_BLOCKS_PER_S)))

    def _cut(self) -> None:
        if self._fault.cut is Disconnect.RESET:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CLOSE_WITH_RESET)
        raise CutError
