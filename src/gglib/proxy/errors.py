"""What a client is told when something goes wrong: one table from error class to HTTP.

Pure. It knows the domain's errors and HTTP's status codes, and nothing of sockets or of the request at hand.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from gglib.core import errors
from gglib.http import errors as http
from gglib.http.headers import Headers
from gglib.proxy.guards.poison_requests import PoisonRequestError

JSON = (b"content-type", b"application/json")

ReportableError = errors.GglibError | http.HttpError
"""Errors whose text a client is shown."""

LOG_LINES_SHOWN = 5
"""The engine's last lines say why a load failed; more than these hides the first sentence."""

_INVALID_REQUEST = "invalid_request_error"
_SERVER_ERROR = "server_error"
_INTERNAL_ERROR = "internal_error"
_MAX_ECHO_CHARS = 100
"""What a client calls us or itself is shown to it, but not at any length."""


class BadRequestError(errors.GglibError):
    """The request cannot be served as it is; ``param`` is the field of the body that is at fault."""

    code = "invalid_request"
    source = errors.ErrorSource.CLIENT

    def __init__(self, message: str, param: str | None = None) -> None:
        self.param = param
        super().__init__(message)


class ContentEncodingError(errors.GglibError):
    """The body is compressed: gglib would check other bytes than the engine reads."""

    code = "unsupported_encoding"
    source = errors.ErrorSource.CLIENT

    def __init__(self) -> None:
        super().__init__("The request body must not be compressed: send it without 'Content-Encoding'.")


class UnknownPathError(errors.GglibError):
    """Nothing is served at this path."""

    code = "not_found"
    source = errors.ErrorSource.CLIENT

    def __init__(self, method: str, path: str, host: bytes | None = None) -> None:
        """``host`` is what the client called this server by, which the base URL is made of."""
        address = "" if host is None else f"http://{_truncated(host.decode('ascii', 'backslashreplace'))}"
        super().__init__(
            f"There is nothing at {method} {_truncated(path)}. The base URL is {address}/v1 for OpenAI's clients and "
            f"{address or '/'} for Anthropic's; {address}/docs lists every path."
        )


class MethodNotAllowedError(errors.GglibError):
    """The path exists, but not for this method; ``allowed`` are the methods that it has."""

    code = "method_not_allowed"
    source = errors.ErrorSource.CLIENT

    def __init__(self, method: str, path: str, allowed: tuple[str, ...]) -> None:
        self.allowed = allowed
        super().__init__(f"{path} does not take {method}, only {' or '.join(allowed)}.")


class ForbiddenError(errors.GglibError):
    """The caller may not do this from where it is."""

    code = "forbidden"
    source = errors.ErrorSource.CLIENT


class EngineError(errors.GglibError):
    """What an engine sent in place of an answer, read by ``engine_errors``. The engine is alive.

    ``status`` and ``type_`` are what a client gets while the status is open, ``shown_code`` its code; ``details`` are
    numbers that the body has beside them, by name.
    """

    code = "engine_error"
    source = errors.ErrorSource.ENGINE

    def __init__(  # noqa: PLR0913 - all that a body has
        self,
        message: str,
        *,
        status: int,
        type_: str,
        shown_code: str | None = code,
        details: Mapping[str, int] | None = None,
        is_retryable: bool = False,
    ) -> None:
        self.status = status
        self.type_ = type_
        self.shown_code = shown_code
        self.details = dict(details or {})
        self.is_retryable = is_retryable
        self.n_ctx: int | None = None
        """The context, in tokens, that the engine runs with; set by what knows it."""
        if status < 500:
            self.source = errors.ErrorSource.CLIENT
        super().__init__(message)


class RefusedByEngineError(EngineError):
    """The engine refuses what the body says: the same body is refused again, whatever its status was."""

    code = "invalid_request"
    source = errors.ErrorSource.CLIENT

    def __init__(self, message: str) -> None:
        super().__init__(message, status=400, type_=_INVALID_REQUEST, shown_code=self.code)


class UnsupportedByModelError(EngineError):
    """The model cannot do what is asked; ``capability`` is what it lacks, as ``ModelCapabilities`` names it."""

    code = "unsupported_by_model"
    source = errors.ErrorSource.CLIENT

    def __init__(self, message: str, capability: str | None = None) -> None:
        self.capability = capability
        super().__init__(message, status=400, type_=_INVALID_REQUEST, shown_code=self.code)


class ContextLengthExceededError(EngineError):
    """The conversation does not fit into the context. ``details`` has ``n_prompt_tokens`` and ``n_ctx`` where known.

    ``hint`` says how to get more. ``is_cache_full``: the engine ran out of cache while it computed, which other
    requests in the same engine may have caused.
    """

    code = "context_length_exceeded"
    source = errors.ErrorSource.CLIENT

    def __init__(
        self, message: str, *, details: Mapping[str, int], hint: str = "", is_cache_full: bool = False
    ) -> None:
        self.hint = hint
        self.is_cache_full = is_cache_full
        super().__init__(
            message, status=400, type_="exceed_context_size_error", shown_code=self.code, details=details
        )


