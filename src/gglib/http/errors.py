"""Errors of both sides: what a request is refused for, and how an exchange with a server fails. Pure.

``docs/http-server.md`` has the rules for requests, each with its status.
"""

from enum import Enum


class HttpError(Exception):
    """A request that is refused before it is served: it is answered once, and its connection is closed."""

    status = 400
    code = "invalid_request"
    is_retryable = False


class MalformedRequestError(HttpError):
    """What came is not HTTP/1.1 as RFC 9110 and RFC 9112 have it, or could be read in two ways."""


class TargetTooLongError(HttpError):
    """The request's target is longer than the edge takes."""

    status = 414


class HeadTooLargeError(HttpError):
    """There are more header lines, or longer ones, than the edge takes."""

    status = 431


class BodyTooLargeError(HttpError):
    """The body is larger than the proxy takes."""

    status = 413
    code = "body_too_large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The request body is larger than {limit_bytes} bytes.")


class TooManyChunksError(HttpError):
    """The body comes in very many very small chunks: each costs as much as a large one."""

    def __init__(self) -> None:
        super().__init__(
            "The request body comes in too many small chunks: send it with 'Content-Length', or in chunks of 1 KiB."
        )


class UnsupportedTransferCodingError(HttpError):
    """The body comes in a transfer coding other than ``chunked`` alone (RFC 9112 section 6.1)."""

    status = 501


class UnsupportedVersionError(HttpError):
    """The request is in another major version of HTTP."""

    status = 505


class ExpectationFailedError(HttpError):
    """The client expects something other than ``100-continue`` (RFC 9110 section 10.1.1)."""

    status = 417


class RequestTimeoutError(HttpError):
    """The rest of the request did not come in time."""

    status = 408
    code = "request_timeout"
    is_retryable = True


class TooManyConnectionsError(HttpError):
    """Every connection that there may be is in use."""

    status = 503
    code = "too_many_connections"
    is_retryable = True

    def __init__(self) -> None:
        super().__init__("Too many connections: try again in a moment.")


class TooManyBodiesError(HttpError):
    """The bodies of all requests together are as large as they may be, and none of them ended in time."""

    status = 503
    code = "too_many_bodies"
    is_retryable = True

    def __init__(self) -> None:
        super().__init__(
            "The request bodies that are held are as large as they may be together: try again in a moment."
        )


class TransportError(Exception):
    """An exchange with a server that failed. ``what`` is a sentence without its subject, the server."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"The server {what}.")


class ConnectError(TransportError):
    """The server takes no connection: not a byte of the request was sent."""

    def __init__(self) -> None:
        super().__init__("cannot be reached")


class StallPhase(Enum):
    """What the server was waited for."""

    CONNECT = "accepted no connection for {limit_s:g} s"
    FIRST_BYTE = "took the request but said nothing for {limit_s:g} s"
    BODY = "stopped in the middle of its answer: nothing for {limit_s:g} s"


class StallError(TransportError):
    """The server kept silent for longer than it may, which is ``limit_s`` seconds."""

    def __init__(self, phase: StallPhase, limit_s: float) -> None:
        self.phase = phase
        super().__init__(phase.value.format(limit_s=limit_s))
