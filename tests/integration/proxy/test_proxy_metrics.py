"""``GET /metrics``: exact numbers after requests of every kind."""

import asyncio

from prometheus_client.parser import text_string_to_metric_families
from tests.support.waiting import until

from gglib.proxy import ProxyOptions
from gglib.testing import FakeRuntime

from .support import (
    CHAT,
    DEADLINE_S,
    SSE_HEAD,
    Exchange,
    Proxy,
    Reply,
    ask,
    chat_body,
    chunked,
    connect,
    engine_running,
    json_answer,
    proxy_running,
    runtime_for,
)

USAGE = {"prompt_tokens": 11, "completion_tokens": 5}
EVENTS = (
    b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n',
    b'data: {"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":2}}\n\ndata: [DONE]\n\n',
)
HELD_S = 0.01
"""The clock of an event loop may have a resolution of one millisecond."""
Samples = dict[tuple[str, ...], float]


async def by_the_body(exchange: Exchange) -> None:
    """Respond as the request body says: streamed, complete, not at all, or incomplete."""
    if b'"dies"' in exchange.body:
        exchange.abort()
    elif b'"breaks off"' in exchange.body:
        await exchange.write(SSE_HEAD + chunked(EVENTS[0]))
        exchange.abort()
    elif b'"overloaded"' in exchange.body:
        error = {"error": {"code": 500, "message": "too much", "type": "server_error"}}
        await exchange.write(json_answer(error, b"500 Internal Server Error"))
    elif b'"stream": true' in exchange.body:
        await exchange.write(SSE_HEAD + chunked(*EVENTS) + b"0\r\n\r\n")
    else:
        await exchange.write(json_answer({"choices": [], "usage": USAGE}))


async def scrape(port: int) -> dict[str, Samples]:
    """Return every gglib sample by its name and the values of its labels, in the order of the labels' names."""
    reply = await ask(port, "GET", "/metrics")
    assert reply.status == 200
    return samples(reply)


def samples(reply: Reply) -> dict[str, Samples]:
    """Return the samples of a page."""
    found: dict[str, Samples] = {}
    for family in text_string_to_metric_families(reply.body.decode()):
        for sample in family.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


