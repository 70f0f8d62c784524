"""Which web pages are answered, and what their browsers are told."""

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
    """Whether a request with this ``Origin`` is."""
    try:
        rules.check(origin, host)
    except OriginNotAllowedError:
        return True
    return False


def preflight_of(origin: bytes, *more: tuple[bytes, bytes]) -> Headers:
    """Return what a browser asks with."""
    return [(b"host", b"localhost"), (b"origin", origin), (b"access-control-request-method", b"POST"), *more]


@pytest.mark.parametrize("origin", ANSWERED)
def test_a_page_that_is_allowed_may_read_its_answer(origin: bytes) -> None:
    """Loopback pages and configured ones get their own origin back, as they wrote it, and the headers that help."""
    assert not is_refused(RULES, origin)
    assert RULES.response_headers(origin) == [
        (b"access-control-allow-origin", origin),
        (b"vary", b"Origin"),
        (
            b"access-control-expose-headers",
            b"x-request-id, x-gglib-context, retry-after, x-should-retry, location",
        ),
    ]


@pytest.mark.parametrize("origin", REFUSED)
def test_a_page_that_is_not_allowed_is_refused(origin: bytes) -> None:
    """What may not read the answer must not cause it: no other page, ``null``, and nothing that could be one."""
    assert is_refused(RULES, origin)
    assert RULES.response_headers(origin) == []
    assert RULES.preflight(preflight_of(origin)) is None


@pytest.mark.parametrize("origin", PROGRAMS)
def test_a_program_of_this_machine_is_served_without_cors(origin: bytes) -> None:
    """Editors and desktop apps have schemes of their own: not refused, and told nothing unless configured."""
    assert not is_refused(RULES, origin)
    assert RULES.response_headers(origin) == []


@pytest.mark.parametrize("origin", PROGRAMS)
def test_a_preflight_of_a_program_that_is_not_configured_names_the_setting(origin: bytes) -> None:
    """Its browser engine asks first and needs the headers, so the error says where they come from."""
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
def test_an_origin_without_a_host_can_be_configured(allowed: str, origin: bytes) -> None:
    """Local files, sandboxed frames and desktop apps may ask first and may read the answer."""
    rules = CorsRules([allowed])
    assert not is_refused(rules, origin)
    assert rules.preflight(preflight_of(origin)) is not None
    assert rules.response_headers(origin)[0] == (b"access-control-allow-origin", origin)


@pytest.mark.parametrize("origin", [b"https://evil.com", b"file://host", b"nullx", b"app://x"])
def test_an_origin_without_a_host_allows_no_other(origin: bytes) -> None:
    """``null`` and a scheme alone match themselves, not what begins like them."""
    rules = CorsRules(["null", "file://", "app://"])
    assert rules.response_headers(origin) == []


def test_what_is_no_page_is_none_of_its_business() -> None:
    """Without ``Origin`` nothing is refused, and nothing is added."""
    assert not is_refused(RULES, None)
    assert RULES.response_headers(None) == []
    assert RULES.preflight([(b"access-control-request-method", b"POST")]) is None


def test_a_page_of_our_own_origin_may_ask() -> None:
    """The same host and port as in ``Host`` are us, also behind something that ends TLS; anything else is not."""
    assert not is_refused(RULES, b"http://gg.lan:8080", b"GG.lan:8080")
    assert not is_refused(RULES, b"https://gg.lan", b"gg.lan")
    assert is_refused(RULES, b"http://gg.lan:8081", b"gg.lan:8080")
    assert is_refused(RULES, b"http://gg.lan", b"gg.lan:8080")
    assert is_refused(RULES, b"http://evil.com", b"gg.lan")
    assert is_refused(RULES, b"null", b"null")


