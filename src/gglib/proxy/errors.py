"""What a client is told when something goes wrong: one table from error class to HTTP.

Pure. It knows the domain's errors and HTTP's status codes, and nothing of sockets or of the request at hand.
"""

import json
import math
from dataclasses import dataclass

from gglib.core import errors
from gglib.proxy.headers import Headers
from gglib.proxy.http1 import errors as http

JSON = (b"content-type", b"application/json")

LOG_LINES_SHOWN = 5
"""The engine's last lines say why a load failed; more than these hides the first sentence."""
_SHOWN_CHARACTERS = 100
"""What a client calls us or itself is shown to it, but not at any length."""


class BadRequestError(errors.GglibError):
    """The request cannot be served as it is; ``param`` is the field of the body that is at fault."""

    code = "invalid_request"
    blame = errors.Blame.CLIENT

    def __init__(self, message: str, param: str | None = None) -> None:
        self.param = param
        super().__init__(message)


class ContentEncodingError(errors.GglibError):
    """The body is compressed: gglib would check other bytes than the engine reads."""

    code = "unsupported_encoding"
    blame = errors.Blame.CLIENT

    def __init__(self) -> None:
        super().__init__("The request body must not be compressed: send it without 'Content-Encoding'.")


class UnknownPathError(errors.GglibError):
    """Nothing is served at this path."""

    code = "not_found"
    blame = errors.Blame.CLIENT

    def __init__(self, method: str, path: str) -> None:
        super().__init__(f"There is nothing at {method} {path}.")


class MethodNotAllowedError(errors.GglibError):
    """The path exists, but not for this method; ``allowed`` are the methods that it has."""

    code = "method_not_allowed"
    blame = errors.Blame.CLIENT

    def __init__(self, method: str, path: str, allowed: tuple[str, ...]) -> None:
        self.allowed = allowed
        super().__init__(f"{path} does not take {method}, only {' or '.join(allowed)}.")


class ForbiddenError(errors.GglibError):
    """The caller may not do this from where it is."""

    code = "forbidden"
    blame = errors.Blame.CLIENT


class NoLibraryError(errors.GglibError):
    """The proxy runs inside a program that gave it no way to manage models."""

    code = "not_offered"
    blame = errors.Blame.OPERATOR

    def __init__(self) -> None:
        super().__init__("This server only runs models: it does not add, remove, find or pull them.")


class HostNotAllowedError(errors.GglibError):
    """The client calls this server by a name that is not one of its own."""

    code = "host_not_allowed"
    blame = errors.Blame.CLIENT

    def __init__(self, host: str) -> None:
        super().__init__(
            f"This gglib does not answer to '{_short(host)}': if that is a name of its machine, "
            "add it to the setting 'allowed_hosts'."
        )


class OriginNotAllowedError(errors.GglibError):
    """A web page asks that nobody allowed to."""

    code = "origin_not_allowed"
    blame = errors.Blame.CLIENT

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"Pages of '{_short(origin)}' may not use this gglib: if they should, "
            "add that to the setting 'cors_origins'."
        )


