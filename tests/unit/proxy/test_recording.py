"""The proxy application records bodies, without the HTTP server."""

import json

import pytest

from gglib.core.history.recording import NO_RECORDING, RecordingRule
from gglib.core.history.records import RecordedBodies, RequestRecord
from gglib.core.models import ModelSummary
from gglib.http.client.pool import UpstreamPool
from gglib.http.request_head import parse_head
from gglib.http.server.body import RequestBody
from gglib.proxy.access.cors import CorsRules
from gglib.proxy.access.hosts import HostRules
from gglib.proxy.access.keys import AccessKeys
from gglib.proxy.access.policy import AccessPolicy
from gglib.proxy.app import ProxyApp
from gglib.proxy.models import ModelObjects
from gglib.proxy.options import ProxyOptions, Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.routes.table import route_of
from gglib.proxy.telemetry.recorder import RequestRecorder
from gglib.testing import FakeCatalog, FakeRuntime

from .test_proxy_response import FakeTransport

KEYS = {"alice": "SECRET-of-alice", "bob": "SECRET-of-bob"}
BODY = b'{"model": "missing", "max_tokens": 9, "messages": [{"role": "user", "content": "PROMPT"}]}'


class Recorder(RequestRecorder):
    """Keeps the records only."""

    def __init__(self) -> None:
        super().__init__(route_of)
        self.records: list[RequestRecord] = []

    def record(self, record: RequestRecord, *args: object, **kwargs: object) -> None:
        """Keep a record."""
        del args, kwargs
        self.records.append(record)


class World:
    """An app, and what it records."""

    def __init__(self, rule: RecordingRule) -> None:
        self.recorder = Recorder()
        self.services = Services(
            runtime=FakeRuntime(),
            catalog=FakeCatalog([ModelSummary(id=1, name="tiny")]),
            pool=UpstreamPool(connect_timeout_s=1),
            model_objects=ModelObjects(1),
            recorder=self.recorder,
            default_ctx=1,
            options=ProxyOptions(record_bodies=rule),
        )
        self.app = ProxyApp(self.services, self.policy())

    @staticmethod
    def policy() -> AccessPolicy:
        """Return a policy with keys."""
        return AccessPolicy(HostRules(frozenset(), frozenset()), CorsRules(), AccessKeys(KEYS))

    async def bodies(self, path: str, key: str = "alice", body: bytes = BODY) -> RecordedBodies | None:
        """Send a request, and return its recorded bodies."""
        received, transport = RequestBody(limit_bytes=1000), FakeTransport()
        transport.peer_host = transport.server_host = "127.0.0.1"
        received.feed(body)
        received.finish()
        head = parse_head(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {KEYS[key]}".encode())
        await self.app.handle(ProxyRequest(head, len(body), received, transport), transport)
        found = self.recorder.records[-1].bodies
        if found is not None:
            assert found.response == transport.body
        return found


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/api/chat"])
async def test_both_bodies_of_a_failed_request_are_recorded(path: str) -> None:
    """As the client sent and received them, in each dialect."""
    found = await World(RecordingRule(True)).bodies(path)
    assert found is not None
    assert found.request == BODY
    assert "missing" in str(json.loads(found.response))


async def test_the_rule_is_that_of_the_options() -> None:
    """By key, for recorded paths only, and after it was replaced."""
    world = World(RecordingRule(("key:alice",)))
    chat = "/v1/chat/completions"
    assert await world.bodies(chat) is not None
    assert await world.bodies(chat, "bob") is None
    assert await world.bodies("/tokenize") is None
    for rule, is_recorded in ((NO_RECORDING, False), (RecordingRule(("key:b*",)), True)):
        world.services.options = ProxyOptions(record_bodies=rule)
        world.app.replace_policy(world.policy())
        world.app.apply_recording()
        assert (await world.bodies(chat, "bob") is not None) is is_recorded