class NoLibraryError(errors.GglibError):
    """The proxy runs inside a program that gave it no way to manage models."""

    code = "not_offered"
    source = errors.ErrorSource.OPERATOR

    def __init__(self) -> None:
        super().__init__("This server only runs models: it does not add, remove, find or pull them.")


class HostNotAllowedError(errors.GglibError):
    """The client calls this server by a name that is not one of its own."""

    code = "host_not_allowed"
    source = errors.ErrorSource.CLIENT

    def __init__(self, host: str, *, takes_keys: bool = False) -> None:
        or_key = ", or send one of its API keys" if takes_keys else ""
        super().__init__(
            f"This gglib does not answer to '{_truncated(host)}': if that is a name of its machine, "
            f"add it to the setting 'allowed_hosts'{or_key}."
        )


class OriginNotAllowedError(errors.GglibError):
    """A web page asks that nobody allowed to."""

    code = "origin_not_allowed"
    source = errors.ErrorSource.CLIENT

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"Pages of '{_truncated(origin)}' may not use this gglib: if they should, "
            "add that to the setting 'cors_origins'."
        )


class NoEventsError(errors.GglibError):
    """The runtime that the proxy was given says nothing of what happens."""

    code = "not_offered"
    source = errors.ErrorSource.CLIENT

    def __init__(self) -> None:
        super().__init__("This server has no events: use GET /gglib/status.")


class UnauthorizedError(errors.GglibError):
    """No key that is accepted, for whatever reason: the answer never says which."""

    code = "invalid_api_key"
    source = errors.ErrorSource.CLIENT

    def __init__(self) -> None:
        super().__init__(
            "This gglib needs one of its API keys, as 'Authorization: Bearer KEY' or 'x-api-key: KEY'."
        )


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """An error as HTTP shows it: a status, the headers that are special to it, and what its body says.

    ``dialects/errors.py`` writes it in the form of each dialect; ``body`` is the form of OpenAI and of our own routes.
    """

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    message: str
    type_: str
    param: str | None
    code: str | None
    details: tuple[tuple[str, object], ...] = ()
    """What stands beside the rest, by name."""
    hint: str = ""
    """The end of ``message``, where a dialect begins it with words of its own."""

    def all_headers(self) -> Headers:
        """Return the headers of the whole answer, its length apart."""
        return [JSON, *self.headers]

    @property
    def error(self) -> dict[str, object]:
        """The error as OpenAI has it."""
        return {
            "message": self.message,
            "type": self.type_,
            "param": self.param,
            "code": self.code,
            **dict(self.details),
        }

    @property
    def body(self) -> bytes:
        """The JSON body as OpenAI has it, on one line."""
        return to_json({"error": self.error})


_TABLE: dict[type[errors.GglibError], tuple[int, str]] = {
    BadRequestError: (400, _INVALID_REQUEST),
    ContentEncodingError: (415, _INVALID_REQUEST),
    UnauthorizedError: (401, _INVALID_REQUEST),
    ForbiddenError: (403, _INVALID_REQUEST),
    HostNotAllowedError: (403, _INVALID_REQUEST),
    OriginNotAllowedError: (403, _INVALID_REQUEST),
    UnknownPathError: (404, _INVALID_REQUEST),
    errors.ModelNotFoundError: (404, _INVALID_REQUEST),
    errors.ModelFileNotFoundError: (404, _INVALID_REQUEST),
    MethodNotAllowedError: (405, _INVALID_REQUEST),
    errors.ModelRuntimeError: (500, _SERVER_ERROR),
    errors.ModelLoadFailedError: (500, _SERVER_ERROR),
    errors.EngineNotFoundError: (500, _SERVER_ERROR),
    PoisonRequestError: (500, _SERVER_ERROR),
    errors.CatalogError: (500, _SERVER_ERROR),
    errors.InvalidSettingError: (500, _SERVER_ERROR),
    errors.GglibError: (500, _INTERNAL_ERROR),
    # What programs may do with the models of this machine, and what a hub or a disk makes of it.
    NoLibraryError: (501, _INVALID_REQUEST),
    NoEventsError: (501, _INVALID_REQUEST),
    errors.InvalidGgufError: (400, _INVALID_REQUEST),
    errors.ModelExistsError: (409, _INVALID_REQUEST),
    errors.DownloadNotFoundError: (404, _INVALID_REQUEST),
    errors.VariantChoiceError: (400, _INVALID_REQUEST),
    errors.UnsafeNameError: (400, _INVALID_REQUEST),
    errors.RepositoryNotFoundError: (404, _INVALID_REQUEST),
    errors.GatedRepositoryError: (403, _INVALID_REQUEST),
    errors.DownloadInProgressError: (409, _INVALID_REQUEST),
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
    # Each of these carries its own; the rows are what it mostly is.
    EngineError: (500, _SERVER_ERROR),
    RefusedByEngineError: (400, _INVALID_REQUEST),
    UnsupportedByModelError: (400, _INVALID_REQUEST),
    ContextLengthExceededError: (400, "exceed_context_size_error"),
}
"""Status and ``type``. A class that is not here is shown as its nearest ancestor that is; ``HttpError`` has its own."""


