"""Maps exceptions to HTTP error responses, by one table from class to status and type.

Pure. The module knows the domain's errors and HTTP status codes, but no sockets and no request.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from gglib.core import errors
from gglib.core.names import MAX_OTHERS
from gglib.core.shell_quoting import quoted_command
from gglib.http import errors as http
from gglib.http.headers import Headers
from gglib.proxy.guards.poison_requests import PoisonRequestError
from gglib.proxy.names.patterns import is_pattern

JSON = (b"content-type", b"application/json")

ReportableError = errors.GglibError | http.HttpError
"""Errors whose message is sent to the client."""

LOG_LINES_SHOWN = 5
"""Number of engine log lines in the message of a failed load; more would hide the first sentence."""

_INVALID_REQUEST = "invalid_request_error"
_SERVER_ERROR = "server_error"
_INTERNAL_ERROR = "internal_error"
_MAX_ECHO_CHARS = 100
"""Client input (paths, hosts, origins) is repeated in messages up to this length."""


class BadRequestError(errors.GglibError):
    """The request is invalid; ``param`` names the invalid field of the body."""

    code = "invalid_request"
    source = errors.ErrorSource.CLIENT

    def __init__(self, message: str, param: str | None = None) -> None:
        self.param = param
        super().__init__(message)


class ContentEncodingError(errors.GglibError):
    """The body is compressed: gglib would check other bytes than the engine parses."""

    code = "unsupported_encoding"
    source = errors.ErrorSource.CLIENT

    def __init__(self) -> None:
        super().__init__("The request body must not be compressed: send it without 'Content-Encoding'.")


class UnknownPathError(errors.GglibError):
    """No route serves this path."""

    code = "not_found"
    source = errors.ErrorSource.CLIENT

    def __init__(self, method: str, path: str, host: bytes | None = None, scheme: str = "http") -> None:
        """``host`` is the request's ``Host``, from which the message builds the base URL."""
        address = "" if host is None else f"{scheme}://{_truncated(host.decode('ascii', 'backslashreplace'))}"
        super().__init__(
            f"There is no route {method} {_truncated(path)}. The base URL is {address}/v1 for OpenAI's clients and "
            f"{address or '/'} for Anthropic's; {address}/docs lists every path."
        )


class PageFileNotFoundError(errors.GglibError):
    """The page has no such file, or the URL is that of another version of gglib."""

    code = "page_file_not_found"
    source = errors.ErrorSource.CLIENT

    def __init__(self) -> None:
        super().__init__("The page of this version of gglib has no such file: reload the page.")


class PageUnreadableError(errors.GglibError):
    """The files of the page are missing or damaged; the log has the reason."""

    code = "page_unreadable"
    source = errors.ErrorSource.OPERATOR

    def __init__(self) -> None:
        super().__init__("The files of the page are missing or damaged: install gglib again, or see its log.")


class MethodNotAllowedError(errors.GglibError):
    """The path does not support this method; ``allowed`` are the supported methods."""

    code = "method_not_allowed"
    source = errors.ErrorSource.CLIENT

    def __init__(self, method: str, path: str, allowed: tuple[str, ...]) -> None:
        self.allowed = allowed
        super().__init__(f"{path} does not support {method}: use {' or '.join(allowed)}.")


class ForbiddenError(errors.GglibError):
    """The caller may not use this path, or may not set this field over HTTP."""

    code = "forbidden"
    source = errors.ErrorSource.CLIENT


