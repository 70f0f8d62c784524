"""Foreign host names and wrong keys, on every route."""

import pytest
from tests.integration.proxy.support import ask, proxy_running

from gglib.proxy import ProxyOptions
from gglib.proxy.access.public_paths import is_public_path, needs_no_key
from gglib.testing import FakeRuntime

from .access_run import HOSTILE_HOSTS, KEY, refusal, routes, wrong_keys

WRONG_KEYS = 1_000
OPTIONS = ProxyOptions(api_keys={"laptop": KEY})


@pytest.mark.parametrize("host", HOSTILE_HOSTS)
async def test_hostile_host_is_refused_on_every_route(host: str) -> None:
    """A foreign host name is accepted for public paths only; a malformed one is refused there, too."""
    async with proxy_running(FakeRuntime()) as proxy:
        health = await ask(proxy.port, "GET", "/health", headers=(("Host", host),))
        assert health.status in {200, 400}
        for method, path in routes():
            if is_public_path(path):
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


async def test_every_route_that_reveals_something_needs_a_key() -> None:
    """Without a key public paths, exactly spelled, and the root are served; a key in either header opens the rest."""
    async with proxy_running(FakeRuntime(), options=OPTIONS) as proxy:
        for method, path in routes():
            if not needs_no_key(path):
                assert (await refusal(proxy.port, method, path, []))[0] == 401, (method, path)
        for public in ("/health", "/v1/health", "/"):
            assert (await ask(proxy.port, "GET", public)).status == 200
        for other in ("/%68ealth", "/health/", "//health", "/health/../v1/models"):
            assert (await ask(proxy.port, "GET", other)).status == 401
        for header in (("Authorization", f"bearer {KEY}"), ("x-api-key", KEY)):
            assert (await ask(proxy.port, "GET", "/v1/models", headers=(header,))).status == 200
