"""``GET /gglib/events``: a snapshot, followed by the events of the models in memory."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from tests.support.waiting import until

from gglib.core.memory import DeviceBytes, DeviceMemory
from gglib.core.models import RunningTarget
from gglib.core.ports import ModelRuntimePort
from gglib.core.runtime.events import (
    EventsLost,
    ModelLoadFailed,
    ModelLoading,
    ModelReady,
    ModelStopping,
    ModelUnloaded,
    RequestQueued,
    RuntimeEvent,
    SwapFinished,
)
from gglib.core.runtime.status import RuntimeStatus, SwapStatus, WaitingStatus
from gglib.proxy import ProxyOptions, Readiness, ReadyState, SharedState
from gglib.proxy.routes import responses
from gglib.proxy.routes.admin.events import have_changed
from gglib.testing import FakeRuntime

from .support import MODEL, Proxy, ask, proxy_running

PATH = "/gglib/events"
TARGET = RunningTarget.local(9, 1, "tiny", 4096)
SWAP = SwapStatus(
    from_model=None,
    to_model="tiny",
    why="there was room",
    request_id="req_1",
    waited_s=0.0,
    drain_s=0.0,
    stop_s=0.0,
    load_s=1.5,
    total_s=1.5,
    ago_s=0.0,
)
HAPPENING: list[RuntimeEvent] = [
    RequestQueued(model_name="tiny", request_id="req_1"),
    ModelLoading(model_id=1, model_name="tiny", effective_ctx=4096, expected_s=2.5),
    ModelReady(model_id=1, model_name="tiny", load_s=1.5),
    SwapFinished(swap=SWAP),
    ModelLoadFailed(model_id=1, model_name="tiny", reason="no memory"),
    ModelStopping(model_id=1, model_name="tiny", reason="idle"),
    ModelUnloaded(model_id=1, model_name="tiny", died="signal 9"),
]


class EventStream:
    """The events of one connection, in order; comments are counted."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._lines: list[bytes] = []
        self.comments = 0

    async def next(self) -> tuple[str, dict[str, Any]]:
        """Return the name and the data of the next event."""
        name = ""
        async with asyncio.timeout(10):
            while True:
                line = (await self._reader.readline()).rstrip(b"\r\n")
                self.comments += line == b":"
                if line.startswith(b"event: "):
                    name = line.removeprefix(b"event: ").decode()
                elif line.startswith(b"data: "):
                    return name, json.loads(line.removeprefix(b"data: "))

    async def end(self) -> bytes:
        """Return the remaining bytes until the server closes the connection."""
        async with asyncio.timeout(10):
            return await self._reader.read()


