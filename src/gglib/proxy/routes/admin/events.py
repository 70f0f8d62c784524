"""Streams events of the runtime and of requests as server-sent events: a snapshot, then changes."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from time import monotonic

import msgspec

from gglib.core.history.requests import RunningRequest, StoredRequest
from gglib.core.memory import DeviceMemory
from gglib.core.ports import EventSubscription
from gglib.core.runtime.events import EventsLost, RuntimeEvent
from gglib.core.runtime.status import RuntimeStatus
from gglib.http.headers import EVENT_STREAM_HEADERS
from gglib.http.sse import HEARTBEAT
from gglib.proxy.errors import NoEventsError
from gglib.proxy.options import Services
from gglib.proxy.response import Response
from gglib.proxy.routes import responses
from gglib.proxy.routes.admin.status import shown_status
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import EVENTS, OperationSpec
from gglib.proxy.routes.requests import EventsQuery
from gglib.proxy.telemetry.open_requests import OpenRequests
from gglib.proxy.telemetry.request_events import (
    RequestEvent,
    RequestEventsLost,
    RequestFinished,
    RequestStarted,
)
from gglib.proxy.telemetry.request_feed import SCAN_INTERVAL_S, RequestSubscription

PATH = "/gglib/events"
POLL_INTERVAL_S = 1.0
"""The runtime publishes no events for request counts. They are polled, and a snapshot is sent if they changed."""
SNAPSHOT = "snapshot"
NOTABLE_SHARE = 64
"""A device whose available memory changed by more than this part of its total is worth a snapshot."""


REQUEST_EVENT_NAMES: dict[type[RequestEvent], str] = {
    RequestStarted: "request_started",
    RequestFinished: "request_finished",
}


async def follow_runtime(call: Call[EventsQuery, None], response: Response) -> None:
    """Send a snapshot, then each event; send another snapshot if counts changed or events were lost."""
    services, follows_requests = call.services, call.query.requests
    subscription = services.runtime.subscribe()
    if subscription is None and not follows_requests:
        raise NoEventsError
    await response.start(200, EVENT_STREAM_HEADERS)
    if call.request.method == "HEAD":
        await response.write(b"", is_last=True)
        return
    with ExitStack() as stack:
        events = None if subscription is None else stack.enter_context(subscription)
        requests = stack.enter_context(services.recorder.feed.subscribe()) if follows_requests else None
        stream = _Stream(response, services)
        await stream.send_snapshot()
        while True:
            event = await _next(
                events, stream.until_poll_s if requests is None else min(stream.until_poll_s, SCAN_INTERVAL_S)
            )
            if isinstance(event, EventsLost):
                await stream.send_snapshot()
            elif event is not None:
                await stream.send_event(event)
            if requests is not None:
                await stream.send_requests(requests, services.open_requests)
            if stream.until_poll_s == 0:
                await stream.poll()


async def _next(events: EventSubscription | None, timeout_s: float) -> RuntimeEvent | None:
    """Return the next event of the runtime, or None after ``timeout_s``."""
    if events is None:
        await asyncio.sleep(timeout_s)
        return None
    return await events.next(timeout_s)


class _Stream:
    """The event stream of one client. Times are those of ``time.monotonic``."""

    def __init__(self, response: Response, services: Services) -> None:
        self._response = response
        self._services = services
        self._runtime = services.runtime
        self._heartbeat_s = services.options.heartbeat_s
        self._sent_values: Sequence[object] = ()
        """The values in the last snapshot, as of ``_values``."""
        self._sent_devices: Mapping[str, DeviceMemory] = {}
        """The memory of the devices in the last snapshot."""
        self._sent_readiness = services.readiness.state
        self._sent_at_s = self._polled_at_s = monotonic()

    @property
    def until_poll_s(self) -> float:
        """Time until the next ``poll``, in seconds; 0 if it is due. Events do not delay it."""
        return max(0.0, self._polled_at_s + POLL_INTERVAL_S - monotonic())

    async def poll(self) -> None:
        """Send a snapshot if other values than times changed since the last one; else a heartbeat if one is due."""
        self._polled_at_s = now_s = monotonic()
        devices = await self._runtime.devices()
        status = await self._runtime.status()
        if (
            _values(status) != self._sent_values
            or self._services.readiness.state is not self._sent_readiness
            or have_changed(devices, self._sent_devices)
        ):
            await self._send_status(status, devices)
        elif 0 < self._heartbeat_s <= now_s - self._sent_at_s:
            await self._send(HEARTBEAT)

    async def send_snapshot(self) -> None:
        """Send the current status."""
        devices = await self._runtime.devices()
        await self._send_status(await self._runtime.status(), devices)

    async def send_event(self, event: RuntimeEvent) -> None:
        """Send an event."""
        await self._send(_event(responses.EVENT_NAMES[type(event)], event))

    async def send_requests(self, requests: RequestSubscription, open_requests: OpenRequests) -> None:
        """Send the requests that have started and ended; a snapshot if some were lost."""
        for event in (*requests.take_started(open_requests), *requests.take()):
            if isinstance(event, RequestEventsLost):
                await self.send_snapshot()
            else:
                await self._send(_event(REQUEST_EVENT_NAMES[type(event)], event.request))

    async def _send_status(self, status: RuntimeStatus, devices: Mapping[str, DeviceMemory]) -> None:
        self._sent_values, self._sent_devices = _values(status), devices
        self._sent_readiness = self._services.readiness.state
        await self._send(_event(SNAPSHOT, shown_status(status, devices, self._services)))

    async def _send(self, part: bytes) -> None:
        await self._response.write(part)
        self._sent_at_s = monotonic()


def _values(status: RuntimeStatus) -> Sequence[object]:
    """Return the values of a status that change without an event, except times."""
    return [
        *(replace(resident, uptime_s=None, loading_for_s=None, idle_s=None) for resident in status.residents),
        *(replace(waiting, longest_wait_s=0.0, runs_in_s=None) for waiting in status.waiting),
        status.limits,
        status.hint,
    ]


def have_changed(devices: Mapping[str, DeviceMemory], before: Mapping[str, DeviceMemory]) -> bool:
    """Whether the memory of a device changed notably: the memory of a machine is never quite the same."""
    if devices is before:
        return False
    return devices.keys() != before.keys() or any(
        _has_changed(memory, before[name]) for name, memory in devices.items()
    )


def _has_changed(memory: DeviceMemory, before: DeviceMemory) -> bool:
    total, now, then = memory.total_bytes, memory.available_bytes, before.available_bytes
    if total is None or now is None or then is None:
        return memory != before
    return total != before.total_bytes or abs(now - then) * NOTABLE_SHARE > total


def _event(name: str, data: RuntimeEvent | responses.Status | RunningRequest | StoredRequest) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))


OPERATIONS = (
    operation(
        follow_runtime,
        OperationSpec(
            id="followRuntime",
            method="GET",
            path=PATH,
            group="Runtime",
            summary="Follow the events of the models in memory",
            text="Server-sent events: first `snapshot` with a `Status`, then `loading`, `ready`, `load_failed`, "
            "`stopping`, `gone`, `prompts_saved`, `prompts_restored`, `queued` and `swap` as they happen. A further "
            "snapshot follows if other values than times changed, at most once a second, and for readers too slow for "
            "the events. With `requests`: also `request_started`, of requests that take longer than a moment, and "
            "`request_finished`, with the objects of `GET /gglib/requests`.",
            query=EventsQuery,
            response=responses.Status,
            media_type=EVENTS,
            errors=(NoEventsError,),
        ),
    ),
)