async def scrape_when(proxy: Proxy, count: int) -> dict[str, Samples]:
    """Return the samples once ``count`` requests have ended; a request is counted after its last byte."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            found = await scrape(proxy.port)
            requests = found.get("gglib_requests_total", {})
            # The scrapes are counted as well, once for each attempt.
            found["gglib_requests_total"] = {k: n for k, n in requests.items() if "/metrics" not in k}
            if sum(found["gglib_requests_total"].values()) >= count:
                return found


async def malformed(port: int) -> bytes:
    """Send a malformed request, and return the status line of the response."""
    async with await connect(port) as client:
        client.writer.write(b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        return await client.read_until(b"\r\n")


async def test_after_requests_of_every_kind_the_numbers_are_exactly_these() -> None:
    """Streamed, complete, failed in each way, refused, unknown: each is counted once, under the right labels."""
    async with engine_running(by_the_body) as engine, proxy_running(runtime_for(engine)) as proxy:
        for _ in range(3):
            assert (await ask(proxy.port, body=chat_body(stream=True))).is_whole
        for _ in range(2):
            assert (await ask(proxy.port, body=chat_body())).status == 200
        assert (await ask(proxy.port, path="/v1/embeddings", body=chat_body())).status == 200
        assert (await ask(proxy.port, body=chat_body(x="dies"))).status == 502
        assert b"upstream_error" in (await ask(proxy.port, body=chat_body(stream=True, x="breaks off"))).body
        assert (await ask(proxy.port, body=chat_body(x="overloaded"))).status == 500
        assert (await ask(proxy.port, body=chat_body(model="nope"))).status == 404
        assert (await ask(proxy.port, body=b"[]")).status == 400
        assert (await ask(proxy.port, "GET", "/v1/models/tiny")).status == 200
        assert (await ask(proxy.port, "GET", "/v1/models/nope")).status == 404
        assert (await ask(proxy.port, "GET", "/health")).status == 200
        assert (await ask(proxy.port, "HEAD", "/health")).status == 200
        assert (await ask(proxy.port, "BREW", "/health")).status == 405
        for path in ("/made/up", "/made/up/2"):
            assert (await ask(proxy.port, "GET", path)).status == 404
        assert (await ask(proxy.port, "POST", "/health", headers=(("Host", "evil.example"),))).status == 403
        for _ in range(2):
            assert await malformed(proxy.port) == b"HTTP/1.1 400 Bad Request\r\n"
        found = await scrape_when(proxy, 19)
    assert found["gglib_requests_total"] == {
        ("POST", "tiny", CHAT, "200"): 6,
        ("POST", "tiny", CHAT, "502"): 1,
        ("POST", "tiny", CHAT, "500"): 1,
        ("POST", "", CHAT, "404"): 1,
        ("POST", "", CHAT, "400"): 1,
        ("POST", "tiny", "/v1/embeddings", "200"): 1,
        ("GET", "tiny", "/v1/models/{id}", "200"): 1,
        ("GET", "", "/v1/models/{id}", "404"): 1,
        ("GET", "", "/health", "200"): 1,
        ("HEAD", "", "/health", "200"): 1,
        ("other", "", "/health", "405"): 1,
        ("POST", "", "/health", "403"): 1,
        ("GET", "", "other", "404"): 2,
    }
    durations = found["gglib_request_duration_seconds_count"]
    assert {key: count for key, count in durations.items() if "/metrics" not in key} == {
        ("tiny", CHAT): 8,
        ("", CHAT): 2,
        ("tiny", "/v1/embeddings"): 1,
        ("tiny", "/v1/models/{id}"): 1,
        ("", "/v1/models/{id}"): 1,
        ("", "/health"): 4,
        ("", "other"): 2,
    }
    assert found["gglib_model_wait_seconds_count"] == {("tiny",): 9}
    assert found["gglib_first_byte_seconds_count"] == {("tiny", "true"): 4, ("tiny", "false"): 3}
    assert found["gglib_prompt_tokens_total"] == {("tiny",): 3 * 20 + 3 * 11}
    assert found["gglib_completion_tokens_total"] == {("tiny",): 3 * 2 + 3 * 5}
    assert found["gglib_upstream_errors_total"] == {("upstream_error", "tiny"): 2}
    assert found["gglib_request_errors_total"] == {
        ("upstream_error", "tiny"): 2,
        ("model_not_found", ""): 2,
        ("invalid_request", ""): 1,
        ("method_not_allowed", ""): 1,
        ("not_found", ""): 2,
        ("host_not_allowed", ""): 1,
    }
    assert found["gglib_edge_refusals_total"] == {("400",): 2}
    assert found["gglib_resident_models"] == {("tiny", "ready"): 1}
    assert found["gglib_requests_in_flight"] == {("tiny",): 0}


async def test_times_and_chunks_are_those_of_the_answers() -> None:
    """A delayed response is in no bucket before it ends, and its time is added to the sum."""
    may_go_on, loop = asyncio.Event(), asyncio.get_running_loop()

    async def slowly(exchange: Exchange) -> None:
        await exchange.write(SSE_HEAD + chunked(EVENTS[0]))
        await may_go_on.wait()
        await exchange.write(chunked(EVENTS[1]) + b"0\r\n\r\n")

    async with (
        engine_running(slowly) as engine,
        proxy_running(runtime_for(engine)) as proxy,
        await connect(proxy.port) as client,
    ):
        await client.send(body=chat_body(stream=True))
        await client.read_until(EVENTS[0] + b"\r\n")
        held_since_s = loop.time()
        before = await scrape(proxy.port)
        assert before["gglib_requests_in_flight"] == {("tiny",): 1}
        assert "gglib_answer_chunks_total" not in before
        await until(lambda: loop.time() > held_since_s + HELD_S)
        may_go_on.set()
        await client.reader.read()
        found = await scrape_when(proxy, 1)
    assert found["gglib_requests_in_flight"] == {("tiny",): 0}
    assert found["gglib_answer_chunks_total"] == {("tiny",): 2}
    first_byte_s = found["gglib_first_byte_seconds_sum"]["tiny", "true"]
    assert 0 <= first_byte_s <= found["gglib_request_duration_seconds_sum"]["tiny", CHAT] - HELD_S / 2


async def test_a_client_that_leaves_is_counted_as_gone() -> None:
    """No status was sent to it: the log and the metrics record 499."""
    runtime = FakeRuntime(gate=asyncio.Event())
    async with proxy_running(runtime) as proxy:
        async with await connect(proxy.port) as client:
            await client.send(body=chat_body())
            await until(lambda: runtime.waiting == 1)
        found = await scrape_when(proxy, 1)
    assert found["gglib_requests_total"] == {("POST", "tiny", CHAT, "499"): 1}
    assert "gglib_request_errors_total" not in found


async def test_open_connections_are_counted() -> None:
    """Two idle connections and the scraper's; after they close, only the scraper's."""

    async def connections(port: int, count: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while (await scrape(port))["gglib_client_connections"] != {(): count}:
                pass

    async with proxy_running(FakeRuntime()) as proxy:
        async with await connect(proxy.port), await connect(proxy.port):
            await connections(proxy.port, 3)
        await connections(proxy.port, 1)


async def test_metrics_are_text_for_authorized_clients() -> None:
    """The content type is Prometheus's; with keys configured one is required, and only GET and HEAD are served."""
    key = ("Authorization", "Bearer secret-key")
    async with proxy_running(
        FakeRuntime(), options=ProxyOptions(api_keys={"watcher": "secret-key"})
    ) as proxy:
        refused = await ask(proxy.port, "GET", "/metrics")
        page = await ask(proxy.port, "GET", "/metrics", headers=(key,))
        head = await ask(proxy.port, "HEAD", "/metrics", headers=(key,))
        posted = await ask(proxy.port, "POST", "/metrics", body=b"", headers=(key,))
    assert (refused.status, refused.error["code"]) == (401, "invalid_api_key")
    assert (
        page.values("content-type")
        == head.values("content-type")
        == ["text/plain; version=0.0.4; charset=utf-8"]
    )
    assert page.values("content-length") == [str(len(page.body))]
    assert (head.status, head.body) == (200, b"")
    assert (posted.status, posted.values("allow")) == (405, ["GET, HEAD"])
    assert samples(page)["gglib_requests_total"] == {("GET", "", "/metrics", "401"): 1}
    assert b"secret-key" not in page.body
