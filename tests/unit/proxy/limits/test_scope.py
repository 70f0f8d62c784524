"""One request of a key with limits, without the HTTP server."""

from contextlib import suppress
from time import monotonic

import pytest
from tests.unit.proxy.test_proxy_response import FakeTransport

from gglib.core.api_keys import KeyLimits
from gglib.http.request_head import parse_head
from gglib.http.server.body import RequestBody
from gglib.proxy.errors import RateLimitError, TokenRateLimitError
from gglib.proxy.limits import scope
from gglib.proxy.limits.key_meter import KeyMeter, KeyUse
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response

BODY = b'{"max_tokens": 20}' + b" " * 282


def a_request(path: bytes = b"/v1/chat/completions") -> ProxyRequest:
    """Return a request whose body came with its head."""
    head = parse_head(b"POST " + path + b" HTTP/1.1\r\nHost: localhost")
    return ProxyRequest(head, len(BODY), BODY, FakeTransport())


def a_response() -> Response:
    """Return a response that has not begun."""
    return Response(FakeTransport(), method="POST", minor_version=1, request_id="r")


def use_of(meter: KeyMeter) -> KeyUse:
    """Return the current use."""
    return meter.use(monotonic())


async def test_tokens_are_reserved_during_the_block_and_counted_after_it() -> None:
    """As the response reports them."""
    meter, request, response = KeyMeter("alice", KeyLimits(rpm=5, tpm=1000)), a_request(), a_response()
    body = await scope.read_body(request, response, meter, limit_bytes=1000)
    assert body == await request.read_body(limit_bytes=1000) == BODY
    with scope.metered(request, response, meter, body):
        assert b"x-ratelimit-remaining-requests: 4\r\n" in response.extra_header_lines
        assert b"x-ratelimit-remaining-tokens: 880\r\n" in response.extra_header_lines
        assert use_of(meter).reserved_tokens == 120
        usage = {"usage": {"prompt_tokens": 7, "completion_tokens": 5}}
        await response.send(usage)
    use = use_of(meter)
    assert (use.requests, use.tokens, use.reserved_tokens, use.running) == (1, 12, 0, 0)


async def test_the_counts_of_ollama_s_dialect_are_read() -> None:
    """They are members of the response itself."""
    meter, response = KeyMeter("alice", KeyLimits(tpm=1000)), a_response()
    with scope.metered(a_request(b"/api/chat"), response, meter, BODY):
        await response.send({"done": True, "prompt_eval_count": 7, "eval_count": 5})
    assert use_of(meter).tokens == 12


async def test_without_a_body_only_the_request_counts() -> None:
    """For paths without inference, and where tokens are not limited."""
    meter, response = KeyMeter("alice", KeyLimits(rpm=5, tpm=1000)), a_response()
    with scope.metered(a_request(), response, meter, None):
        await response.send({"usage": {"prompt_tokens": 7, "completion_tokens": 5}})
    use = use_of(meter)
    assert (use.requests, use.tokens) == (1, 0)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [(KeyLimits(rpm=1), RateLimitError), (KeyLimits(tpm=130), TokenRateLimitError)],
)
async def test_a_refused_request_gets_the_headers(limits: KeyLimits, expected: type[RateLimitError]) -> None:
    """In Anthropic's form at its paths; it does not count."""
    meter = KeyMeter("alice", limits)
    with scope.metered(a_request(), a_response(), meter, BODY):
        for path, name in ((b"/v1/messages", b"anthropic-ratelimit-"), (b"/v1/completions", b"x-ratelimit-")):
            response = a_response()
            with (
                pytest.raises(RateLimitError) as refused,
                scope.metered(a_request(path), response, meter, BODY),
            ):
                pytest.fail("it was admitted")
            assert type(refused.value) is expected
            assert response.extra_header_lines.startswith(name)
        assert use_of(meter).running == 1
    if limits.rpm is not None:
        with pytest.raises(RateLimitError):
            await scope.read_body(a_request(), a_response(), meter, limit_bytes=1000)
    assert scope.header_lines(a_request(), meter).startswith(b"x-ratelimit-limit-")


async def test_a_refused_request_names_its_own_tokens() -> None:
    """Where the use alone does not exceed the limit."""
    meter, response = KeyMeter("alice", KeyLimits(tpm=130)), a_response()
    with (
        scope.metered(a_request(), a_response(), meter, b'{"max_tokens": 5}'),
        pytest.raises(TokenRateLimitError, match=r"\(10 used, this request may take 130\)"),
        scope.metered(a_request(), response, meter, BODY + b" " * 30),
    ):
        pytest.fail("it was admitted")


async def test_a_request_that_generates_nothing_reserves_its_prompt() -> None:
    """Such as one for embeddings, which many clients send at once."""
    meter, body = KeyMeter("alice", KeyLimits(tpm=130)), b'{"max_tokens": 99}'
    with scope.metered(a_request(), a_response(), meter, body, is_generating=False):
        assert use_of(meter).reserved_tokens == 6


async def test_requests_without_tokens_are_admitted_beyond_the_limit_of_tokens() -> None:
    """Such as one that counts the tokens of a prompt: only ``rpm`` and ``parallel`` apply to it."""
    meter, response = KeyMeter("alice", KeyLimits(rpm=2, tpm=10)), a_response()
    with scope.metered(a_request(), response, meter, BODY):
        await response.send({"usage": {"prompt_tokens": 70, "completion_tokens": 5}})
    with scope.metered(a_request(), a_response(), meter, None):
        assert use_of(meter).running == 1
    with pytest.raises(RateLimitError, match="2 requests per minute"):
        scope.metered(a_request(), a_response(), meter, None).__enter__()


async def test_what_breaks_off_is_estimated() -> None:
    """A stream by its parts; an error counts nothing."""
    meter = KeyMeter("alice", KeyLimits(tpm=10_000))
    response = a_response()
    with suppress(ValueError), scope.metered(a_request(), response, meter, BODY):
        await response.start(200, [(b"content-type", b"text/event-stream")])
        for number in range(3):
            await response.write(b"data: %d\n\n" % number)
        raise ValueError
    assert use_of(meter).tokens == len(BODY) // 3 + 3
    response = a_response()
    with scope.metered(a_request(), response, meter, BODY):
        await response.send({}, status=400)
    assert use_of(meter).tokens == len(BODY) // 3 + 3


async def test_a_body_is_kept_for_its_second_reader() -> None:
    """One that arrives in parts is freed by the first."""
    head = parse_head(b"POST /v1/completions HTTP/1.1\r\nHost: localhost")
    body = RequestBody(limit_bytes=1000)
    request = ProxyRequest(head, 5, body, FakeTransport())
    body.feed(b"hello")
    body.finish()
    meter = KeyMeter("alice", KeyLimits(tpm=10_000))
    for _ in range(2):
        assert await scope.read_body(request, a_response(), meter, limit_bytes=1000) == b"hello"
