"""What ``gglib top`` reads of a server."""

import time
from typing import Any

import msgspec
import pytest
from tests.support.top_values import URL, a_node, finished, running, status

from gglib.cli.server.nodes import NO_NODES
from gglib.cli.top import feed
from gglib.cli.top.feed import FAILED_PATH, RUNNING_PATH, Feed, Source
from gglib.core.addresses import Endpoint
from gglib.core.errors import GglibError, UpstreamError


async def read(
    monkeypatch: pytest.MonkeyPatch, failed: object, requests: object, nodes: object = NO_NODES
) -> Feed:
    """Return the feed after one reading of a server with these responses; errors are raised."""
    contents = {
        "/gglib/status": status(),
        RUNNING_PATH: requests,
        FAILED_PATH: failed,
        "/gglib/nodes": nodes,
    }

    async def get(_: Endpoint, path: str, *__: Any, **___: Any) -> object:
        content = contents[path]
        if isinstance(content, Exception):
            raise content
        return msgspec.to_builtins(content)

    monkeypatch.setattr(feed, "get_json_async", get)
    read = Feed(lambda: Source(Endpoint(URL)), interval_s=1.0)
    await read.start()
    return read


async def test_failed_requests_of_the_history_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Later ones come as events."""
    request = finished("req_2", status=500, ended_at_s=time.time())
    found = await read(monkeypatch, {"requests": [request]}, {"running": [running()]})
    assert found.data.running == (running(),)
    assert [failed.request for failed in found.data.failed] == [request]


async def test_history_that_cannot_be_read_hides_no_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server reports those in progress all the same."""
    found = await read(monkeypatch, GglibError("history_error"), {"running": [running()]})
    assert found.data.has_requests
    assert (found.data.running, found.data.failed) == ((running(),), ())


async def test_older_server_has_no_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """It responds with 404."""
    found = await read(monkeypatch, GglibError("not_found"), GglibError("not_found"))
    assert not found.data.has_requests


async def test_nodes_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """An older server has none; another failure is one of the reading."""
    nodes = {"nodes": [a_node("box")], "conflicts": []}
    found = await read(monkeypatch, {"requests": []}, {"running": []}, nodes)
    assert found.data.nodes == (a_node("box"),)
    found = await read(monkeypatch, {"requests": []}, {"running": []}, GglibError("not_found"))
    assert (found.data.nodes, found.data.has_nodes) == ((), False)
    with pytest.raises(UpstreamError):
        await read(monkeypatch, {"requests": []}, {"running": []}, UpstreamError("gone"))