@pytest.mark.parametrize("origin", [*ANSWERED, *PROGRAMS, b"https://evil.com", b"null"])
def test_a_star_means_any(origin: bytes) -> None:
    """Whoever sets it lets every page in, ``null`` too, each told its own origin."""
    assert not is_refused(ANY, origin)
    assert ANY.response_headers(origin)[0] == (b"access-control-allow-origin", origin)
    assert ANY.preflight(preflight_of(origin)) is not None


@pytest.mark.parametrize("origin", [b"", b"a b", b"http://\xff", b"x" * 513])
def test_a_star_does_not_mean_anything_at_all(origin: bytes) -> None:
    """What no browser sends is not echoed."""
    assert ANY.response_headers(origin) == []
    assert is_refused(ANY, origin)


def test_a_browser_that_asks_first_is_told_what_it_may_send() -> None:
    """Origin, methods and the requested headers come back; nothing about credentials, which are never allowed."""
    asked = preflight_of(
        b"http://localhost:3000",
        (b"access-control-request-headers", b"content-type,Authorization , x-stainless-os,"),
        (b"access-control-request-headers", b"x-api-key"),
    )
    assert RULES.preflight(asked) == [
        (b"access-control-allow-origin", b"http://localhost:3000"),
        (b"vary", b"Origin"),
        (b"access-control-allow-methods", b"GET, HEAD, POST, DELETE"),
        (b"access-control-max-age", b"7200"),
        (b"access-control-allow-headers", b"content-type, Authorization, x-stainless-os, x-api-key"),
    ]


@pytest.mark.parametrize("names", [b"a b", b"a,b c", b"x-\xff", b"a\x00", b"(a)", b""])
def test_headers_that_are_no_names_are_not_echoed(names: bytes) -> None:
    """One that is none spoils the list: the browser then sends none of them."""
    told = RULES.preflight(preflight_of(b"http://localhost", (b"access-control-request-headers", names)))
    assert told is not None
    assert b"access-control-allow-headers" not in dict(told)


def test_only_a_browser_that_asks_for_a_private_network_is_told_of_it() -> None:
    """A public page that is allowed may reach this machine; one that does not ask is not told."""
    asks = (b"access-control-request-private-network", b"true")
    told = RULES.preflight(preflight_of(b"https://chat.example.com", asks))
    assert told is not None
    assert (b"access-control-allow-private-network", b"true") in told
    untold = RULES.preflight(preflight_of(b"https://chat.example.com", (asks[0], b"false")))
    assert untold is not None
    assert b"access-control-allow-private-network" not in dict(untold)


def test_what_only_looks_like_a_preflight_is_none() -> None:
    """Without the method that the browser wants, OPTIONS is an ordinary method that no path has."""
    assert RULES.preflight([(b"origin", b"http://localhost")]) is None


@pytest.mark.parametrize(
    "origin", ["", "nul", "chat.example.com", "https://chat.example.com/", "https://*.x.com"[:8]]
)
def test_a_rule_that_is_no_origin_is_told_at_once(origin: str) -> None:
    """An origin that could never match is a mistake, not a rule."""
    with pytest.raises(ValueError, match=r"."):
        CorsRules([origin])


@given(st.binary(max_size=60))
def test_no_origin_makes_another_error_or_an_unsafe_header(origin: bytes) -> None:
    """Whatever comes is decided, and what is echoed is visible ASCII."""
    for rules in (RULES, ANY, CorsRules()):
        is_refused(rules, origin, origin)
        for _, value in rules.response_headers(origin):
            assert value.isascii()
            assert not set(value) & set(b"\r\n\0")


def test_the_refusal_names_the_setting() -> None:
    """The answer says whose pages are meant, not at any length, and what to set."""
    for origin in (b"https://evil.com", b"https://" + b"e" * 5_000, b"\xff"):
        with pytest.raises(OriginNotAllowedError) as refused:
            RULES.check(origin)
        error_response = to_error_response(refused.value)
        told = json.loads(error_response.body)["error"]
        assert (error_response.status, told["code"]) == (403, "origin_not_allowed")
        assert "'cors_origins'" in told["message"]
        assert len(told["message"]) < 250
