"""Attempts to connect to a server that is gone are broken off: over a cut network no refusal ever arrives."""

import asyncio
from typing import Any

import pytest
from tests.support.waiting import until

from gglib.http.client import pool as pool_module
from gglib.http.client.connect import ServerAddress
from gglib.http.client.pool import UpstreamPool, UpstreamRequest
from gglib.http.errors import ConnectError

GONE = ServerAddress("http://192.0.2.1:8080", None, "key")
OTHER = ServerAddress("http://192.0.2.2:8080", None, "key")
REQUEST = UpstreamRequest(b"/", b"", "id", b"")


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let no server answer; return the addresses to which a connection was tried."""
    tried: list[str] = []

    async def connect(origin: ServerAddress, *_: object, **__: Any) -> None:
        tried.append(origin.base_url)
        await asyncio.Event().wait()

    monkeypatch.setattr(pool_module, "connect", connect)
    return tried


async def test_an_attempt_to_connect_is_broken_off(attempts: list[str]) -> None:
    """Only to the server that is gone, and only one that has lasted for a while."""
    pool = UpstreamPool(connect_timeout_s=60)

    async def post(address: ServerAddress) -> None:
        async with pool.post(address, REQUEST):
            pytest.fail("nothing listens")

    gone, other = asyncio.create_task(post(GONE)), asyncio.create_task(post(OTHER))
    await until(lambda: len(attempts) == 2)
    pool.break_off_silent(GONE, "is gone", 60)
    await asyncio.sleep(0)
    assert not gone.done()
    pool.break_off_silent(GONE, "is gone", 0)
    pool.break_off_silent(GONE, "is gone", 0)
    with pytest.raises(ConnectError):
        await gone
    assert not other.done()
    pool.break_off_silent(GONE, "is gone", 0)  # the attempt is forgotten
    other.cancel()
    await asyncio.wait([other])
    assert not pool._attempts


async def test_a_cancelled_attempt_is_forgotten(attempts: list[str]) -> None:
    """And its cancellation is not mistaken for a refusal."""
    pool = UpstreamPool(connect_timeout_s=60)
    connecting = asyncio.create_task(pool.connect(GONE))
    await until(lambda: attempts)
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    assert not pool._attempts
