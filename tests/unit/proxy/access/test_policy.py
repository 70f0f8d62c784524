"""The access policy: host, origin and key are checked in this order, on the path as received."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.api_keys import LOCAL_KEY_NAME
from gglib.core.errors import GglibError
from gglib.http.request_head import HeadParser, RequestHead, parse_head
from gglib.proxy.access.cors import CorsRules
from gglib.proxy.access.grants import NO_RIGHTS
from gglib.proxy.access.hosts import HostRules
from gglib.proxy.access.keys import AccessKeys
from gglib.proxy.access.policy import AccessPolicy
from gglib.proxy.errors import (
    BadRequestError,
    HostNotAllowedError,
    OriginNotAllowedError,
    RevokedKeyError,
    UnauthorizedError,
)

POLICY = AccessPolicy(
    HostRules(frozenset(("192.168.1.5",)), frozenset(("box.lan",))),
    CorsRules(("https://chat.example.com",)),
    AccessKeys({"alice": "alice-key"}),
)
KEY = b"Authorization: Bearer alice-key"
EVIL = b"Origin: https://evil.example"
CHAT = b"Origin: https://chat.example.com"


def a_head(*lines: bytes, first: bytes = b"POST /v1/x HTTP/1.1", host: bytes = b"localhost") -> RequestHead:
    """Return a request head."""
    return parse_head(b"\r\n".join((first, b"Host: " + host, *lines)))


def pass_through(head: RequestHead) -> str:
    """Return the policy's decision for a request."""
    try:
        if POLICY.check_host_and_origin(head, "192.168.1.5") is not None:
            return "preflight"
        POLICY.check_key(head)
    except GglibError as error:
        return type(error).__name__
    return "in"


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (a_head(KEY), "in"),
        (a_head(KEY, host=b"box.lan:99"), "in"),
        (a_head(KEY, CHAT), "in"),
        # A key counts more than a name: a page that rebinds its name has none.
        (a_head(KEY, host=b"evil.example"), "in"),
        (a_head(KEY, host=b"host.docker.internal:8080"), "in"),
        (a_head(b"x-api-key: alice-key", host=b"box", first=b"GET /gglib/status HTTP/1.1"), "in"),
        (a_head(KEY, EVIL, host=b"box"), OriginNotAllowedError.__name__),
        (a_head(b"x-api-key: bob-key", host=b"evil.example"), HostNotAllowedError.__name__),
        (a_head(KEY, host=b"a b"), BadRequestError.__name__),
        (a_head(KEY, EVIL), OriginNotAllowedError.__name__),
        (a_head(), UnauthorizedError.__name__),
        (a_head(b"x-api-key: bob-key"), UnauthorizedError.__name__),
        # The order: host, page, key.
        (a_head(EVIL, host=b"evil.example"), HostNotAllowedError.__name__),
        (a_head(EVIL), OriginNotAllowedError.__name__),
        (a_head(host=b"evil.example"), HostNotAllowedError.__name__),
        # One path is open, as it came and no other way; not for a foreign name or page.
        (a_head(first=b"GET /health HTTP/1.1"), "in"),
        (a_head(first=b"GET /health?x=y HTTP/1.1"), "in"),
        (a_head(first=b"GET http://localhost/health HTTP/1.1"), "in"),
        (a_head(first=b"GET /%68ealth HTTP/1.1"), UnauthorizedError.__name__),
        (a_head(first=b"GET //health HTTP/1.1"), UnauthorizedError.__name__),
        (a_head(first=b"GET /health/ HTTP/1.1"), UnauthorizedError.__name__),
        (a_head(first=b"GET /v1/../health HTTP/1.1"), UnauthorizedError.__name__),
        (a_head(first=b"GET /health;x HTTP/1.1"), UnauthorizedError.__name__),
        (a_head(first=b"GET /health HTTP/1.1", host=b"evil.example"), "in"),
        (a_head(EVIL, first=b"HEAD /health HTTP/1.1", host=b"evil.example"), "in"),
        (a_head(EVIL, first=b"GET /health HTTP/1.1"), "in"),
        (a_head(EVIL, first=b"POST /health HTTP/1.1"), OriginNotAllowedError.__name__),
        (a_head(first=b"POST /health HTTP/1.1", host=b"evil.example"), HostNotAllowedError.__name__),
        # The root needs no key, but a name of this server.
        (a_head(first=b"GET / HTTP/1.1"), "in"),
        (a_head(first=b"GET // HTTP/1.1"), UnauthorizedError.__name__),
        (a_head(first=b"GET / HTTP/1.1", host=b"evil.example"), HostNotAllowedError.__name__),
        (a_head(EVIL, first=b"GET / HTTP/1.1"), OriginNotAllowedError.__name__),
        # A browser that asks first has no key; what only looks like it needs one.
        (a_head(CHAT, b"Access-Control-Request-Method: POST", first=b"OPTIONS /v1/x HTTP/1.1"), "preflight"),
        (a_head(CHAT, first=b"OPTIONS /v1/x HTTP/1.1"), UnauthorizedError.__name__),
        (a_head(CHAT, b"Access-Control-Request-Method: POST"), UnauthorizedError.__name__),
        (
            a_head(b"Access-Control-Request-Method: POST", first=b"OPTIONS /v1/x HTTP/1.1"),
            UnauthorizedError.__name__,
        ),
        (
            a_head(EVIL, b"Access-Control-Request-Method: POST", first=b"OPTIONS /v1/x HTTP/1.1"),
            OriginNotAllowedError.__name__,
        ),
        # A preflight carries no key; the request that follows it has to.
        (
            a_head(
                CHAT, b"Access-Control-Request-Method: POST", first=b"OPTIONS /v1/x HTTP/1.1", host=b"box"
            ),
            "preflight",
        ),
    ],
)
def test_order_of_checks(head: RequestHead, what: str) -> None:
    """Host, origin and key are checked in this order; the first failing check decides."""
    assert pass_through(head) == what


