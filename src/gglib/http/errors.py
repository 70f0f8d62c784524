"""Errors of the server (why it refuses a request) and of the client (why an exchange with a server failed). Pure.

``docs/http-server.md`` lists the rules for requests, and the status for each violation.
"""

from enum import Enum


class HttpError(Exception):
    """The request is refused: the server sends one error response and closes the connection."""

    status = 400
    code = "invalid_request"
    """The code in the error response and the access log."""
    is_retryable = False
    """Whether the same request may succeed later."""


class MalformedMessageError(HttpError):
    """A request or a response is not valid HTTP/1.1 (RFC 9110, RFC 9112), or is ambiguous."""


class TargetTooLongError(HttpError):
    """The request target is longer than the server accepts."""

    status = 414


class HeadTooLargeError(HttpError):
    """The head or the trailers have more lines, or longer lines, than the server accepts."""

    status = 431


class BodyTooLargeError(HttpError):
    """The body is larger than the server accepts."""

    status = 413
    code = "body_too_large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The request body is larger than {limit_bytes} bytes.")


class MalformedFormError(HttpError):
    """The body is not the form that its ``Content-Type`` announces, or is ambiguous."""


class TooManyChunksError(HttpError):
    """The body has too many small chunks: parsing a small chunk takes as long as parsing a large one."""

    def __init__(self) -> None:
        super().__init__(
            "The request body has too many small chunks: send it with 'Content-Length', or in chunks of 1 KiB."
        )


class UnsupportedTransferCodingError(HttpError):
    """The transfer coding is not ``chunked`` alone (RFC 9112 section 6.1)."""

    status = 501


class UnsupportedVersionError(HttpError):
    """The major version of HTTP is not 1."""

    status = 505


class ExpectationFailedError(HttpError):
    """The client expects something other than ``100-continue`` (RFC 9110 section 10.1.1)."""

    status = 417


class RequestTimeoutError(HttpError):
    """The rest of the request did not arrive in time."""

    status = 408
    code = "request_timeout"
    is_retryable = True


class TooManyConnectionsError(HttpError):
    """All allowed connections are in use, or the process is out of descriptors."""

    status = 503
    code = "too_many_connections"
    is_retryable = True

    def __init__(self) -> None:
        super().__init__("Too many connections: try again in a moment.")


class TooManyBodiesError(HttpError):
    """The memory budget for request bodies is exhausted, and no memory was freed in time."""

    status = 503
    code = "too_many_bodies"
    is_retryable = True

    def __init__(self) -> None:
        super().__init__("The memory for request bodies is used up: try again in a moment.")


class PlainHttpError(HttpError):
    """The client sent plain HTTP to a port that serves HTTPS."""

    code = "https_required"

    def __init__(self) -> None:
        super().__init__("This port serves HTTPS: use an address that begins with https://.")


class TransportError(Exception):
    """An exchange with a server failed. ``reason`` completes a sentence that begins with "The server"."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"The server {reason}.")


class ConnectError(TransportError):
    """No connection could be opened: no byte of the request was sent."""

    def __init__(self, reason: str = "cannot be reached") -> None:
        super().__init__(reason)


class TlsFault(Enum):
    """Why TLS failed, as far as it decides what to do about it."""

    UNTRUSTED = "untrusted"
    """No trusted authority has issued the certificate."""
    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"
    WRONG_NAME = "wrong name"
    """The certificate is for other names and addresses."""
    NOT_TLS = "not TLS"
    """The server speaks something else at this port: plain HTTP."""
    OTHER = "other"


class TlsError(ConnectError):
    """TLS failed, for instance because of an untrusted certificate: a retry would fail the same way."""

    def __init__(self, reason: str, fault: TlsFault = TlsFault.OTHER) -> None:
        super().__init__(reason)
        self.fault = fault


class StallPhase(Enum):
    """What the server failed to do in time."""

    CONNECT = "accepted no connection for {limit_s:g} s"
    FIRST_BYTE = "accepted the request but sent nothing for {limit_s:g} s"
    BODY = "stopped in the middle of its response: sent nothing for {limit_s:g} s"


class StallError(TransportError):
    """The server sent nothing for ``limit_s`` seconds."""

    def __init__(self, phase: StallPhase, limit_s: float) -> None:
        self.phase = phase
        super().__init__(phase.value.format(limit_s=limit_s))
