"""The table from error class to HTTP."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gglib.core import errors
from gglib.core.runtime.load_progress import LoadProgress
from gglib.http import errors as http
from gglib.http.errors import BodyTooLargeError, HttpError
from gglib.proxy.errors import (
    BadRequestError,
    ContentEncodingError,
    ContextLengthExceededError,
    EngineError,
    ForbiddenError,
    HostNotAllowedError,
    MethodNotAllowedError,
    NoEventsError,
    NoLibraryError,
    NoMachineError,
    NoModelInMemoryError,
    NoProfilesError,
    NoReloadError,
    OneModelNeededError,
    OriginNotAllowedError,
    PageFileNotFoundError,
    PageUnreadableError,
    RateLimitError,
    RefusedByEngineError,
    RevokedKeyError,
    TokenRateLimitError,
    UnauthorizedError,
    UnknownPathError,
    UnsupportedByModelError,
    status_of,
    to_error_response,
)
from gglib.proxy.guards.poison_requests import PoisonRequestError

CASES: list[tuple[Exception, int, str, str | None, str | None]] = [
    (BadRequestError("no"), 400, "invalid_request_error", None, "invalid_request"),
    (BadRequestError("no", "stream"), 400, "invalid_request_error", "stream", "invalid_request"),
    (UnauthorizedError(), 401, "invalid_request_error", None, "invalid_api_key"),
    (RevokedKeyError(), 401, "invalid_request_error", None, "invalid_api_key"),
    (
        RateLimitError("alice", "rpm", 60, 60, retry_after_s=3),
        429,
        "requests",
        None,
        "rate_limit_exceeded",
    ),
    (
        TokenRateLimitError("alice", "tpm", 60, 60, retry_after_s=3),
        429,
        "tokens",
        None,
        "rate_limit_exceeded",
    ),
    (ForbiddenError("no"), 403, "invalid_request_error", None, "forbidden"),
    (HostNotAllowedError("a"), 403, "invalid_request_error", None, "host_not_allowed"),
    (OriginNotAllowedError("http://a"), 403, "invalid_request_error", None, "origin_not_allowed"),
    (UnknownPathError("GET", "/x"), 404, "invalid_request_error", None, "not_found"),
    (errors.ModelNotFoundError("x"), 404, "invalid_request_error", "model", "model_not_found"),
    (
        NoModelInMemoryError("claude-x", "claude-*", ("y", "z")),
        404,
        "invalid_request_error",
        "model",
        "model_not_found",
    ),
    (OneModelNeededError("x", "x", ("y", "z")), 404, "invalid_request_error", "model", "model_not_found"),
    (errors.ModelFileNotFoundError("x"), 404, "invalid_request_error", "model", "model_file_not_found"),
    (MethodNotAllowedError("PUT", "/x", ("GET",)), 405, "invalid_request_error", None, "method_not_allowed"),
    (BodyTooLargeError(9), 413, "invalid_request_error", None, "body_too_large"),
    (errors.ModelLoadFailedError("x", "y"), 500, "server_error", None, "model_load_failed"),
    (errors.ModelOutOfMemoryError("x", "y"), 500, "server_error", None, "model_out_of_memory"),
    (errors.EngineNotFoundError("x"), 500, "server_error", None, "engine_not_found"),
    (errors.EngineBrokenError(Path("/x"), "y"), 500, "server_error", None, "engine_broken"),
    (
        errors.BackendKeyMissingError("m", "KEY", is_set=False),
        500,
        "server_error",
        None,
        "backend_key_missing",
    ),
    (
        errors.ModelTooLargeError("x", {"ram": 2}, {"ram": 1}),
        500,
        "server_error",
        None,
        "model_too_large",
    ),
    (PoisonRequestError(2), 500, "server_error", None, "request_ended_engine"),
    (errors.EngineDiedError("x", "y", was_only_request=True), 502, "upstream_error", None, "upstream_error"),
    (errors.CatalogError("x"), 500, "server_error", None, "catalog_error"),
    (errors.ModelExistsError("x"), 409, "invalid_request_error", None, "model_exists"),
    (errors.InvalidGgufError("x"), 400, "invalid_request_error", None, "invalid_gguf"),
    (errors.InvalidSettingError("x"), 500, "server_error", None, "invalid_setting"),
    (errors.DownloadNotFoundError("x"), 404, "invalid_request_error", None, "download_not_found"),
    (PageUnreadableError(), 500, "server_error", None, "page_unreadable"),
    (NoLibraryError(), 501, "invalid_request_error", None, "not_offered"),
    (errors.VariantChoiceError("x"), 400, "invalid_request_error", None, "no_such_choice"),
    (errors.UnsafeNameError("x"), 400, "invalid_request_error", None, "unsafe_name"),
    (errors.RepositoryNotFoundError("x"), 404, "invalid_request_error", None, "repository_not_found"),
    (errors.GatedRepositoryError("x"), 403, "invalid_request_error", None, "repository_gated"),
    (errors.DownloadInProgressError("x"), 409, "invalid_request_error", None, "being_fetched"),
    (errors.HubError("x"), 502, "server_error", None, "hub_error"),
    (errors.DownloadCorruptError("x"), 502, "server_error", None, "download_corrupt"),
    (errors.HubUnreachableError("x"), 503, "server_error", None, "hub_unreachable"),
    (errors.HubBusyError("x"), 503, "server_error", None, "hub_busy"),
    (errors.StorageError("x"), 500, "server_error", None, "storage_failed"),
    (errors.DiskFullError("x"), 507, "server_error", None, "disk_full"),
    (errors.EngineDiedError("x", "y", was_only_request=False), 502, "upstream_error", None, "upstream_error"),
    (errors.UpstreamError("x"), 502, "upstream_error", None, "upstream_error"),
    (errors.ModelLoadingError("x", 1), 503, "server_error", None, "model_loading"),
    (
        errors.InsufficientMemoryError("x", {"ram": 2}, {"ram": 1}, 1),
        503,
        "server_error",
        None,
        "insufficient_memory",
    ),
    (errors.ModelsPinnedError("x", ("y",)), 503, "server_error", None, "models_pinned"),
    (errors.QueueFullError(1, 1), 503, "server_error", None, "queue_full"),
    (errors.BatchSlotsFullError("x", 1), 503, "server_error", None, "batch_slots_full"),
    (errors.ShuttingDownError("x"), 503, "server_error", None, "shutting_down"),
    (errors.BackendUnreachableError("x"), 502, "upstream_error", None, "upstream_error"),
    (errors.NodeLostError("a", "closed the connection"), 502, "upstream_error", None, "node_lost"),
    (errors.NoNodeError("x", "a is down"), 503, "server_error", None, "no_node"),
    (errors.EngineUnreachableError("x"), 502, "upstream_error", None, "upstream_error"),
    (errors.UpstreamStalledError("x"), 504, "upstream_error", None, "upstream_timeout"),
    (ContentEncodingError(), 415, "invalid_request_error", None, "unsupported_encoding"),
    (NoEventsError(), 501, "invalid_request_error", None, "not_offered"),
    (NoMachineError(), 501, "invalid_request_error", None, "not_offered"),
    (PageFileNotFoundError(), 404, "invalid_request_error", None, "page_file_not_found"),
    (RefusedByEngineError("x"), 400, "invalid_request_error", None, "invalid_request"),
    (UnsupportedByModelError("x", "vision"), 400, "invalid_request_error", None, "unsupported_by_model"),
    (EngineError("x", status=500, type_="server_error"), 500, "server_error", None, "engine_error"),
    (EngineError("x", status=429, type_="busy", shown_code=None), 429, "busy", None, None),
    (http.MalformedMessageError("x"), 400, "invalid_request_error", None, "invalid_request"),
    (http.UnsupportedVersionError("x"), 505, "invalid_request_error", None, "invalid_request"),
    (KeyError("/home/secret"), 500, "internal_error", None, "internal_error"),
]


@pytest.mark.parametrize(("error", "status", "type_", "param", "code"), CASES)
def test_every_error_has_its_row(
    error: Exception, status: int, type_: str, param: str | None, code: str | None
) -> None:
    """Status, type, param and code follow from the class; the body has these four keys, on one line."""
    error_response = to_error_response(error)
    body = json.loads(error_response.body)
    message = str(error) if isinstance(error, errors.GglibError | HttpError) else "Internal error"
    assert error_response.status == status
    assert body == {"error": {"message": message, "type": type_, "param": param, "code": code}}
    assert b"\n" not in error_response.body
    assert error_response.all_headers() == [(b"content-type", b"application/json"), *error_response.headers]


@pytest.mark.parametrize("error", [case[0] for case in CASES])
def test_retry_is_forbidden_exactly_where_it_cannot_help(error: Exception) -> None:
    """Clients retry each 5xx by default, and no 4xx; the header stops them where the error is permanent."""
    error_response = to_error_response(error)
    is_retryable = isinstance(error, errors.GglibError | HttpError) and error.is_retryable
    is_forbidden = (b"x-should-retry", b"false") in error_response.headers
    assert is_forbidden == (error_response.status >= 500 and not is_retryable)


@pytest.mark.parametrize(
    ("after_s", "header"), [(0, b"1"), (0.2, b"1"), (1, b"1"), (1.01, b"2"), (30, b"30")]
)
def test_retry_after_is_in_whole_seconds(after_s: float, header: bytes) -> None:
    """It is rounded up, and never zero."""
    retry_after = (b"retry-after", header)
    assert to_error_response(errors.ModelLoadingError("x", after_s)).headers == (retry_after,)
    assert to_error_response(errors.QueueFullError(5, after_s)).headers == (retry_after,)
    short = errors.InsufficientMemoryError("x", {"ram": 2}, {"ram": 1}, after_s)
    assert to_error_response(short).headers == (retry_after,)
    failed = errors.ModelLoadFailedError("x", "y", retry_after_s=after_s)
    assert to_error_response(failed).headers == (retry_after, (b"x-should-retry", b"false"))


def test_a_failed_load_without_a_time_has_no_retry_after() -> None:
    """The model is not loaded again by itself."""
    error = errors.ModelLoadFailedError("x", "y")
    assert to_error_response(error).headers == ((b"x-should-retry", b"false"),)


def test_allow_lists_the_methods() -> None:
    """A 405 lists the methods of the path, in its header and in its message."""
    error_response = to_error_response(MethodNotAllowedError("PUT", "/x", ("GET", "HEAD")))
    assert error_response.headers == ((b"allow", b"GET, HEAD"),)
    assert "use GET or HEAD" in error_response.message


def test_a_missing_key_names_the_scheme() -> None:
    """A 401 has a ``WWW-Authenticate`` header (RFC 9110, 11.6.1)."""
    assert to_error_response(UnauthorizedError()).headers == ((b"www-authenticate", b"Bearer"),)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (errors.HubUnreachableError("x"), b"10"),
        (errors.HubBusyError("x"), b"60"),
        (errors.DownloadInProgressError("x"), b"30"),
        (http.TooManyBodiesError(), b"5"),
    ],
)
def test_retry_after_of_errors_without_one(error: Exception, seconds: bytes) -> None:
    """The hub, another download of the same file, and the memory for bodies become available later."""
    assert dict(to_error_response(error).headers)[b"retry-after"] == seconds


@pytest.mark.parametrize(
    "failed",
    [
        lambda log: errors.ModelLoadFailedError("m", "why", log),
        lambda log: errors.EngineDiedError("m", "why", log, was_only_request=False),
    ],
)
def test_the_last_log_lines_of_the_engine_follow_the_reason(
    failed: Callable[[tuple[str, ...]], errors.GglibError],
) -> None:
    """At most five, after a failed load and after a crash; without a log the reason stands alone."""
    for log, shown in (((), ""), (("a",), "a"), (tuple("abcde"), "abcde"), (tuple("abcdefgh"), "defgh")):
        error = failed(log)
        assert to_error_response(error).message.splitlines() == [str(error), *shown]


@pytest.mark.parametrize(
    ("error", "setting"),
    [(http.TooManyConnectionsError(), "max_connections"), (http.TooManyBodiesError(), "max_bodies_mb")],
)
def test_a_full_server_names_the_setting_that_helps(error: HttpError, setting: str) -> None:
    """It is a temporary error of the server; ``http`` itself does not know the settings."""
    error_response = to_error_response(error)
    assert setting in error_response.message
    assert setting not in str(error)
    assert (error_response.status, error_response.type_) == (503, "server_error")


def test_a_loading_model_reports_its_progress() -> None:
    """State, share and remaining time where they are known; no further field where they are not."""
    error = errors.ModelLoadingError("m", 1, LoadProgress(elapsed_s=2, expected_s=8))
    loading = {"state": "loading", "progress": 0.25, "eta_seconds": 6.0}
    assert to_error_response(error).error["loading"] == loading
    assert "loading" not in to_error_response(errors.ModelLoadingError("m", 1)).error
    assert "loading" not in to_error_response(errors.QueueFullError(1, 1)).error


def test_an_exceeded_context_reports_its_sizes_and_its_hint() -> None:
    """The sizes are fields of the error object; other dialects need the hint apart from the message."""
    error = ContextLengthExceededError("Too long: help.", details={"n_ctx": 8}, hint=": help.")
    error_response = to_error_response(error)
    assert error_response.error == {
        "message": "Too long: help.",
        "type": "exceed_context_size_error",
        "param": None,
        "code": "context_length_exceeded",
        "n_ctx": 8,
    }
    assert error_response.hint == ": help."
    assert not to_error_response(RefusedByEngineError("x")).hint


@pytest.mark.parametrize(
    ("status", "source"), [(499, errors.ErrorSource.CLIENT), (500, errors.ErrorSource.ENGINE)]
)
def test_a_response_of_the_engine_below_500_is_an_error_of_the_client(
    status: int, source: errors.ErrorSource
) -> None:
    """The engine refused the request; from 500 on the engine failed."""
    error = EngineError("x", status=status, type_="t", is_retryable=True)
    assert error.source is source
    assert to_error_response(error).headers == ()
    assert to_error_response(error).status == status


@pytest.mark.parametrize(
    ("host", "base_urls"),
    [
        (b"a.b:1", ("http://a.b:1/v1 for", "http://a.b:1 for", "http://a.b:1/docs")),
        (b"\xff", (r"http://\xff/v1 for",)),
        (None, ("is /v1 for", "and / for", " /docs")),
    ],
)
def test_an_unknown_path_names_the_base_urls(host: bytes | None, base_urls: tuple[str, ...]) -> None:
    """They begin with the host that the client used, if it sent one."""
    message = str(UnknownPathError("GET", "/x", host))
    assert message.replace("http://", "https://") == str(UnknownPathError("GET", "/x", host, "https"))
    assert all(url in message for url in base_urls)


@pytest.mark.parametrize(("length", "shown"), [(100, "x" * 100 + "'"), (101, "x" * 100 + "...'")])
def test_long_input_of_the_client_is_cut_in_messages(length: int, shown: str) -> None:
    """Hosts, origins and paths may be as long as a request head."""
    for error in (HostNotAllowedError("x" * length), OriginNotAllowedError("x" * length)):
        assert f"'{shown} " in str(error)
    assert shown[:-1] + ". The base" in str(UnknownPathError("GET", "x" * length))


@pytest.mark.parametrize("accepts_keys", [True, False])
def test_a_refused_host_names_the_key_only_where_keys_are_set(accepts_keys: bool) -> None:  # noqa: FBT001 - a row's value
    """A key is accepted instead of an allowed host."""
    assert ("API keys" in str(HostNotAllowedError("a", accepts_keys=accepts_keys))) is accepts_keys


@pytest.mark.parametrize("error", [case[0] for case in CASES if not isinstance(case[0], KeyError)])
def test_status_of_a_class_is_that_of_its_instances(error: errors.GglibError | HttpError) -> None:
    """The OpenAPI document declares it; only errors of the engine carry a status of their own."""
    if type(error) is not EngineError:
        assert status_of(type(error)) == to_error_response(error).status


def test_parts_that_an_embedding_program_leaves_out_say_so() -> None:
    """Profiles and reloads are optional arguments of ``serve``."""
    assert str(NoProfilesError()) == "This server has no profiles."
    assert "restart it" in str(NoReloadError())


@pytest.mark.parametrize(
    ("wait_s", "seconds", "milliseconds"),
    [(0.0001, b"1", b"1"), (0.4, b"1", b"400"), (12.0001, b"13", b"12001"), (60, b"60", b"60000")],
)
def test_a_limited_client_learns_the_exact_wait(wait_s: float, seconds: bytes, milliseconds: bytes) -> None:
    """In whole seconds (RFC 9110), and in OpenAI's own header; never 0, and never too short."""
    error = RateLimitError("alice", "parallel", 4, 4, retry_after_s=wait_s)
    response = to_error_response(error)
    assert response.headers == ((b"retry-after", seconds), (b"retry-after-ms", milliseconds))
    assert response.message == (
        f"The key 'alice' has reached its limit of 4 requests at once (4 used): try again in {seconds.decode()} s, or "
        "raise 'parallel' on the server's machine with 'gglib key limit alice --parallel N'."
    )


