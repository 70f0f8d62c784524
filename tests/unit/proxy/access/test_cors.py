"""Which web origins are allowed, and which CORS headers a browser gets."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.http.headers import Headers
from gglib.proxy.access.cors import CorsRules
from gglib.proxy.errors import OriginNotAllowedError, to_error_response

RULES = CorsRules(["https://Chat.example.com", "http://box.lan:3000", "app://notes", "http://a.example:80"])
ANY = CorsRules(["*"])

ANSWERED = [
    *(b"http://localhost", b"http://localhost:3000", b"https://localhost:8443", b"HTTP://LOCALHOST:3000"),
    *(
        b"http://127.0.0.1",
        b"http://127.0.0.1:5173",
        b"https://127.8.9.10",
        b"http://[::1]",
        b"http://[::1]:3000",
    ),
    *(b"https://chat.example.com", b"https://chat.example.com:443", b"https://CHAT.example.com"),
    *(b"http://box.lan:3000", b"app://notes", b"http://a.example"),
]
REFUSED = [
    *(b"https://evil.com", b"http://evil.com", b"HTTPS://EVIL.COM", b"null", b"NULL", b"", b" "),
    *(b"http://chat.example.com", b"https://chat.example.com:444", b"https://x.chat.example.com"),
    *(
        b"https://chat.example.com.evil.com",
        b"https://chat.example.com/",
        b"https://chat.example.com@evil.com",
    ),
    *(b"http://box.lan", b"http://box.lan:3001", b"https://box.lan:3000", b"http://localhost.evil.com"),
    *(
        b"http://evil.localhost",
        b"http://localhost.",
        b"http://127.1",
        b"http://0.0.0.0",
        b"http://[::ffff:127.0.0.1]",
    ),
    *(b"http://127.0.0.1.nip.io", b"http://localhost:70000", b"http://localhost:", b"http://user@localhost"),
    *(
        b"http://",
        b"http:",
        b"https:",
        b"http:localhost",
        b"http:/localhost",
        b"http://local host",
        b"localhost",
    ),
    *(b"http://localhost http://evil.com", b"app://x http://evil.com", b"http://localhost, http://evil.com"),
    *(
        b"*",
        b"//evil.com",
        b"://evil.com",
        b"http://\xc3\xa9vil.com",
        b"\xff",
        b"app://\xff",
        b"https://" + b"a" * 600,
    ),
    b"http://localhost" + b"0" * 600,
]
PROGRAMS = [
    *(
        b"vscode-webview://1abc",
        b"tauri://localhost",
        b"app://obsidian.md",
        b"file://",
        b"capacitor://localhost",
    ),
    *(
        b"chrome-extension://abcdefgh",
        b"moz-extension://0123-4567",
        b"VSCODE-FILE://vscode-app",
        b"httpx://a",
    ),
]


def is_refused(rules: CorsRules, origin: bytes | None, host: bytes | None = None) -> bool:
    """Whether a request with this ``Origin`` is refused."""
    try:
        rules.check(origin, host)
    except OriginNotAllowedError:
        return True
    return False


def preflight_of(origin: bytes, *more: tuple[bytes, bytes]) -> Headers:
    """Return the headers of a preflight request."""
    return [(b"host", b"localhost"), (b"origin", origin), (b"access-control-request-method", b"POST"), *more]


EXPOSED = (
    b"x-request-id, x-gglib-context, retry-after, retry-after-ms, x-should-retry, location, "
    b"x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, "
    b"anthropic-ratelimit-requests-limit, anthropic-ratelimit-requests-remaining, "
    b"anthropic-ratelimit-requests-reset, "
    b"x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens, "
    b"anthropic-ratelimit-tokens-limit, anthropic-ratelimit-tokens-remaining, anthropic-ratelimit-tokens-reset"
)


@pytest.mark.parametrize("origin", ANSWERED)
def test_allowed_origin_may_read_the_response(origin: bytes) -> None:
    """Loopback and configured origins get their own origin back, as they wrote it, and the other CORS headers."""
    assert not is_refused(RULES, origin)
    assert RULES.response_headers(origin) == [
        (b"access-control-allow-origin", origin),
        (b"vary", b"Origin"),
        (b"access-control-expose-headers", EXPOSED),
    ]


@pytest.mark.parametrize("origin", REFUSED)
def test_other_origins_are_refused(origin: bytes) -> None:
    """A request that may not read the response is not served either: other pages, ``null`` and malformed origins."""
    assert is_refused(RULES, origin)
    assert RULES.response_headers(origin) == []
    assert RULES.preflight(preflight_of(origin)) is None


@pytest.mark.parametrize("origin", PROGRAMS)
def test_local_program_is_served_without_cors_headers(origin: bytes) -> None:
    """Editors and desktop apps have their own schemes: not refused, but without CORS headers unless configured."""
    assert not is_refused(RULES, origin)
    assert RULES.response_headers(origin) == []


@pytest.mark.parametrize("origin", PROGRAMS)
def test_preflight_of_an_unconfigured_program_names_the_setting(origin: bytes) -> None:
    """Its browser engine sends a preflight and needs the headers, so the error names the setting."""
    with pytest.raises(OriginNotAllowedError, match="'cors_origins'"):
        RULES.preflight(preflight_of(origin))


@pytest.mark.parametrize(
    ("allowed", "origin"),
    [
        ("null", b"null"),
        ("NULL", b"null"),
        ("file://", b"file://"),
        ("File://", b"FILE://"),
        ("app://", b"app://"),
    ],
)
def test_origin_without_a_host_can_be_configured(allowed: str, origin: bytes) -> None:
    """Configured local files, sandboxed frames and desktop apps may send a preflight and read the response."""
    rules = CorsRules([allowed])
    assert not is_refused(rules, origin)
    assert rules.preflight(preflight_of(origin)) is not None
    assert rules.response_headers(origin)[0] == (b"access-control-allow-origin", origin)


@pytest.mark.parametrize("origin", [b"https://evil.com", b"file://host", b"nullx", b"app://x"])
def test_origin_without_a_host_allows_no_other(origin: bytes) -> None:
    """``null`` and a bare scheme match only themselves, not origins with the same prefix."""
    rules = CorsRules(["null", "file://", "app://"])
    assert rules.response_headers(origin) == []


def test_request_without_origin_is_unaffected() -> None:
    """Without ``Origin`` nothing is refused, and no header is added."""
    assert not is_refused(RULES, None)
    assert RULES.response_headers(None) == []
    assert RULES.preflight([(b"access-control-request-method", b"POST")]) is None


def test_same_origin_is_allowed() -> None:
    """The host and port of ``Host`` are the same origin, also behind a TLS proxy; other ports and hosts are not."""
    assert not is_refused(RULES, b"http://gg.lan:8080", b"GG.lan:8080")
    assert not is_refused(RULES, b"https://gg.lan", b"gg.lan")
    assert is_refused(RULES, b"http://gg.lan:8081", b"gg.lan:8080")
    assert is_refused(RULES, b"http://gg.lan", b"gg.lan:8080")
    assert is_refused(RULES, b"http://evil.com", b"gg.lan")
    assert is_refused(RULES, b"null", b"null")


@pytest.mark.parametrize("origin", [*ANSWERED, *PROGRAMS, b"https://evil.com", b"null"])
def test_star_allows_any_origin(origin: bytes) -> None:
    """A star allows every origin, ``null`` included; each response names the request's own origin."""
    assert not is_refused(ANY, origin)
    assert ANY.response_headers(origin)[0] == (b"access-control-allow-origin", origin)
    assert ANY.preflight(preflight_of(origin)) is not None


