"""Relaying a translated response: flow control, errors, and what is sent when."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest

from gglib.core.errors import UpstreamError
from gglib.http.client.connection import UpstreamConnection
from gglib.proxy.errors import EngineError
from gglib.proxy.relay import exchange_relay
from gglib.proxy.relay.exchange_relay import ExchangeRelay, relay_body

from .dialects.numbers_dialect import NumbersExchange
from .test_proxy_response import a_response

ONE = b'data: {"n": 1}\n\n'
LAST = b'data: {"last": true}\n\n'
ERROR = b'data: {"error": {"code": 500, "message": "broke", "type": "server_error"}}\n\n'


class Upstream:
    """A response of an engine in parts."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = parts

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part


def an_exchange() -> NumbersExchange:
    """Return an exchange of the test dialect."""
    return NumbersExchange("/v1/chat/completions", b"{}")


def upstream(*parts: bytes) -> UpstreamConnection:
    """Return the fake as what it stands for."""
    return cast("UpstreamConnection", Upstream(*parts))


async def test_first_translated_part_is_sent_with_the_head() -> None:
    """Before that the status is open, so an early error is a proper error response."""
    response, transport = a_response()
    relay = ExchangeRelay(response, an_exchange())
    assert not relay.try_write(ONE)
    await relay.write(b'data: {"n"')
    assert not transport.sent
    await relay.drain()
    await relay.write(b": 1}\n\n")
    assert b"content-type: text/numbers" in transport.head
    assert transport.body == b"2\r\n1\n\r\n"
    assert response.is_stream
    assert relay.try_write(ONE)
    assert relay.try_write(b"data: {")  # nothing to send yet
    assert relay.try_write(b'"n": 2}\n\n' + LAST, is_last=True)
    assert transport.body.endswith(b"2\r\n1\n\r\n6\r\n2\nend\n\r\n0\r\n\r\n")
    assert response.is_ended


async def test_end_without_a_part_is_sent() -> None:
    """The engine's last bytes may come before the end of its body."""
    response, transport = a_response()
    relay = ExchangeRelay(response, an_exchange())
    await relay.write(ONE + LAST)
    await relay.write(b"", is_last=True)
    assert transport.body.endswith(b"4\r\nend\n\r\n0\r\n\r\n")


async def test_first_event_that_is_an_error_sends_nothing() -> None:
    """The error is raised before the head."""
    response, transport = a_response()
    with pytest.raises(EngineError, match="broke"):
        await ExchangeRelay(response, an_exchange()).write(ERROR)
    assert not transport.sent
    assert not response.is_started


async def test_error_in_a_later_part_is_raised_after_the_content_before_it() -> None:
    """``try_write`` runs in a callback, so it leaves the part to ``write``, which must not translate it twice."""
    response, transport = a_response()
    relay = ExchangeRelay(response, an_exchange())
    await relay.write(ONE)
    assert not relay.try_write(b'data: {"n": 2}\n\n' + ERROR)
    with pytest.raises(EngineError, match="broke"):
        await relay.write(b'data: {"n": 2}\n\n' + ERROR)
    assert transport.body == b"2\r\n1\n\r\n2\r\n2\n\r\n"
    assert not response.is_ended


async def test_part_for_a_slow_client_is_not_translated_yet() -> None:
    """The connection keeps the part and offers it again; translating it twice would repeat its content."""
    response, transport = a_response()
    relay = ExchangeRelay(response, an_exchange())
    await relay.write(ONE)
    transport.fails_with = asyncio.CancelledError()
    assert not relay.try_write(ONE)
    with pytest.raises(asyncio.CancelledError):
        await relay.drain()
    transport.fails_with = None
    await relay.write(ONE)
    assert transport.body == b"2\r\n1\n\r\n2\r\n1\n\r\n"


@pytest.mark.parametrize("short_bytes", [0, 1000])
async def test_body_is_translated_as_a_whole(monkeypatch: pytest.MonkeyPatch, short_bytes: int) -> None:
    """A short one at once, a long one in a thread."""
    monkeypatch.setattr(exchange_relay, "_SHORT_BODY_BYTES", short_bytes)
    response, transport = a_response()
    await relay_body(upstream(b'{"n"', b": 5}"), response, an_exchange())
    assert b"content-type: text/number\r\n" in transport.head
    assert transport.body == b"5"


async def test_body_of_another_form_is_an_upstream_error() -> None:
    """The engine's bytes are never relayed untranslated."""
    response, transport = a_response()
    with pytest.raises(UpstreamError, match="unknown form"):
        await relay_body(upstream(b"<html>"), response, an_exchange())
    assert not transport.sent


async def test_body_above_the_limit_is_an_upstream_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded whatever an engine sends."""
    monkeypatch.setattr(exchange_relay, "MAX_BODY_BYTES", 5)
    response, _ = a_response()
    with pytest.raises(UpstreamError, match="more than 5 bytes"):
        await relay_body(upstream(b'{"n"', b": 5}"), response, an_exchange())


async def test_a_comment_of_the_engine_is_a_heartbeat() -> None:
    """It sends the head, and is no part of the body: the request may still be sent again."""
    response, transport = a_response()
    relay = ExchangeRelay(response, an_exchange())
    assert not relay.try_write(b":\n\n")
    await relay.write(b":\n\n")
    assert b"content-type: text/numbers" in transport.head
    assert relay.try_write(b":\n\n")
    assert transport.body == b"1\r\n\n\r\n" * 2
    assert (response.chunks, response.tail) == (0, b"")
    assert relay.try_write(ONE)
    assert (response.chunks, response.tail) == (1, b"1\n")
    assert relay.try_write(LAST, is_last=True)