class EngineError(errors.GglibError):
    """An error response of a running engine, parsed by ``engine_errors``.

    ``status``, ``type_`` and ``shown_code`` are sent to the client; ``details`` are further numbers of the error body,
    by name.
    """

    code = "engine_error"
    source = errors.ErrorSource.ENGINE

    def __init__(  # noqa: PLR0913 - the fields of an error body
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
        """The engine's context size in tokens; set by ``forward``."""
        if status < 500:
            self.source = errors.ErrorSource.CLIENT
        super().__init__(message)


class RefusedByEngineError(EngineError):
    """The engine rejected the body and would reject it again, whatever status it sent."""

    code = "invalid_request"
    source = errors.ErrorSource.CLIENT

    def __init__(self, message: str) -> None:
        super().__init__(message, status=400, type_=_INVALID_REQUEST, shown_code=self.code)


class UnsupportedByModelError(EngineError):
    """The model lacks ``capability`` (a name of ``ModelCapabilities``), which the request needs.

    Also raised without an engine, for an alias list of which all models lack it.
    """

    code = "unsupported_by_model"
    source = errors.ErrorSource.CLIENT

    def __init__(self, message: str, capability: str | None = None) -> None:
        self.capability = capability
        super().__init__(message, status=400, type_=_INVALID_REQUEST, shown_code=self.code)


class ModelNotLoadedError(errors.GglibError):
    """The request reads or changes a running engine, and the model is not in memory. ``name`` None: no model is."""

    code = "model_not_loaded"
    source = errors.ErrorSource.CLIENT

    def __init__(self, name: str | None) -> None:
        super().__init__(
            "No model is in memory: name one with '?model='."
            if name is None
            else f"Model '{name}' is not in memory, and this request does not load it."
        )


class OneModelNeededError(errors.ModelNotFoundError):
    """The name is an alias for several models, and the operation is for one model.

    ``alias`` is the alias list or the pattern, ``members`` are its models.
    """

    def __init__(self, name: str, alias: str, members: tuple[str, ...]) -> None:
        super().__init__(name, members)
        what = f"'{name}' matches the alias '{alias}'" if is_pattern(alias) else f"'{alias}' is an alias list"
        self.args = (f"{what}: use one of its models, {', '.join(members)}.",)


class NoModelInMemoryError(errors.ModelNotFoundError):
    """By ``alias`` the name means the model in memory, and there is neither one nor a default model.

    ``others`` are the models that the caller may use.
    """

    def __init__(self, name: str, alias: str, others: tuple[str, ...]) -> None:
        super().__init__(name, others=others, total=len(others))
        shown = ", ".join(others[:MAX_OTHERS])
        what = f"Model '{name}' is not in the catalogue, and no model in memory or default can serve it"
        command = quoted_command("alias", alias, "MODEL")
        self.args = (f"{what}: load one of {shown}, set 'default_model', or run {command}.",)

    def limited(self) -> errors.ModelNotFoundError:
        """Return the same error: its models are those that the key may use."""
        return self


class ContextLengthExceededError(EngineError):
    """The prompt exceeds the context. ``details`` has ``n_prompt_tokens`` and ``n_ctx`` where known.

    ``hint`` says how to get a larger context. ``is_cache_full``: the engine's cache filled up during the computation,
    possibly because of other requests.
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
    """The embedding program passed no ``library`` to ``serve``."""

    code = "not_offered"
    source = errors.ErrorSource.OPERATOR

    def __init__(self) -> None:
        super().__init__(
            "This server cannot add, remove, search or pull models: it runs without a model library."
        )


class NoProfilesError(errors.GglibError):
    """The embedding program passed no ``profiles`` to ``serve``."""

    code = "not_offered"
    source = errors.ErrorSource.OPERATOR

    def __init__(self) -> None:
        super().__init__("This server has no profiles.")


class NoReloadError(errors.GglibError):
    """The program that runs the server passed no ``reload`` to ``serve``."""

    code = "not_offered"
    source = errors.ErrorSource.OPERATOR

    def __init__(self) -> None:
        super().__init__("This server cannot reload its settings: restart it to change them.")


class NoMachineError(errors.GglibError):
    """The embedding program passed no ``machine`` to ``serve``."""

    code = "not_offered"
    source = errors.ErrorSource.OPERATOR

    def __init__(self) -> None:
        super().__init__("The program that embeds gglib passed no `machine` to `serve`.")


class NotOfferedError(errors.GglibError):
    """A path of another server's API that gglib does not offer; the message says what to do instead."""

    code = "not_offered"
    source = errors.ErrorSource.CLIENT


class HostNotAllowedError(errors.GglibError):
    """The ``Host`` of the request is not an allowed name of this server."""

    code = "host_not_allowed"
    source = errors.ErrorSource.CLIENT

    def __init__(self, host: str, *, accepts_keys: bool = False) -> None:
        or_key = ", or send one of its API keys" if accepts_keys else ""
        super().__init__(
            f"The host '{_truncated(host)}' is not allowed: if it is a name of this machine, "
            f"add it to the setting 'allowed_hosts'{or_key}."
        )


class OriginNotAllowedError(errors.GglibError):
    """The request comes from a web page whose origin is not allowed."""

    code = "origin_not_allowed"
    source = errors.ErrorSource.CLIENT

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"Pages of the origin '{_truncated(origin)}' are not allowed: to allow them, "
            "add it to the setting 'cors_origins'."
        )


class NoEventsError(errors.GglibError):
    """The runtime does not publish events."""

    code = "not_offered"
    source = errors.ErrorSource.CLIENT

    def __init__(self) -> None:
        super().__init__("This server has no event stream: use GET /gglib/status.")


class UnauthorizedError(errors.GglibError):
    """The request carries no accepted key. The response never says why a key was not accepted."""

    code = "invalid_api_key"
    source = errors.ErrorSource.CLIENT

    message = "This server requires a valid API key: send 'Authorization: Bearer KEY' or 'x-api-key: KEY'."

    def __init__(self) -> None:
        super().__init__(self.message)


