"""``GET /ready`` over real connections."""

import pytest

from gglib.proxy import ProxyOptions, Readiness, ReadyState, SharedState
from gglib.testing import FakeRuntime

from .support import ask, connect, proxy_running


@pytest.mark.parametrize(
    ("state", "status"),
    [(ReadyState.STARTING, 503), (ReadyState.READY, 200), (ReadyState.DRAINING, 503)],
    ids=str,
)
async def test_the_status_and_the_body_are_the_state(state: ReadyState, status: int) -> None:
    """``/health`` is 200 in every state."""
    shared = SharedState(readiness=Readiness(state))
    async with proxy_running(FakeRuntime(), shared=shared) as proxy:
        reply = await ask(proxy.port, "GET", "/ready")
        assert (reply.status, reply.json()) == (status, {"status": state.value})
        assert reply.values("cache-control") == ["no-store"]
        reply = await ask(proxy.port, "HEAD", "/ready")
        assert (reply.status, reply.body) == (status, b"")
        assert (await ask(proxy.port, "GET", "/health")).status == 200


async def test_a_server_of_another_program_is_ready_at_once() -> None:
    """``serve`` without ``shared``, as the five arguments of its first form."""
    async with proxy_running(FakeRuntime()) as proxy:
        assert (await ask(proxy.port, "GET", "/ready")).json() == {"status": "ready"}


async def test_an_open_connection_sees_the_change() -> None:
    """Load balancers keep connections open between their checks."""
    shared = SharedState(readiness=Readiness(ReadyState.STARTING))
    async with proxy_running(FakeRuntime(), shared=shared) as proxy, await connect(proxy.port) as client:
        seen = []
        for change in (shared.readiness.finish_start, shared.readiness.begin_drain, lambda: None):
            await client.send("GET", "/ready", is_last=False)
            seen.append((await client.read_reply()).json()["status"])
            change()
        assert seen == ["starting", "ready", "draining"]


@pytest.mark.parametrize("options", [ProxyOptions(), ProxyOptions(api_keys={"alice": "a-long-key"})])
async def test_probes_need_neither_a_key_nor_a_known_host(options: ProxyOptions) -> None:
    """Kubernetes uses the address of the pod; some load balancers speak HTTP/1.0 without ``Host``."""
    async with proxy_running(FakeRuntime(), options=options) as proxy:
        reply = await ask(proxy.port, "GET", "/ready", headers=(("Host", "10.1.2.3:8080"),))
        assert reply.status == 200
        async with await connect(proxy.port) as client:
            client.writer.write(b"GET /ready HTTP/1.0\r\n\r\n")
            assert (await client.read_reply()).status == 200
        assert (await ask(proxy.port, "POST", "/ready", body=b"{}")).status == 405