class UnauthorizedError(errors.GglibError):
    """No key that is accepted, for whatever reason: the answer never says which."""

    code = "invalid_api_key"
    blame = errors.Blame.CLIENT

    def __init__(self) -> None:
        super().__init__(
            "This gglib needs one of its API keys, as 'Authorization: Bearer KEY' or 'x-api-key: KEY'."
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as HTTP shows it: a status, the headers that are special to it, and the JSON body."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def all_headers(self) -> Headers:
        """Return the headers of the whole answer, its length apart."""
        return [JSON, *self.headers]


_INVALID_REQUEST = "invalid_request_error"
_SERVER_ERROR = "server_error"
_INTERNAL_ERROR = "internal_error"

_TABLE: dict[type[errors.GglibError], tuple[int, str]] = {
    BadRequestError: (400, _INVALID_REQUEST),
    http.HttpError: (400, _INVALID_REQUEST),
    http.RequestTimeoutError: (408, _INVALID_REQUEST),
    http.TargetTooLongError: (414, _INVALID_REQUEST),
    ContentEncodingError: (415, _INVALID_REQUEST),
    http.ExpectationError: (417, _INVALID_REQUEST),
    http.HeadTooLargeError: (431, _INVALID_REQUEST),
    http.UnknownCodingError: (501, _INVALID_REQUEST),
    http.TooManyConnectionsError: (503, _SERVER_ERROR),
    http.UnsupportedVersionError: (505, _INVALID_REQUEST),
    UnauthorizedError: (401, _INVALID_REQUEST),
    ForbiddenError: (403, _INVALID_REQUEST),
    HostNotAllowedError: (403, _INVALID_REQUEST),
    OriginNotAllowedError: (403, _INVALID_REQUEST),
    UnknownPathError: (404, _INVALID_REQUEST),
    errors.ModelNotFoundError: (404, _INVALID_REQUEST),
    errors.ModelFileNotFoundError: (404, _INVALID_REQUEST),
    MethodNotAllowedError: (405, _INVALID_REQUEST),
    http.BodyTooLargeError: (413, _INVALID_REQUEST),
    errors.ModelLoadFailedError: (500, _SERVER_ERROR),
    errors.EngineNotFoundError: (500, _SERVER_ERROR),
    errors.CatalogError: (500, _SERVER_ERROR),
    errors.GglibError: (500, _INTERNAL_ERROR),
    # What programs may do with the models of this machine, and what a hub or a disk makes of it.
    NoLibraryError: (501, _INVALID_REQUEST),
    errors.InvalidGgufError: (400, _INVALID_REQUEST),
    errors.ModelExistsError: (409, _INVALID_REQUEST),
    errors.DownloadNotFoundError: (404, _INVALID_REQUEST),
    errors.NoSuchChoiceError: (400, _INVALID_REQUEST),
    errors.UnsafeNameError: (400, _INVALID_REQUEST),
    errors.RepositoryNotFoundError: (404, _INVALID_REQUEST),
    errors.GatedRepositoryError: (403, _INVALID_REQUEST),
    errors.BeingFetchedError: (409, _INVALID_REQUEST),
    errors.HubError: (502, _SERVER_ERROR),
    errors.HubUnreachableError: (503, _SERVER_ERROR),
    errors.HubBusyError: (503, _SERVER_ERROR),
    errors.DownloadCorruptError: (502, _SERVER_ERROR),
    errors.StorageError: (500, _SERVER_ERROR),
    errors.DiskFullError: (507, _SERVER_ERROR),
    errors.UpstreamError: (502, "upstream_error"),
    errors.ModelLoadingError: (503, _SERVER_ERROR),
    errors.QueueFullError: (503, _SERVER_ERROR),
    errors.ModelStoppedError: (503, _SERVER_ERROR),
    errors.ShuttingDownError: (503, _SERVER_ERROR),
    errors.UpstreamStalledError: (504, "upstream_error"),
}
"""Status and ``type``. A class that is not here is shown as its nearest ancestor that is."""


_RETRY_AFTER_S: dict[type[errors.GglibError], float] = {
    errors.HubUnreachableError: 10.0,
    errors.HubBusyError: 60.0,
    errors.BeingFetchedError: 30.0,
}
"""When to ask again where the error itself does not know: a network, a rate limit, another gglib's download."""


def status_of(kind: type[errors.GglibError]) -> int:
    """Return the status that tells of an error."""
    return next(_TABLE[cls][0] for cls in kind.__mro__ if cls in _TABLE)


def describe(error: Exception) -> Problem:
    """Return what a client is told. What is not a ``GglibError`` is told without any detail."""
    if not isinstance(error, errors.GglibError):
        return describe(errors.GglibError("Internal error"))
    status, type_ = next(_TABLE[cls] for cls in type(error).__mro__ if cls in _TABLE)
    body = error_body(_message(error), type_=type_, param=_param(error), code=error.code)
    return Problem(status, _headers(error, status), body)


def error_body(message: str, *, type_: str, param: str | None = None, code: str | None = None) -> bytes:
    """Return the one shape of an error, as JSON on one line."""
    return json.dumps(
        {"error": {"message": message, "type": type_, "param": param, "code": code}}, separators=(",", ":")
    ).encode()


def _message(error: errors.GglibError) -> str:
    if isinstance(error, errors.ModelLoadFailedError | errors.EngineDiedError) and error.log_tail:
        return "\n".join((str(error), *error.log_tail[-LOG_LINES_SHOWN:]))
    return str(error)


def _param(error: errors.GglibError) -> str | None:
    if isinstance(error, BadRequestError):
        return error.param
    if isinstance(error, errors.ModelNotFoundError | errors.ModelFileNotFoundError):
        return "model"
    return None


def _headers(error: errors.GglibError, status: int) -> tuple[tuple[bytes, bytes], ...]:
    if isinstance(error, MethodNotAllowedError):
        return ((b"allow", ", ".join(error.allowed).encode()),)
    if isinstance(error, UnauthorizedError):
        return ((b"www-authenticate", b"Bearer"),)
    told: list[tuple[bytes, bytes]] = []
    if isinstance(error, errors.ModelLoadingError | errors.QueueFullError | errors.ModelLoadFailedError):
        told += _retry_after(error.retry_after_s)
    told += _retry_after(_RETRY_AFTER_S.get(type(error)))
    if status >= 500 and not error.is_retryable:
        # The official clients retry every 5xx unless told not to.
        told.append((b"x-should-retry", b"false"))
    return tuple(told)


def _retry_after(seconds: float | None) -> list[tuple[bytes, bytes]]:
    return [] if seconds is None else [(b"retry-after", str(max(1, math.ceil(seconds))).encode())]


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
