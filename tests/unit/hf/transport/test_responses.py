"""Classification of the responses to a request for a file."""

import pytest

from gglib.core.errors import GatedRepositoryError, HubError, RepositoryNotFoundError
from gglib.core.hub.repository import RemoteFile
from gglib.hf.transport.responses import (
    FileChangedError,
    RetryAfterError,
    TransientError,
    describe_body,
    hub_request_for,
    linked_sha256,
    raise_for_status,
    retry_after_s,
    strong_etag,
    unsatisfied_total,
    validator_of,
)

HUB = "https://hub.example"
NOW = 1_767_323_045.0  # 2026-01-02 03:04:05 UTC
IN_REPOSITORY = RemoteFile(name="m.gguf", repo="ada/m", revision="c" * 40)
AT_ADDRESS = RemoteFile(name="m.gguf", url="https://other/m.gguf")


def test_whole_file_starts_at_zero() -> None:
    """A 200 is the whole file, whichever range was requested."""
    body = describe_body(200, {"Content-Length": "10", "ETag": '"v"'}, first_byte=7, is_chunked=False)
    assert (body.first_byte, body.length_bytes, body.total_bytes, body.etag, body.is_part) == (
        0,
        10,
        10,
        '"v"',
        False,
    )


def test_part_has_the_total_length() -> None:
    """With a star the total length is unknown."""
    body = describe_body(206, {"Content-Range": "bytes 7-9/10"}, first_byte=7, is_chunked=False)
    assert (body.first_byte, body.length_bytes, body.total_bytes, body.is_part) == (7, 3, 10, True)
    assert (
        describe_body(206, {"Content-Range": "bytes 7-9/*"}, first_byte=7, is_chunked=False).total_bytes
        is None
    )


@pytest.mark.parametrize(
    "sent", ["bytes 0-9/10", "bytes 8-9/10", "bytes 7-9", "items 7-9/10", "", "bytes -3/10"]
)
def test_other_part_than_requested_is_refused(sent: str) -> None:
    """Its bytes would be written to the wrong offset."""
    with pytest.raises(FileChangedError):
        describe_body(206, {"Content-Range": sent}, first_byte=7, is_chunked=False)


def test_body_without_framing_is_refused() -> None:
    """A truncated body could not be detected; a chunked body has an end."""
    with pytest.raises(HubError, match="length of the file"):
        describe_body(200, {}, first_byte=0, is_chunked=False)
    assert describe_body(200, {}, first_byte=0, is_chunked=True).length_bytes is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "Fri, 02 Jan 2026 03:04:15 GMT"}, 10.0),
        ({"Retry-After": "Fri, 02 Jan 2026 03:04:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"RateLimit": '"api";r=0;t=55'}, 56.0),
        ({"RateLimit": '"api";r=3;t=55'}, None),
        ({}, None),
    ],
)
def test_retry_after_is_parsed(headers: dict[str, str], expected: float | None) -> None:
    """In seconds, as a date, or in the draft's header, which the hub sends."""
    assert retry_after_s(headers, NOW) == expected


@pytest.mark.parametrize(
    ("status", "headers", "file", "is_hub", "error"),
    [
        (429, {}, IN_REPOSITORY, True, RetryAfterError),
        (503, {"Retry-After": "3"}, AT_ADDRESS, False, RetryAfterError),
        (503, {}, IN_REPOSITORY, True, TransientError),
        (500, {}, AT_ADDRESS, False, TransientError),
        (408, {}, AT_ADDRESS, False, TransientError),
        (403, {}, IN_REPOSITORY, False, TransientError),
        (404, {}, IN_REPOSITORY, False, TransientError),
        (401, {"X-Error-Code": "GatedRepo"}, IN_REPOSITORY, True, GatedRepositoryError),
        (401, {"X-Error-Code": "RepoNotFound"}, IN_REPOSITORY, True, RepositoryNotFoundError),
        (404, {"x-error-code": "EntryNotFound"}, IN_REPOSITORY, True, RepositoryNotFoundError),
        (404, {}, AT_ADDRESS, False, RepositoryNotFoundError),
        (403, {}, AT_ADDRESS, False, GatedRepositoryError),
        (418, {}, AT_ADDRESS, False, HubError),
    ],
)
def test_error_response_says_whether_to_retry(
    *, status: int, headers: dict[str, str], file: RemoteFile, is_hub: bool, error: type[Exception]
) -> None:
    """A signed address that another host refuses has expired: the hub issues another one."""
    with pytest.raises(error):
        raise_for_status(status, headers, hub_request_for(file, HUB, has_token=False), is_hub=is_hub, now=NOW)


def test_file_is_no_error() -> None:
    """Neither a whole file nor a part is an error."""
    for status in (200, 206):
        raise_for_status(status, {}, hub_request_for(AT_ADDRESS, HUB, has_token=False), is_hub=False, now=NOW)


def test_only_a_strong_etag_identifies_a_version() -> None:
    """RFC 9110, 13.1.5: a weak one must not be sent in If-Range."""
    assert [strong_etag(tag) for tag in ('"v"', 'W/"v"', "v", None)] == ['"v"', None, None, None]


def test_hub_names_the_hash_of_a_large_file() -> None:
    """For a small one it is git's, which is another hash."""
    assert linked_sha256({"X-Linked-Etag": f'"{"aB" * 32}"'}) == "ab" * 32
    assert linked_sha256({"X-Linked-Etag": f'"{"a" * 40}"'}) is None
    assert linked_sha256({}) is None


def test_response_416_has_the_length_of_the_file() -> None:
    """The validator is None if the server sends none."""
    assert unsatisfied_total({"Content-Range": "bytes */10"}) == 10
    assert unsatisfied_total({}) is None


def test_absurd_numbers_are_not_parsed() -> None:
    """Python's int() rejects thousands of digits, which would not raise gglib's error."""
    digits = "9" * 5000
    for sent in (f"bytes 0-{digits}/*", f"bytes 0-9/{digits}", "bytes 0-\u0669/10"):
        with pytest.raises(FileChangedError):
            describe_body(206, {"Content-Range": sent}, first_byte=0, is_chunked=False)
    assert unsatisfied_total({"Content-Range": f"bytes */{digits}"}) is None
    assert retry_after_s({"Retry-After": f"Mon, 01 Jan 2024 00:00:00 {digits[:30]}"}, NOW) is None


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({"ETag": '"v"', "Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT"}, '"v"'),
        ({"ETag": 'W/"v"'}, 'W/"v"'),
        ({"Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT"}, "Fri, 02 Jan 2026 03:04:05 GMT"),
        (
            {"Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT", "Date": "Fri, 02 Jan 2026 03:04:06 GMT"},
            "Fri, 02 Jan 2026 03:04:05 GMT",
        ),
        ({"Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT", "Date": "Fri, 02 Jan 2026 03:04:05 GMT"}, None),
        ({"Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT", "Date": "now"}, None),
        ({"Last-Modified": "yesterday"}, None),
        ({"ETag": f'"{"v" * 2000}"'}, None),
        ({"ETag": "  "}, None),
        ({}, None),
    ],
)
def test_validator_is_the_etag_or_a_past_date(headers: dict[str, str], validator: str | None) -> None:
    """A file may change again within the second of the date."""
    assert validator_of(headers) == validator