@asynccontextmanager
async def following(proxy: Proxy, *, method: str = "GET", path: str = PATH) -> AsyncIterator[EventStream]:
    """Follow the events in HTTP/1.0, whose bodies have no framing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(f"{method} {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    assert (await reader.readline()).split()[1] == b"200"
    while (await reader.readline()).strip():
        pass
    try:
        yield EventStream(reader)
    finally:
        writer.close()


class MeasuringRuntime(FakeRuntime):
    """A runtime that reports a size of its model."""

    size: DeviceBytes = MappingProxyType({})

    async def status(self) -> RuntimeStatus:
        """Return the residents with this size."""
        status = await super().status()
        return RuntimeStatus(residents=tuple(replace(r, size=self.size) for r in status.residents))


def runtime() -> FakeRuntime:
    """Return a runtime with one target."""
    return FakeRuntime({MODEL.name: TARGET})


async def test_a_snapshot_is_followed_by_everything_that_happens() -> None:
    """Each event has its name, and the fields of its value as data; the snapshot is the status."""
    async with proxy_running(runtime()) as proxy, following(proxy) as events:
        name, data = await events.next()
        assert (name, data) == ("snapshot", (await ask(proxy.port, "GET", "/gglib/status")).json())
        for event in HAPPENING:
            proxy.runtime.publish(event)
        names = []
        for event in HAPPENING:
            name, data = await events.next()
            names.append(name)
            assert data.get("model_name", "tiny") == "tiny"
            assert set(data) == set(event.__dataclass_fields__)
        assert names == [responses.EVENT_NAMES[type(event)] for event in HAPPENING]
        assert data["died"] == "signal 9"


async def test_two_clients_see_the_same_and_leave_nothing_behind() -> None:
    """Both clients receive the same events; a subscription ends with its connection."""
    async with proxy_running(runtime()) as proxy:
        async with following(proxy) as first, following(proxy) as second:
            await first.next()
            await second.next()
            proxy.runtime.publish(HAPPENING[1])
            assert await first.next() == await second.next()
            assert len(proxy.runtime.subscriptions) == 2
        await until(lambda: not proxy.runtime.subscriptions)


async def test_lost_events_are_made_up_for_by_a_snapshot() -> None:
    """A client that was too slow receives a new snapshot and then further events."""
    async with proxy_running(runtime()) as proxy, following(proxy) as events:
        await events.next()
        proxy.runtime.publish(EventsLost())
        proxy.runtime.publish(HAPPENING[2])
        assert [(await events.next())[0] for _ in range(2)] == ["snapshot", "ready"]


async def test_numbers_that_change_without_an_event_are_in_a_snapshot() -> None:
    """The number of requests in flight causes no event."""
    async with proxy_running(runtime()) as proxy:
        await proxy.runtime.ensure_model_running(MODEL.name, None, 4096)
        async with following(proxy) as events:
            _, before = await events.next()
            async with proxy.runtime.admit(MODEL.name, None, 4096):
                name, after = await events.next()
        assert name == "snapshot"
        assert [data["residents"][0]["in_flight"] for data in (before, after)] == [0, 1]


async def test_measured_size_is_in_a_snapshot() -> None:
    """A measurement and a pin cause no event."""
    changing = MeasuringRuntime({MODEL.name: TARGET})
    async with proxy_running(changing) as proxy:
        await changing.ensure_model_running(MODEL.name, None, 4096)
        async with following(proxy) as events:
            await events.next()
            changing.size = {"ram": 5}
            name, after = await events.next()
        assert (name, after["residents"][0]["size"], after["used"]) == ("snapshot", {"ram": 5}, {"ram": 5})


async def test_notable_changes_of_the_machine_s_memory_are_in_a_snapshot() -> None:
    """A change of 1 % is not notable: it waits for the next snapshot."""
    changing = MeasuringRuntime({MODEL.name: TARGET})
    changing.device_memory = {"ram": DeviceMemory(total_bytes=1000, available_bytes=500)}
    async with (
        proxy_running(changing, options=ProxyOptions(heartbeat_s=0.5)) as proxy,
        following(proxy) as events,
    ):
        _, before = await events.next()
        changing.device_memory = {"ram": DeviceMemory(total_bytes=1000, available_bytes=490)}
        asyncio.get_running_loop().call_later(2.5, _set_free_memory, changing, 400)
        name, after = await events.next()
        assert events.comments >= 1
    assert name == "snapshot"
    assert [data["devices"]["ram"]["available_bytes"] for data in (before, after)] == [500, 400]


def _set_free_memory(fake: FakeRuntime, free: int) -> None:
    fake.device_memory = {"ram": DeviceMemory(total_bytes=1000, available_bytes=free)}


MEMORY = DeviceMemory(total_bytes=1000, available_bytes=500)


@pytest.mark.parametrize(
    ("now", "is_notable"),
    [
        (replace(MEMORY, available_bytes=515), False),
        (replace(MEMORY, available_bytes=516), True),
        (replace(MEMORY, available_bytes=484), True),
        (replace(MEMORY, available_bytes=None), True),
        (replace(MEMORY, total_bytes=999), True),
        (replace(MEMORY, total_bytes=None), True),
    ],
)
def test_a_sixty_fourth_of_the_total_is_notable(now: DeviceMemory, is_notable: bool) -> None:  # noqa: FBT001
    """Also a value that is unknown from now on."""
    before = {"ram": MEMORY}
    assert have_changed({"ram": now}, before) is is_notable
    assert have_changed({"ram": MEMORY, "gpu0": now}, before)
    assert not have_changed(before, before)


async def test_numbers_that_change_before_an_event_are_in_a_snapshot() -> None:
    """An event describes a change, without the number of requests in flight at that time."""
    async with proxy_running(runtime()) as proxy:
        await proxy.runtime.ensure_model_running(MODEL.name, None, 4096)
        async with following(proxy) as events:
            await events.next()
            async with proxy.runtime.admit(MODEL.name, None, 4096):
                proxy.runtime.publish(HAPPENING[0])
                (first, _), (second, after) = [await events.next() for _ in range(2)]
        assert (first, second) == ("queued", "snapshot")
        assert after["residents"][0]["in_flight"] == 1


async def test_events_do_not_put_off_a_snapshot() -> None:
    """Snapshots are at most about a second old, also during a constant flow of events."""
    async with proxy_running(runtime()) as proxy:
        await proxy.runtime.ensure_model_running(MODEL.name, None, 4096)
        async with following(proxy) as events:
            await events.next()
            async with proxy.runtime.admit(MODEL.name, None, 4096), asyncio.timeout(10):
                name = ""
                while name != "snapshot":
                    proxy.runtime.publish(HAPPENING[0])
                    name, _ = await events.next()
                    await asyncio.sleep(0.1)


async def test_a_quiet_stream_has_comments() -> None:
    """Comments are sent at the heartbeat interval of a waiting stream."""
    options = ProxyOptions(heartbeat_s=0.5)
    async with proxy_running(runtime(), options=options) as proxy, following(proxy) as events:
        await events.next()
        publish_later = asyncio.get_running_loop().call_later(2.5, proxy.runtime.publish, HAPPENING[0])
        await events.next()
        publish_later.cancel()
        assert events.comments >= 1


class AgingRuntime(FakeRuntime):
    """A runtime whose model is idle, and waits, longer at each reading."""

    age_s = 0.0

    async def status(self) -> RuntimeStatus:
        """Return the next second of an idle model and of a waiting request."""
        self.age_s += 1.0
        status = await super().status()
        waiting = WaitingStatus(model_name="b", waiting=1, longest_wait_s=self.age_s, runs_in_s=-self.age_s)
        residents = tuple(
            replace(r, uptime_s=self.age_s, loading_for_s=self.age_s, idle_s=self.age_s)
            for r in status.residents
        )
        return replace(status, residents=residents, waiting=(waiting,))


async def test_time_that_passes_is_no_reason_for_a_snapshot() -> None:
    """A page counts on by itself; a quiet stream has comments only."""
    aging = AgingRuntime({MODEL.name: TARGET})
    async with proxy_running(aging, options=ProxyOptions(heartbeat_s=0.5)) as proxy:
        await aging.ensure_model_running(MODEL.name, None, 4096)
        async with following(proxy) as events:
            await events.next()
            asyncio.get_running_loop().call_later(2.5, aging.publish, HAPPENING[0])
            assert (await events.next())[0] == "queued"
            assert events.comments >= 1


async def test_head_has_no_body() -> None:
    """A HEAD request gets only the head of the ``GET`` response."""
    async with proxy_running(runtime()) as proxy, following(proxy, method="HEAD") as events:
        assert await events.end() == b""


async def test_the_stream_ends_with_the_server() -> None:
    """An error is the last event: the client can tell a shutdown from a network failure."""
    async with proxy_running(runtime()) as proxy, following(proxy) as events:
        await events.next()
        proxy.cancel.set()
        assert b"shutting_down" in await events.end()


class SilentRuntime(FakeRuntime):
    """A runtime without events."""

    subscribe = ModelRuntimePort.subscribe  # type: ignore[assignment]


async def test_a_runtime_without_events_is_a_501() -> None:
    """The 501 is sent before the stream begins."""
    async with proxy_running(SilentRuntime()) as proxy:
        reply = await ask(proxy.port, "GET", PATH)
    assert (reply.status, reply.error["code"]) == (501, "not_offered")


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://evil.example"])
async def test_web_pages_of_others_see_nothing(origin: str) -> None:
    """The request is refused: the events contain model names."""
    async with proxy_running(runtime()) as proxy:
        reply = await ask(proxy.port, "GET", PATH, headers=(("Origin", origin),))
    assert reply.status == 403
    assert TARGET.model_name.encode() not in reply.body


async def test_the_status_says_which_run_it_is_and_whether_it_is_ready() -> None:
    """Another id for each run; a change of readiness is sent, although no value of the runtime changed."""
    seen: list[str] = []
    for _ in range(2):
        shared = SharedState(readiness=Readiness(ReadyState.STARTING))
        async with proxy_running(FakeRuntime(), shared=shared) as proxy, following(proxy) as stream:
            name, first = await stream.next()
            assert (name, first["readiness"], first["instance"]) == ("snapshot", "starting", shared.instance)
            for change, state in (
                (shared.readiness.finish_start, "ready"),
                (shared.readiness.begin_drain, "draining"),
            ):
                change()
                name, changed = await stream.next()
                assert (name, changed["readiness"]) == ("snapshot", state)
            status = (await ask(proxy.port, "GET", "/gglib/status")).json()
            assert (status["readiness"], status["instance"]) == ("draining", shared.instance)
            seen.append(shared.instance)
    assert all(seen)
    assert seen[0] != seen[1]
