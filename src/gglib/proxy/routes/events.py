"""What happens to the models in memory, as server-sent events: a snapshot, then changes."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from gglib.core.runtime.events import EventsLost, RuntimeEvent
from gglib.core.runtime.status import RuntimeStatus
from gglib.core.version import __version__
from gglib.http.sse import HEARTBEAT
from gglib.proxy.errors import NoEventsError
from gglib.proxy.response import STREAM_HEAD, Response
from gglib.proxy.routes import answers
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation import EVENTS, Description

PATH = "/gglib/events"
LOOK_EVERY_S = 1.0
"""Requests in flight are no events: where only they have changed, a snapshot says so, this often at most."""
SNAPSHOT = "snapshot"


async def follow_runtime(call: Call[None, None], response: Response) -> None:
    """Send a snapshot, then each change; a snapshot again where only numbers have changed, or events were lost."""
    runtime, heartbeat_s = call.services.runtime, call.services.options.heartbeat_s
    subscription = runtime.subscribe()
    if subscription is None:
        raise NoEventsError
    await response.start(200, STREAM_HEAD)
    if call.request.method == "HEAD":
        await response.write(b"", is_last=True)
        return
    with subscription as events:
        shown = await _send_snapshot(response, await runtime.status())
        quiet_s = 0.0
        while True:
            event = await events.next(LOOK_EVERY_S)
            if event is not None and not isinstance(event, EventsLost):
                await response.write(_event(answers.EVENT_NAMES[type(event)], event))
                shown, quiet_s = _numbers(await runtime.status()), 0.0
                continue
            status = await runtime.status()
            if event is not None or _numbers(status) != shown:
                shown, quiet_s = await _send_snapshot(response, status), 0.0
                continue
            quiet_s += LOOK_EVERY_S
            if 0 < heartbeat_s <= quiet_s:
                await response.write(HEARTBEAT)
                quiet_s = 0.0


async def _send_snapshot(response: Response, status: RuntimeStatus) -> Sequence[object]:
    await response.write(_event(SNAPSHOT, answers.Status.of(status, __version__)))
    return _numbers(status)


def _numbers(status: RuntimeStatus) -> Sequence[object]:
    """Return what of a status changes without an event, times apart."""
    return [
        *((one.model_id, one.state, one.in_flight) for one in status.residents),
        *(replace(one, longest_wait_s=0.0) for one in status.waiting),
    ]


def _event(name: str, data: RuntimeEvent | answers.Status) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))


OPERATIONS = (
    operation(
        follow_runtime,
        Description(
            id="followRuntime",
            method="GET",
            path=PATH,
            group="What runs",
            summary="Follow what happens to the models in memory",
            text="Server-sent events: first `snapshot` with a `Status`, then `loading`, `ready`, `load_failed`, "
            "`stopping`, `gone`, `queued` and `swap` as they happen. A snapshot comes again where only numbers have "
            "changed, once a second at most, and to a reader that was too slow for what happened.",
            answer=answers.Status,
            media_type=EVENTS,
            errors=(NoEventsError,),
        ),
    ),
)
