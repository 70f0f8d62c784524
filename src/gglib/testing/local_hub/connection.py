"""One connection to one of the hub's hosts: reads requests, sends responses, injects faults."""

import socket

from gglib.testing.local_hub.body import Body, CutError
from gglib.testing.local_hub.faults import Fault
from gglib.testing.local_hub.http1 import BadRequestError, Headers, Request, head_bytes, merged, read_head
from gglib.testing.local_hub.record import Host, RecordedRequest
from gglib.testing.local_hub.responses import Response, answer, file_of
from gglib.testing.local_hub.shared import Shared

HEAD_LIMIT_BYTES = 64 * 1024


class Connection:
    """Serves one connection in the calling thread, until either side closes it."""

    def __init__(self, sock: socket.socket, host: Host, number: int, shared: Shared) -> None:
        self._sock = sock
        self._place = host
        self._number = number
        self._shared = shared
        self._buffer = b""

    def serve(self) -> None:
        """Serve requests one after the other."""
        try:
            while self._serve_request():
                pass
        except (OSError, BadRequestError, CutError):
            pass
        finally:
            self._sock.close()

    def _serve_request(self) -> bool:
        head = self._read_head()
        if head is None:
            return False
        request = read_head(head)
        shared = self._shared
        file_name = file_of(request, self._place)
        seen = shared.record.add(
            RecordedRequest(
                number=0,
                connection=self._number,
                host=self._place,
                authority=request.headers.get("host", ""),
                method=request.method,
                target=request.target,
                headers=request.headers,
                file_name=file_name,
            )
        )
        try:
            self._answer(request, seen, file_name)
        finally:
            shared.record.update(seen, is_finished=True)
        return request.stays_open

    def _answer(self, request: Request, seen: int, file_name: str) -> None:
        fault = self._shared.faults.take(self._place, file_name, request.target)
        if fault.stalls:
            self._stall()
        if fault.raw is not None:
            self._sock.sendall(fault.raw)
            raise CutError
        reply = _scripted(fault, request) or answer(request, self._place, fault, self._shared.state())
        self._shared.record.update(seen, status=reply.status)
        self._sock.sendall(head_bytes(reply.status, _headers(reply, fault)))
        if request.method != "HEAD":
            Body(self._sock, self._shared, seen, file_name, fault=fault).send(reply)

    def _stall(self) -> None:
        """Wait until the client disconnects, or the hub shuts the socket down at its end."""
        while self._sock.recv(65_536):
            pass
        raise CutError

    def _read_head(self) -> bytes | None:
        while b"\r\n\r\n" not in self._buffer:
            came = self._sock.recv(65_536)
            if not came or len(self._buffer) > HEAD_LIMIT_BYTES:
                return None
            self._buffer += came
            if not self._buffer[:1].isalpha():  # mostly the first message of TLS
                self._sock.sendall(head_bytes(400, (("Content-Length", "0"), ("Connection", "close"))))
                return None
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return head


def _scripted(fault: Fault, request: Request) -> Response | None:
    """Return the response that a fault sets instead of the real one."""
    if fault.location is not None:
        address = fault.location.replace("{path}", request.target)
        return Response(status=fault.status or 302, headers=(("Location", address),), body=fault.body)
    if fault.status is not None:
        return Response(status=fault.status, headers=(("Content-Type", "application/json"),), body=fault.body)
    return None


def _headers(reply: Response, fault: Fault) -> Headers:
    framing = ("Content-Length", str(reply.length + fault.length_delta))
    if fault.hides_length:
        framing = ("Transfer-Encoding", "chunked")
    return merged((*reply.headers, framing), fault.headers, without=fault.without_headers)
