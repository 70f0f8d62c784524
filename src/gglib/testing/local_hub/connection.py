"""One connection to one of the hub's hosts: requests in, answers out, with the accidents that are asked for."""

import socket

from gglib.testing.local_hub.answers import Answer, answer, subject_of
from gglib.testing.local_hub.body import Body, CutError
from gglib.testing.local_hub.faults import Fault
from gglib.testing.local_hub.record import Place, Seen
from gglib.testing.local_hub.shared import Shared
from gglib.testing.local_hub.wire import BadRequestError, Headers, Request, head_bytes, merged, read_head

HEAD_LIMIT_BYTES = 64 * 1024


class Connection:
    """Serves one connection in the calling thread, until either side ends it."""

    def __init__(self, sock: socket.socket, place: Place, number: int, shared: Shared) -> None:
        self._sock = sock
        self._place = place
        self._number = number
        self._shared = shared
        self._buffer = b""

    def serve(self) -> None:
        """Answer requests one after the other."""
        try:
            while self._serve_one():
                pass
        except (OSError, BadRequestError, CutError):
            pass
        finally:
            self._sock.close()

    def _serve_one(self) -> bool:
        head = self._read_head()
        if head is None:
            return False
        request = read_head(head)
        shared = self._shared
        subject = subject_of(request, self._place)
        seen = shared.record.add(
            Seen(
                number=0,
                connection=self._number,
                place=self._place,
                host=request.headers.get("host", ""),
                method=request.method,
                target=request.target,
                headers=request.headers,
                subject=subject,
            )
        )
        try:
            self._answer(request, seen, subject)
        finally:
            shared.record.tell(seen, is_over=True)
        return request.stays_open

    def _answer(self, request: Request, seen: int, subject: str) -> None:
        fault = self._shared.faults.take(self._place, subject, request.target)
        if fault.stalls:
            self._stall()
        if fault.raw is not None:
            self._sock.sendall(fault.raw)
            raise CutError
        reply = _scripted(fault, request) or answer(request, self._place, fault, self._shared.situation())
        self._shared.record.tell(seen, status=reply.status)
        self._sock.sendall(head_bytes(reply.status, _headers(reply, fault)))
        if request.method != "HEAD":
            Body(self._sock, self._shared, seen, subject, fault=fault).send(reply)

    def _stall(self) -> None:
        """Wait for the client to leave, or for the hub's end, which shuts the socket down."""
        while self._sock.recv(65_536):
            pass
        raise CutError

    def _read_head(self) -> bytes | None:
        while b"\r\n\r\n" not in self._buffer:
            came = self._sock.recv(65_536)
            if not came or len(self._buffer) > HEAD_LIMIT_BYTES:
                return None
            self._buffer += came
            if not self._buffer[:1].isalpha():  # the greeting of a safe connection, mostly
                self._sock.sendall(head_bytes(400, (("Content-Length", "0"), ("Connection", "close"))))
                return None
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return head


def _scripted(fault: Fault, request: Request) -> Answer | None:
    """Return what a fault has said instead of the truth."""
    if fault.location is not None:
        address = fault.location.replace("{path}", request.target)
        return Answer(status=fault.status or 302, headers=(("Location", address),), body=fault.body)
    if fault.status is not None:
        return Answer(status=fault.status, headers=(("Content-Type", "application/json"),), body=fault.body)
    return None


def _headers(reply: Answer, fault: Fault) -> Headers:
    framing = ("Content-Length", str(reply.length + fault.length_delta))
    if fault.hides_length:
        framing = ("Transfer-Encoding", "chunked")
    return merged((*reply.headers, framing), fault.headers, without=fault.without_headers)