def test_a_client_whose_key_is_revoked_in_mid_stream_does_not_read_that_it_sent_none() -> None:
    """Its key was accepted at the start of the request."""
    assert str(RevokedKeyError()) == (
        "The API key of this request was revoked while the request was in progress: use another key."
    )


@pytest.mark.parametrize(
    ("name", "limit", "used", "requested", "beginning"),
    [
        ("parallel", 1, 1, 0, "has reached its limit of 1 request at once (1 used): try"),
        ("rpm", 1, 1, 0, "has reached its limit of 1 request per minute (1 used): try"),
        ("tpm", 50, 70, 0, "has reached its limit of 50 tokens per minute (70 used): try"),
        ("tpm", 50, 50, 9, "has reached its limit of 50 tokens per minute (50 used): try"),
        (
            "tpm",
            5000,
            63,
            5027,
            "would exceed its limit of 5,000 tokens per minute (63 used, this request may take 5,027): try",
        ),
    ],
)
def test_a_limit_names_what_exceeds_it(
    name: str, limit: int, used: int, requested: int, beginning: str
) -> None:
    """The use, or the size of a request that does not fit beside it."""
    error = RateLimitError("alice", name, limit, used, retry_after_s=3, requested=requested)
    assert str(error).startswith(f"The key 'alice' {beginning} again in 3 s")
