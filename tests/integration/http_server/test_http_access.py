"""Foreign host names and wrong keys, on every route."""

import pytest
from tests.integration.proxy.support import ask, proxy_running

from gglib.proxy import ProxyOptions
from gglib.testing import FakeRuntime

from .access_run import HOSTILE_HOSTS, KEY, refusal, routes, wrong_keys

WRONG_KEYS = 1_000
OPTIONS = ProxyOptions(api_keys={"laptop": KEY})


@pytest.mark.parametrize("host", HOSTILE_HOSTS)
async def test_hostile_host_is_refused_on_every_route(host: str) -> None:
    """A foreign host name is accepted for /health only; a malformed one is refused there, too."""
    async with proxy_running(FakeRuntime()) as proxy:
        health = await ask(proxy.port, "GET", "/health", headers=(("Host", host),))
        assert health.status in {200, 400}
        for method, path in routes():
            if path == "/health":
                continue
            status, code, _ = await refusal(proxy.port, method, path, [("Host", host)])
            assert (status == 403) == (health.status == 200)
            assert (status, code) in {(403, "host_not_allowed"), (400, "invalid_request")}, (method, path)
        assert proxy.runtime.admitted == []
        assert proxy.runtime.stops == 0


async def test_wrong_keys_get_identical_responses() -> None:
    """Every wrong key gets the same refusal, byte for byte, and no request is served."""
    async with proxy_running(FakeRuntime(), options=OPTIONS) as proxy:
        seen = await wrong_keys(proxy.port, WRONG_KEYS, seed=1)
        assert [(status, code) for status, code, _ in seen] == [(401, "invalid_api_key")]
        assert seen.total() == WRONG_KEYS
        assert proxy.runtime.admitted == []


async def test_every_route_but_health_needs_a_key() -> None:
    """Without a key only /health, in its exact spelling, is served; a key in either header opens the rest."""
    async with proxy_running(FakeRuntime(), options=OPTIONS) as proxy:
        for method, path in routes():
            if path != "/health":
                assert (await refusal(proxy.port, method, path, []))[0] == 401, (method, path)
        assert (await ask(proxy.port, "GET", "/health")).status == 200
        for other in ("/%68ealth", "/health/", "//health", "/health/../v1/models"):
            assert (await ask(proxy.port, "GET", other)).status == 401
        for header in (("Authorization", f"bearer {KEY}"), ("x-api-key", KEY)):
            assert (await ask(proxy.port, "GET", "/v1/models", headers=(header,))).status == 200
