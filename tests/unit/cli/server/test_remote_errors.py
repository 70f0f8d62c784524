"""The sentences about failures of a remote server."""

import json

import pytest

from gglib.cli.server.remote_errors import describe, local_refusal, remote_refusal, unreachable
from gglib.core.addresses import Endpoint
from gglib.http.client.one_shot import OneShotRequest
from gglib.http.errors import ConnectError, TlsError, TlsFault

BOX = Endpoint("https://box", "SECRET", is_remote=True)
REQUEST = OneShotRequest(b"GET", b"/gglib/models?x=1")


def body(code: object, message: str = "The message.\nlog line") -> bytes:
    """Return an error body."""
    return json.dumps({"error": {"code": code, "message": message}}).encode()


@pytest.mark.parametrize(
    ("status", "content", "location", "sentence"),
    [
        (401, b"", None, "https://box refused the API key: check GGLIB_REMOTE_KEY, or name another variable"),
        (403, body("forbidden", "Admins only."), None, "https://box refused GET /gglib/models: Admins only."),
        (403, b"", None, "https://box refused GET /gglib/models: the key may not do this"),
        (302, b"", b"https://other/", "https://box redirects to https://other/: use the address"),
        (404, body("not_found"), None, "gglib at https://box has no GET /gglib/models: update it"),
        (405, body("method_not_allowed"), None, "gglib at https://box has no GET /gglib/models"),
        (404, body("model_not_found"), None, "The message."),
        (404, body(404), None, "https://box is not a gglib server (GET /gglib/models returned status 404"),
        (502, b"<html>", None, "https://box is not a gglib server (GET /gglib/models returned status 502"),
        (403, body("forbidden", "a\nb"), None, "https://box refused GET /gglib/models: a"),
        (500, body("internal_error", ""), None, "https://box returned status 500 without a message."),
        (500, b"[" * 100_000, None, "https://box is not a gglib server"),
        (200, b"[", None, "https://box is not a gglib server"),
        (500, body("internal_error"), None, "The message."),
    ],
)
def test_each_response_has_its_sentence(
    status: int, content: bytes, location: bytes | None, sentence: str
) -> None:
    """One line, without the key and without the query."""
    text = str(remote_refusal(BOX, REQUEST, status, content, location))
    assert text.startswith(sentence)
    assert "\n" not in text
    assert "SECRET" not in text


def test_a_reverse_proxy_without_its_server_is_explained() -> None:
    """A gateway error without gglib's JSON is that of the proxy in front."""
    text = str(remote_refusal(BOX, REQUEST, 502, b"<html>", None))
    assert text.endswith("check the address, and that gglib runs behind it.")
    assert "behind" not in str(remote_refusal(BOX, REQUEST, 404, b"<html>", None))


def test_a_missing_key_is_named() -> None:
    """The sentence differs from that for a wrong key."""
    text = str(remote_refusal(Endpoint("http://box", None, is_remote=True), REQUEST, 401, b"", None))
    assert text.startswith("http://box requires an API key: set GGLIB_REMOTE_KEY")
    refused = str(
        remote_refusal(Endpoint("http://box", "wrong-key", is_remote=True), REQUEST, 401, b"", None)
    )
    assert refused.startswith("http://box refused the API key: check GGLIB_REMOTE_KEY")
    assert "wrong-key" not in refused


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            TlsError("has a certificate that is not trusted (self-signed)", TlsFault.UNTRUSTED),
            "https://box has a certificate that is not trusted (self-signed): --ca FILE",
        ),
        (TlsError("is for others", TlsFault.WRONG_NAME), "is for others: use a name or an address"),
        (TlsError("has expired", TlsFault.EXPIRED), "has expired: renew it on that machine"),
        (TlsError("is new", TlsFault.NOT_YET_VALID), "is new: check the clocks"),
        (TlsError("does not speak TLS", TlsFault.NOT_TLS), "does not speak TLS: try an http:// address"),
        (TlsError("failed"), "failed: 'gglib logs' on that machine"),
    ],
)
def test_each_failed_handshake_has_its_sentence(error: TlsError, words: str) -> None:
    """It says what to do about it."""
    assert words in str(unreachable(BOX, error))


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "cannot be reached (Connection refused)"),
        (TimeoutError(), "cannot be reached (no connection)"),
        (None, "cannot be reached (no connection)"),
    ],
)
def test_each_failed_connection_has_its_sentence(cause: Exception | None, words: str) -> None:
    """It says what to check."""
    error = ConnectError()
    error.__cause__ = cause
    assert words in str(unreachable(BOX, error))


def test_older_server_of_this_home_has_to_be_restarted() -> None:
    """After an update: the advice about base URLs does not help. Other errors are the server's own."""
    body = json.dumps({"error": {"code": "not_found", "message": "There is no route GET /x."}}).encode()
    local = Endpoint("http://127.0.0.1:8080")
    assert str(local_refusal(local, REQUEST, 404, body)) == (
        f"gglib at http://127.0.0.1:8080 is an older version without {describe(REQUEST)}: restart it with "
        "'gglib stop --server' and 'gglib serve'."
    )
    assert local_refusal(local, REQUEST, 404, body.replace(b"not_found", b"request_not_found")) is None
    assert local_refusal(local, REQUEST, 500, body) is None
