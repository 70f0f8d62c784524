"""What a request is refused for before anybody looks at what it wants. Pure.

``docs/edge.md`` has the rules, each with its status.
"""

from gglib.core.errors import Blame, GglibError


class HttpError(GglibError):
    """The connection cannot go on after this: it is answered once, and closed."""

    code = "invalid_request"
    blame = Blame.CLIENT


class MalformedRequestError(HttpError):
    """What came is not HTTP/1.1 as RFC 9110 and RFC 9112 have it, or could be read in two ways."""


class TargetTooLongError(HttpError):
    """The request's target is longer than the edge takes."""


class HeadTooLargeError(HttpError):
    """There are more header lines, or longer ones, than the edge takes."""


class BodyTooLargeError(HttpError):
    """The body is larger than the proxy takes."""

    code = "body_too_large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The request body is larger than {limit_bytes} bytes.")


class TooManyChunksError(HttpError):
    """The body comes in very many very small chunks: each costs as much as a large one."""

    def __init__(self) -> None:
        super().__init__(
            "The request body comes in too many small chunks: send it with 'Content-Length', or in chunks of 1 KiB."
        )


class UnknownCodingError(HttpError):
    """The body comes in a transfer coding other than ``chunked`` alone (RFC 9112 section 6.1)."""


class UnsupportedVersionError(HttpError):
    """The request is in another major version of HTTP."""


class ExpectationError(HttpError):
    """The client expects something other than ``100-continue`` (RFC 9110 section 10.1.1)."""


class RequestTimeoutError(HttpError):
    """The rest of the request did not come in time."""

    code = "request_timeout"
    is_retryable = True


class TooManyConnectionsError(HttpError):
    """Every connection that there may be is in use."""

    code = "too_many_connections"
    is_retryable = True

    def __init__(self) -> None:
        super().__init__("Too many connections: try again in a moment, or raise 'max_connections'.")


class TooManyBodiesError(HttpError):
    """The bodies of all requests together are as large as they may be, and none of them ended in time."""

    code = "too_many_bodies"
    is_retryable = True

    def __init__(self) -> None:
        super().__init__(
            "The request bodies that gglib holds are as large as they may be together: "
            "try again in a moment, or raise 'max_bodies_mb'."
        )