_RETRY_AFTER_S: dict[type[Exception], float] = {
    errors.HubUnreachableError: 10.0,
    errors.HubBusyError: 60.0,
    errors.DownloadInProgressError: 30.0,
    http.TooManyBodiesError: 5.0,
}
"""When to ask again where the error itself does not know: a network, a rate limit, another gglib's download."""


_MESSAGES: dict[type[Exception], str] = {
    http.TooManyConnectionsError: "Too many connections: try again in a moment, or raise 'max_connections'.",
    http.TooManyBodiesError: (
        "The request bodies that gglib holds are as large as they may be together: "
        "try again in a moment, or raise 'max_bodies_mb'."
    ),
}
"""Where the error's own text, which is HTTP's, does not name the setting that helps."""


def status_of(kind: type[errors.GglibError | http.HttpError]) -> int:
    """Return the status that tells of an error."""
    if issubclass(kind, http.HttpError):
        return kind.status
    return next(_TABLE[cls][0] for cls in kind.__mro__ if cls in _TABLE)


def to_error_response(error: Exception) -> ErrorResponse:
    """Return what a client is told. What is neither a ``GglibError`` nor an ``HttpError`` is told without details."""
    if not isinstance(error, errors.GglibError | http.HttpError):
        return to_error_response(errors.GglibError("Internal error"))
    if isinstance(error, EngineError):
        return _engine_error_response(error)
    if isinstance(error, http.HttpError):
        status, type_ = error.status, _SERVER_ERROR if error.status == 503 else _INVALID_REQUEST
    else:
        status, type_ = next(_TABLE[cls] for cls in type(error).__mro__ if cls in _TABLE)
    return ErrorResponse(
        status, _headers(error, status), _message(error), type_, _param(error), error.code, _details(error)
    )


def to_json(content: object) -> bytes:
    """Return JSON on one line."""
    return json.dumps(content, separators=(",", ":")).encode()


def _engine_error_response(error: EngineError) -> ErrorResponse:
    hint = error.hint if isinstance(error, ContextLengthExceededError) else ""
    return ErrorResponse(
        error.status,
        _headers(error, error.status),
        str(error),
        error.type_,
        None,
        error.shown_code,
        tuple(error.details.items()),
        hint,
    )


def _message(error: ReportableError) -> str:
    own = _MESSAGES.get(type(error))
    if own is not None:
        return own
    if isinstance(error, errors.ModelLoadFailedError | errors.EngineDiedError) and error.log_tail:
        return "\n".join((str(error), *error.log_tail[-LOG_LINES_SHOWN:]))
    return str(error)


def _details(error: ReportableError) -> tuple[tuple[str, object], ...]:
    if not isinstance(error, errors.ModelLoadingError) or error.progress is None:
        return ()
    progress = error.progress
    shown = {"state": progress.state, "progress": progress.share, "eta_seconds": progress.eta_s}
    return (("loading", shown),)


def _param(error: ReportableError) -> str | None:
    if isinstance(error, BadRequestError):
        return error.param
    if isinstance(error, errors.ModelNotFoundError | errors.ModelFileNotFoundError):
        return "model"
    return None


def _headers(error: ReportableError, status: int) -> tuple[tuple[bytes, bytes], ...]:
    if isinstance(error, MethodNotAllowedError):
        return ((b"allow", ", ".join(error.allowed).encode()),)
    if isinstance(error, UnauthorizedError):
        return ((b"www-authenticate", b"Bearer"),)
    headers: list[tuple[bytes, bytes]] = []
    if isinstance(error, errors.ModelLoadingError | errors.QueueFullError | errors.ModelLoadFailedError):
        headers += _retry_after(error.retry_after_s)
    headers += _retry_after(_RETRY_AFTER_S.get(type(error)))
    if status >= 500 and not error.is_retryable:
        # The official clients retry every 5xx unless told not to.
        headers.append((b"x-should-retry", b"false"))
    return tuple(headers)


def _retry_after(seconds: float | None) -> list[tuple[bytes, bytes]]:
    return [] if seconds is None else [(b"retry-after", str(max(1, math.ceil(seconds))).encode())]


def _truncated(text: str) -> str:
    return text if len(text) <= _MAX_ECHO_CHARS else f"{text[:_MAX_ECHO_CHARS]}..."