class RevokedKeyError(UnauthorizedError):
    """The key of a request in progress was removed or replaced: the client needs another one."""

    message = "The API key of this request was revoked while the request was in progress: use another key."


class RateLimitError(errors.GglibError):
    """A key would exceed one of its limits: ``limit_name`` is its entry in the key's table.

    ``requested`` are the tokens that the refused request may take, of a limit of tokens.
    """

    code = "rate_limit_exceeded"
    source = errors.ErrorSource.CLIENT
    is_retryable = True

    def __init__(  # noqa: PLR0913 - each is a part of the message
        self,
        key_name: str,
        limit_name: str,
        limit: int,
        used: int,
        *,
        retry_after_s: float,
        requested: int = 0,
    ) -> None:
        self.retry_after_s = retry_after_s
        noun, period = _LIMIT_UNITS[limit_name]
        size = f"{limit:,} {noun if limit == 1 else noun + 's'} {period}"
        reached, more = "has reached", ""
        if requested and used < limit:
            reached, more = "would exceed", f", this request may take {requested:,}"
        command = quoted_command("key", "limit", key_name, f"--{limit_name}", "N")
        super().__init__(
            # "try again in N s" is the phrase that clients without Retry-After search for (Codex).
            f"The key '{key_name}' {reached} its limit of {size} ({used:,} used{more}): try again in "
            f"{_shown_wait(retry_after_s)} s, or raise '{limit_name}' on the server's machine with {command}."
        )


class TokenRateLimitError(RateLimitError):
    """A key has reached its limit of tokens, a type of its own in OpenAI's errors."""


_LIMIT_UNITS = {
    "rpm": ("request", "per minute"),
    "tpm": ("token", "per minute"),
    "parallel": ("request", "at once"),
}


def _shown_wait(seconds: float) -> int:
    """Return a wait in whole seconds, at least 1: that of ``Retry-After``."""
    return max(1, math.ceil(seconds))


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """An error as HTTP: its status, its extra headers and the fields of its body.

    ``dialects/errors.py`` encodes it for each dialect; ``body`` is the encoding of OpenAI and of gglib's own API.
    """

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    message: str
    type_: str
    param: str | None
    code: str | None
    details: tuple[tuple[str, object], ...] = ()
    """Further fields of the error object, by name."""
    hint: str = ""
    """The end of ``message``, for dialects that replace its beginning."""

    def all_headers(self) -> Headers:
        """Return the headers of the complete response, without ``Content-Length``."""
        return [JSON, *self.headers]

    @property
    def error(self) -> dict[str, object]:
        """OpenAI's error object."""
        return {
            "message": self.message,
            "type": self.type_,
            "param": self.param,
            "code": self.code,
            **dict(self.details),
        }

    @property
    def body(self) -> bytes:
        """OpenAI's JSON body, on one line."""
        return to_json({"error": self.error})