@pytest.mark.parametrize(
    ("block", "what"),
    [
        (b"GET /health HTTP/1.0", "in"),
        (b"HEAD /health HTTP/1.0", "in"),
        (b"GET /v1/models HTTP/1.0", BadRequestError.__name__),
        (b"GET /v1/models HTTP/1.0\r\n" + KEY, "in"),
        (b"GET /v1/models HTTP/1.0\r\nx-api-key: bob-key", BadRequestError.__name__),
    ],
)
def test_http_1_0_without_host(block: bytes, what: str) -> None:
    """HTTP/1.0 requests need no Host: without it they get the health response, and all else with a key only."""
    assert pass_through(parse_head(block)) == what


def test_without_keys_the_host_check_stays() -> None:
    """A key header does not replace the host check when no keys are set: a rebound page could send it."""
    policy = AccessPolicy(HostRules(frozenset(), frozenset()), CorsRules(), AccessKeys({}))
    with pytest.raises(HostNotAllowedError) as refused:
        policy.check_host_and_origin(a_head(KEY, host=b"host.docker.internal"), None)
    assert str(refused.value).endswith("add it to the setting 'allowed_hosts'.")


def test_foreign_host_without_key_mentions_the_key() -> None:
    """Where keys are set, the error names both remedies."""
    with pytest.raises(HostNotAllowedError, match="or send one of its API keys"):
        POLICY.check_host_and_origin(a_head(host=b"host.docker.internal"), None)


def test_cors_headers_follow_from_the_origin() -> None:
    """Other or missing origins get none, and no origin does for the files of the page, for which they are useless."""
    headers = POLICY.response_headers(a_head(CHAT))
    assert (b"access-control-allow-origin", b"https://chat.example.com") in headers
    assert POLICY.response_headers(a_head(EVIL)) == []
    assert POLICY.response_headers(a_head()) == []
    assert POLICY.response_headers(a_head(CHAT, first=b"GET /web/0123/app.js HTTP/1.1")) == []


CREDENTIALS = st.sampled_from(
    [
        KEY,
        b"Authorization: Bearer bob-key",
        b"Authorization: Bearer alice-kez",
        b"Authorization: Basic alice-key",
        b"authorization: bearer alice-key",
        b"x-api-key: alice-key",
        b"x-api-key: alice-key2",
        b"X-Note: Bearer alice-key",
        b"Accept: */*",
    ]
)


@given(st.lists(st.tuples(st.lists(CREDENTIALS, max_size=2), st.integers(0, 10**6)), min_size=2, max_size=8))
def test_each_request_is_judged_by_its_own_credentials(requests: list[tuple[list[bytes], int]]) -> None:
    """On a connection with cached heads, each request is judged by its own credentials."""
    memory = HeadParser()
    for lines, length in requests:
        block = b"\r\n".join(
            (b"POST /v1/x HTTP/1.1", b"Host: localhost", *lines, b"Content-Length: %d" % length)
        )
        head, *_ = memory.parse(block)
        if head.derived is None:
            head.derived = pass_through(head)
        assert head.derived == pass_through(parse_head(block))


def test_policy_repr_shows_no_key() -> None:
    """A policy that is logged by accident contains no key."""
    assert "alice-key" not in repr(POLICY)


@pytest.mark.parametrize(
    ("keys", "is_valid"),
    [
        ({"alice": "alice-key"}, True),
        ({"bob": "bob-key", "renamed": "alice-key"}, True),
        ({"bob": "bob-key"}, False),
        ({"alice": "another-key"}, False),
        ({}, False),
    ],
)
def test_a_key_in_use_has_to_exist(keys: dict[str, str], *, is_valid: bool) -> None:
    """Under any name; also where no key is required any more."""
    grant = POLICY.keys.check(a_head(KEY).headers)
    changed = AccessPolicy(POLICY.hosts, POLICY.cors, AccessKeys(keys))
    if is_valid:
        changed.check_key_in_use(a_head(KEY), grant)
    else:
        with pytest.raises(RevokedKeyError):
            changed.check_key_in_use(a_head(KEY), grant)


def test_requests_without_a_key_in_use_continue() -> None:
    """Without keys, on public paths, and with the server's own key when no key is required any more."""
    for grant in (None, NO_RIGHTS):
        POLICY.check_key_in_use(a_head(), grant)
    own = AccessKeys({LOCAL_KEY_NAME: "alice-key"}).check(a_head(KEY).headers)
    AccessPolicy(POLICY.hosts, POLICY.cors, AccessKeys({})).check_key_in_use(a_head(KEY), own)