@pytest.mark.parametrize("origin", [b"", b"a b", b"http://\xff", b"x" * 513])
def test_star_does_not_echo_invalid_origins(origin: bytes) -> None:
    """A value that no browser sends is not echoed."""
    assert ANY.response_headers(origin) == []
    assert is_refused(ANY, origin)


def test_preflight_lists_what_may_be_sent() -> None:
    """Origin, methods and the requested headers come back; no credentials header, as credentials are never allowed."""
    request = preflight_of(
        b"http://localhost:3000",
        (b"access-control-request-headers", b"content-type,Authorization , x-stainless-os,"),
        (b"access-control-request-headers", b"x-api-key"),
    )
    assert RULES.preflight(request) == [
        (b"access-control-allow-origin", b"http://localhost:3000"),
        (b"vary", b"Origin"),
        (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE"),
        (b"access-control-max-age", b"7200"),
        (b"access-control-allow-headers", b"content-type, Authorization, x-stainless-os, x-api-key"),
    ]


@pytest.mark.parametrize("names", [b"a b", b"a,b c", b"x-\xff", b"a\x00", b"(a)", b""])
def test_invalid_header_names_are_not_echoed(names: bytes) -> None:
    """One invalid name drops the whole list: the browser then sends none of the headers."""
    headers = RULES.preflight(preflight_of(b"http://localhost", (b"access-control-request-headers", names)))
    assert headers is not None
    assert b"access-control-allow-headers" not in dict(headers)


def test_private_network_header_only_on_request() -> None:
    """An allowed public page gets the private network header only if its preflight requests it."""
    asks = (b"access-control-request-private-network", b"true")
    headers = RULES.preflight(preflight_of(b"https://chat.example.com", asks))
    assert headers is not None
    assert (b"access-control-allow-private-network", b"true") in headers
    untold = RULES.preflight(preflight_of(b"https://chat.example.com", (asks[0], b"false")))
    assert untold is not None
    assert b"access-control-allow-private-network" not in dict(untold)


def test_incomplete_preflight_is_an_ordinary_request() -> None:
    """Without ``Access-Control-Request-Method``, OPTIONS is an ordinary method that no path has."""
    assert RULES.preflight([(b"origin", b"http://localhost")]) is None


@pytest.mark.parametrize(
    "origin", ["", "nul", "chat.example.com", "https://chat.example.com/", "https://*.x.com"[:8]]
)
def test_invalid_configured_origin_is_rejected_at_startup(origin: str) -> None:
    """A configured origin that could never match is an error."""
    with pytest.raises(ValueError, match=r"."):
        CorsRules([origin])


@given(st.binary(max_size=60))
def test_any_origin_is_decided_and_echoed_safely(origin: bytes) -> None:
    """Every value is allowed or refused without another error, and what is echoed is visible ASCII."""
    for rules in (RULES, ANY, CorsRules()):
        is_refused(rules, origin, origin)
        for _, value in rules.response_headers(origin):
            assert value.isascii()
            assert not set(value) & set(b"\r\n\0")


def test_refusal_names_the_setting() -> None:
    """The error names the origin, cut to a bounded length, and the setting."""
    for origin in (b"https://evil.com", b"https://" + b"e" * 5_000, b"\xff"):
        with pytest.raises(OriginNotAllowedError) as refused:
            RULES.check(origin)
        error_response = to_error_response(refused.value)
        headers = json.loads(error_response.body)["error"]
        assert (error_response.status, headers["code"]) == (403, "origin_not_allowed")
        assert "'cors_origins'" in headers["message"]
        assert len(headers["message"]) < 250