_TABLE: dict[type[errors.GglibError], tuple[int, str]] = {
    BadRequestError: (400, _INVALID_REQUEST),
    ContentEncodingError: (415, _INVALID_REQUEST),
    ModelNotLoadedError: (400, _INVALID_REQUEST),
    UnauthorizedError: (401, _INVALID_REQUEST),
    ForbiddenError: (403, _INVALID_REQUEST),
    HostNotAllowedError: (403, _INVALID_REQUEST),
    OriginNotAllowedError: (403, _INVALID_REQUEST),
    UnknownPathError: (404, _INVALID_REQUEST),
    PageFileNotFoundError: (404, _INVALID_REQUEST),
    errors.ModelNotFoundError: (404, _INVALID_REQUEST),
    errors.ModelFileNotFoundError: (404, _INVALID_REQUEST),
    MethodNotAllowedError: (405, _INVALID_REQUEST),
    RateLimitError: (429, "requests"),
    TokenRateLimitError: (429, "tokens"),
    errors.ModelRuntimeError: (500, _SERVER_ERROR),
    errors.ModelLoadFailedError: (500, _SERVER_ERROR),
    errors.ModelOutOfMemoryError: (500, _SERVER_ERROR),
    errors.EngineNotFoundError: (500, _SERVER_ERROR),
    errors.ModelTooLargeError: (500, _SERVER_ERROR),
    PoisonRequestError: (500, _SERVER_ERROR),
    errors.CatalogError: (500, _SERVER_ERROR),
    errors.HistoryError: (500, _SERVER_ERROR),
    errors.RequestNotFoundError: (404, _INVALID_REQUEST),
    errors.RequestCancelledError: (503, _SERVER_ERROR),
    errors.LogNotFoundError: (404, _INVALID_REQUEST),
    errors.LogUnreadableError: (500, _SERVER_ERROR),
    errors.InvalidSettingError: (500, _SERVER_ERROR),
    PageUnreadableError: (500, _SERVER_ERROR),
    errors.GglibError: (500, _INTERNAL_ERROR),
    # gglib's own API: models, downloads, the hub and the disk.
    NoLibraryError: (501, _INVALID_REQUEST),
    NoProfilesError: (501, _INVALID_REQUEST),
    NoReloadError: (501, _INVALID_REQUEST),
    NoMachineError: (501, _INVALID_REQUEST),
    NoEventsError: (501, _INVALID_REQUEST),
    NotOfferedError: (501, _INVALID_REQUEST),
    errors.InvalidGgufError: (400, _INVALID_REQUEST),
    errors.ModelExistsError: (409, _INVALID_REQUEST),
    errors.DownloadNotFoundError: (404, _INVALID_REQUEST),
    errors.DownloadDoneError: (409, _INVALID_REQUEST),
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
    errors.InsufficientMemoryError: (503, _SERVER_ERROR),
    errors.ModelsPinnedError: (503, _SERVER_ERROR),
    errors.QueueFullError: (503, _SERVER_ERROR),
    errors.BatchSlotsFullError: (503, _SERVER_ERROR),
    errors.ModelStoppedError: (503, _SERVER_ERROR),
    errors.ShuttingDownError: (503, _SERVER_ERROR),
    errors.UpstreamStalledError: (504, "upstream_error"),
    errors.RequestWithdrawnError: (503, _SERVER_ERROR),
    errors.NoNodeError: (503, _SERVER_ERROR),
    errors.NodeError: (502, _SERVER_ERROR),
    errors.NodeNotFoundError: (404, _INVALID_REQUEST),
    errors.ModelNotOnNodeError: (404, _INVALID_REQUEST),
    errors.NodeNeededError: (400, _INVALID_REQUEST),
    # Instances of these have their own status; the rows are the usual values, for the OpenAPI document.
    EngineError: (500, _SERVER_ERROR),
    RefusedByEngineError: (400, _INVALID_REQUEST),
    UnsupportedByModelError: (400, _INVALID_REQUEST),
    ContextLengthExceededError: (400, "exceed_context_size_error"),
}
"""Status and ``type`` of each class. Other classes use their nearest base class; ``HttpError`` has its own status."""


_WITH_RETRY_AFTER = (
    errors.BatchSlotsFullError,
    errors.InsufficientMemoryError,
    errors.ModelLoadFailedError,
    errors.ModelLoadingError,
    errors.QueueFullError,
)
"""Errors that carry their own ``Retry-After``."""

_RETRY_AFTER_S: dict[type[Exception], float] = {
    errors.HubUnreachableError: 10.0,
    errors.HubBusyError: 60.0,
    errors.DownloadInProgressError: 30.0,
    errors.NoNodeError: 5.0,
    http.TooManyBodiesError: 5.0,
}
"""``Retry-After`` of errors that do not carry one: network failures, rate limits, another gglib's download, nodes."""


_MESSAGES: dict[type[Exception], str] = {
    http.TooManyConnectionsError: "Too many connections: try again in a moment, or raise 'max_connections'.",
    http.TooManyBodiesError: (
        "The request bodies in memory have reached their limit: "
        "try again in a moment, or raise 'max_bodies_mb'."
    ),
}
"""Messages that replace those of ``http`` errors, to name the setting that helps."""


def status_of(type_: type[errors.GglibError | http.HttpError]) -> int:
    """Return the status of an error class."""
    if issubclass(type_, http.HttpError):
        return type_.status
    return next(_TABLE[cls][0] for cls in type_.__mro__ if cls in _TABLE)


def to_error_response(error: Exception) -> ErrorResponse:
    """Return the response to an exception. Only a ``ReportableError`` is described to the client."""
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
    """Return compact JSON on one line."""
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
    if isinstance(error, RateLimitError):  # OpenAI's clients prefer the exact wait
        headers += _retry_after(error.retry_after_s)
        headers.append((b"retry-after-ms", str(max(1, math.ceil(error.retry_after_s * 1000))).encode()))
    if isinstance(error, _WITH_RETRY_AFTER):
        headers += _retry_after(error.retry_after_s)
    headers += _retry_after(_RETRY_AFTER_S.get(type(error)))
    if status >= 500 and not error.is_retryable:
        # The official clients retry a 5xx unless it has this header.
        headers.append((b"x-should-retry", b"false"))
    return tuple(headers)


def _retry_after(seconds: float | None) -> list[tuple[bytes, bytes]]:
    return [] if seconds is None else [(b"retry-after", str(_shown_wait(seconds)).encode())]


def _truncated(text: str) -> str:
    return text if len(text) <= _MAX_ECHO_CHARS else f"{text[:_MAX_ECHO_CHARS]}..."
