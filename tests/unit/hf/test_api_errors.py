"""Error responses of the hub, and their messages for the user."""

from itertools import product

import pytest

from gglib.core.errors import (
    GatedRepositoryError,
    HubBusyError,
    HubError,
    HubUnreachableError,
    RepositoryNotFoundError,
)
from gglib.hf.api_errors import HubRequest, error_for, retry_after_s

ASKED = HubRequest(endpoint="https://hub.example", repo="ada/coder", revision="v2", file="m.gguf")
WITH_TOKEN = HubRequest(endpoint="https://hub.example", repo="ada/coder", had_token=True)
SEARCH = HubRequest(endpoint="https://hub.example")


@pytest.mark.parametrize(
    ("status", "headers", "hub_request", "kind", "words"),
    [
        (
            401,
            {"x-error-code": "GatedRepo"},
            ASKED,
            GatedRepositoryError,
            ["https://hub.example/ada/coder", "HF_TOKEN"],
        ),
        (
            403,
            {"x-error-code": "GatedRepo"},
            WITH_TOKEN,
            GatedRepositoryError,
            ["https://hub.example/ada/coder"],
        ),
        (
            403,
            {"x-error-message": "Forbidden: fine-grained"},
            WITH_TOKEN,
            GatedRepositoryError,
            ["fine-grained"],
        ),
        (404, {"x-error-code": "RevisionNotFound"}, ASKED, RepositoryNotFoundError, ["'v2'"]),
        (404, {"x-error-code": "EntryNotFound"}, ASKED, RepositoryNotFoundError, ["'m.gguf'"]),
        (401, {"x-error-code": "RepoNotFound"}, ASKED, RepositoryNotFoundError, ["ada/coder", "HF_TOKEN"]),
        (404, {"x-error-code": "RepoNotFound"}, WITH_TOKEN, RepositoryNotFoundError, ["your token"]),
        (404, {}, ASKED, RepositoryNotFoundError, ["ada/coder"]),
        (
            403,
            {"x-error-message": "Access to this resource is disabled."},
            ASKED,
            RepositoryNotFoundError,
            ["disabled"],
        ),
        (
            401,
            {"x-error-message": "Invalid credentials in Authorization header"},
            WITH_TOKEN,
            HubError,
            ["HF_TOKEN"],
        ),
        (403, {}, SEARCH, HubError, ["HF_ENDPOINT"]),
        (404, {}, SEARCH, HubError, ["HF_ENDPOINT"]),
        (429, {"retry-after": "9"}, ASKED, HubBusyError, ["9 s", "HF_TOKEN"]),
        (429, {}, WITH_TOKEN, HubBusyError, ["later"]),
        (503, {}, ASKED, HubUnreachableError, ["503", "still work"]),
        (408, {}, ASKED, HubUnreachableError, ["408"]),
        (400, {"x-error-message": "no"}, ASKED, HubError, ["400", "no"]),
    ],
)
def test_each_error_response_has_its_class_and_advice(
    status: int, headers: dict[str, str], hub_request: HubRequest, kind: type[HubError], words: list[str]
) -> None:
    """Each error response maps to its own class, and the message says what to do."""
    error = error_for(status, headers, hub_request)
    assert type(error) is kind
    assert [word for word in words if word not in str(error)] == []


def test_each_message_is_one_sentence_on_one_line() -> None:
    """Any hub message gives one line that ends in a full stop and has no control characters."""
    codes = ["", "GatedRepo", "RepoNotFound", "RevisionNotFound", "EntryNotFound", "Surprise"]
    messages = ["", "x" * 10_000, "a\x1b[2J\r\nb", "Invalid credentials", "."]
    for status, code, message, hub_request in product(
        range(400, 600, 7), codes, messages, (ASKED, WITH_TOKEN, SEARCH)
    ):
        text = str(error_for(status, {"x-error-code": code, "x-error-message": message}, hub_request))
        assert text.endswith(".")
        assert text.isprintable()
        assert len(text) < 600


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 0 "}, 0),
        ({"retry-after": "-7"}, None),
        ({"retry-after": "²"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
        ({"retry-after": "9" * 5000}, None),
        ({"ratelimit": '"api";r=0;t=55'}, 55),
        ({"ratelimit": '"api";r=12;t=55'}, None),
        ({"ratelimit": "garbage"}, None),
    ],
)
def test_retry_time_is_read_in_both_forms(headers: dict[str, str], seconds: int | None) -> None:
    """Seconds to wait are in Retry-After, or in the draft's header where nothing is left; else unknown."""
    assert retry_after_s(headers) == seconds


def test_secret_in_the_address_is_not_shown() -> None:
    """User name and password of an endpoint are never shown."""
    hub_request = HubRequest(endpoint="https://me:secret@hub.example:8443/hf", repo="a/b")
    assert hub_request.page == "https://hub.example:8443/hf/a/b"
    for status, code in product((401, 403, 404, 418, 429, 500), ("", "GatedRepo", "RepoNotFound")):
        assert "secret" not in str(error_for(status, {"x-error-code": code}, hub_request))
