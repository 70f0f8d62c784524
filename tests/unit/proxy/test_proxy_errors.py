"""The table from error class to HTTP."""

import json
from pathlib import Path

import pytest

from gglib.core import errors
from gglib.http.errors import BodyTooLargeError, HttpError
from gglib.proxy.errors import (
    BadRequestError,
    ForbiddenError,
    HostNotAllowedError,
    MethodNotAllowedError,
    NoLibraryError,
    OriginNotAllowedError,
    UnauthorizedError,
    UnknownPathError,
    to_error_response,
)
from gglib.proxy.guards.poison_requests import PoisonRequestError

CASES: list[tuple[Exception, int, str, str | None, str | None]] = [
    (BadRequestError("no"), 400, "invalid_request_error", None, "invalid_request"),
    (BadRequestError("no", "stream"), 400, "invalid_request_error", "stream", "invalid_request"),
    (UnauthorizedError(), 401, "invalid_request_error", None, "invalid_api_key"),
    (ForbiddenError("no"), 403, "invalid_request_error", None, "forbidden"),
    (HostNotAllowedError("a"), 403, "invalid_request_error", None, "host_not_allowed"),
    (OriginNotAllowedError("http://a"), 403, "invalid_request_error", None, "origin_not_allowed"),
    (UnknownPathError("GET", "/x"), 404, "invalid_request_error", None, "not_found"),
    (errors.ModelNotFoundError("x"), 404, "invalid_request_error", "model", "model_not_found"),
    (errors.ModelFileNotFoundError("x"), 404, "invalid_request_error", "model", "model_file_not_found"),
    (MethodNotAllowedError("PUT", "/x", ("GET",)), 405, "invalid_request_error", None, "method_not_allowed"),
    (BodyTooLargeError(9), 413, "invalid_request_error", None, "body_too_large"),
    (errors.ModelLoadFailedError("x", "y"), 500, "server_error", None, "model_load_failed"),
    (errors.EngineNotFoundError("x"), 500, "server_error", None, "engine_not_found"),
    (errors.EngineBrokenError(Path("/x"), "y"), 500, "server_error", None, "engine_broken"),
    (PoisonRequestError(2), 500, "server_error", None, "request_ended_engine"),
    (errors.EngineDiedError("x", "y", was_alone=True), 502, "upstream_error", None, "upstream_error"),
    (errors.CatalogError("x"), 500, "server_error", None, "catalog_error"),
    (errors.ModelExistsError("x"), 409, "invalid_request_error", None, "model_exists"),
    (errors.InvalidGgufError("x"), 400, "invalid_request_error", None, "invalid_gguf"),
    (errors.InvalidSettingError("x"), 500, "server_error", None, "invalid_setting"),
    (errors.DownloadNotFoundError("x"), 404, "invalid_request_error", None, "download_not_found"),
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
    (errors.EngineDiedError("x", "y", was_alone=False), 502, "upstream_error", None, "upstream_error"),
    (errors.UpstreamError("x"), 502, "upstream_error", None, "upstream_error"),
    (errors.ModelLoadingError("x", 1), 503, "server_error", None, "model_loading"),
    (errors.QueueFullError(1, 1), 503, "server_error", None, "queue_full"),
    (errors.ShuttingDownError("x"), 503, "server_error", None, "shutting_down"),
    (KeyError("/home/secret"), 500, "internal_error", None, "internal_error"),
]


@pytest.mark.parametrize(("error", "status", "type_", "param", "code"), CASES)
def test_every_error_has_its_row(
    error: Exception, status: int, type_: str, param: str | None, code: str | None
) -> None:
    """Status, type, param and code are those of the table; the body has the four keys and no more."""
    error_response = to_error_response(error)
    told = json.loads(error_response.body)
    message = str(error) if isinstance(error, errors.GglibError | HttpError) else "Internal error"
    assert error_response.status == status
    assert told == {"error": {"message": message, "type": type_, "param": param, "code": code}}
    assert b"\n" not in error_response.body


@pytest.mark.parametrize("error", [case[0] for case in CASES])
def test_retry_is_forbidden_exactly_where_it_cannot_help(error: Exception) -> None:
    """A 5xx that a retry cannot cure says so; a 4xx needs no word, and what may be cured gets none."""
    error_response = to_error_response(error)
    is_retryable = isinstance(error, errors.GglibError) and error.is_retryable
    is_forbidden = (b"x-should-retry", b"false") in error_response.headers
    assert is_forbidden == (error_response.status >= 500 and not is_retryable)


@pytest.mark.parametrize(
    ("after_s", "header"), [(0, b"1"), (0.2, b"1"), (1, b"1"), (1.01, b"2"), (30, b"30")]
)
def test_retry_after_is_in_whole_seconds(after_s: float, header: bytes) -> None:
    """Retry-After never says too early, and never zero."""
    assert to_error_response(errors.ModelLoadingError("x", after_s)).headers == ((b"retry-after", header),)
    assert to_error_response(errors.QueueFullError(5, after_s)).headers == ((b"retry-after", header),)


def test_allow_lists_the_methods() -> None:
    """A 405 says which methods the path has."""
    error_response = to_error_response(MethodNotAllowedError("PUT", "/x", ("GET", "HEAD")))
    assert error_response.headers == ((b"allow", b"GET, HEAD"),)


def test_failed_load_shows_the_end_of_the_log() -> None:
    """The reason comes first, then up to five of the last lines."""
    error = errors.ModelLoadFailedError("x", "bad magic", tuple("abcdefg"))
    message = json.loads(to_error_response(error).body)["error"]["message"]
    assert message.splitlines() == [str(error), *"cdefg"]


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (errors.HubUnreachableError("x"), b"10"),
        (errors.HubBusyError("x"), b"60"),
        (errors.DownloadInProgressError("x"), b"30"),
    ],
)
def test_who_should_come_back_is_told_when(error: Exception, seconds: bytes) -> None:
    """A hub that is away or busy, and a file that another gglib fetches, will be there later."""
    assert dict(to_error_response(error).headers)[b"retry-after"] == seconds


def test_the_last_lines_of_an_engine_follow_the_reason() -> None:
    """Of a load that failed and of a death while it answered alike: five lines at most."""
    tail = tuple(f"line {number}" for number in range(8))
    for error in (
        errors.ModelLoadFailedError("m", "why", tail),
        errors.EngineDiedError("m", "why", tail, was_alone=False),
    ):
        message = json.loads(to_error_response(error).body)["error"]["message"]
        assert message.splitlines() == [str(error), "line 3", "line 4", "line 5", "line 6", "line 7"]
