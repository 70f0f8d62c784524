"""Lists, reads and follows the logs. For admins: logs contain paths."""

from contextlib import aclosing

import msgspec

from gglib.core import errors
from gglib.core.ports.logs import LogBatch, LogTail
from gglib.http.headers import EVENT_STREAM_HEADERS
from gglib.proxy.errors import NoMachineError
from gglib.proxy.relay.heartbeat import Heartbeat
from gglib.proxy.response import Response
from gglib.proxy.routes import responses
from gglib.proxy.routes.admin.groups import MACHINE_GROUP
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import EVENTS, OperationSpec
from gglib.proxy.routes.requests import LogEventsQuery, LogQuery

LOGS, LOG = "/gglib/logs", "/gglib/logs/{name}"
_NAME = {"name": "`gglib`, or `engine:` and the name of a model, percent-encoded."}
_ERRORS = (errors.LogNotFoundError, errors.LogUnreadableError, NoMachineError)


async def list_logs(call: Call[None, None], response: Response) -> None:
    """Send the logs that exist."""
    await response.send(responses.Logs(logs=await call.machine.logs.list_logs()))


async def read_log(call: Call[LogQuery, None], response: Response) -> None:
    """Send the last lines of a log."""
    call.services.recorder.flush()  # the access lines of the last moment are buffered
    await response.send(await call.machine.logs.read_log(call.path["name"], call.query.lines))


async def follow_log(call: Call[LogEventsQuery, None], response: Response) -> None:
    """Send the last lines, then new ones. Ends when the client disconnects."""
    followed = call.machine.logs.follow_log(call.path["name"], call.query.lines)
    async with aclosing(followed), Heartbeat(response, call.services.options.heartbeat_s) as heartbeat:
        async for batch in followed:
            await heartbeat.stop()
            is_head = call.request.method == "HEAD"
            if not response.is_started:
                await response.start(200, EVENT_STREAM_HEADERS)
            await response.write(_event(batch), is_last=is_head)
            if is_head:
                return
            heartbeat.start()


def _event(batch: LogBatch) -> bytes:
    return b"event: lines\ndata: %b\n\n" % msgspec.json.encode(responses.NewLogLines.of(batch))


OPERATIONS = (
    operation(
        list_logs,
        OperationSpec(
            id="listLogs",
            method="GET",
            path=LOGS,
            group=MACHINE_GROUP,
            summary="List the logs of gglib and of the engines",
            response=responses.Logs,
            errors=(errors.CatalogError, NoMachineError),
        ),
    ),
    operation(
        read_log,
        OperationSpec(
            id="readLog",
            method="GET",
            path=LOG,
            may_have_slashes=True,
            group=MACHINE_GROUP,
            summary="Read the end of a log",
            text="Like `gglib logs`: lines of JSON as text, control characters escaped, long lines cut. At most the "
            "last MiB of the file.",
            path_parameters=_NAME,
            query=LogQuery,
            response=LogTail,
            errors=_ERRORS,
        ),
    ),
    operation(
        follow_log,
        OperationSpec(
            id="followLog",
            method="GET",
            path=f"{LOG}/events",
            group=MACHINE_GROUP,
            may_have_slashes=True,
            summary="Follow a log",
            text="Like `gglib logs --follow`. Server-sent events: `lines`, at most five per second; the first one at "
            "once, with the last lines. Comments keep the stream alive. Rotation is followed. Lines are left out, and "
            "counted, if more than 1,000 lines or 256 KiB are new, also for slow readers.",
            path_parameters=_NAME,
            query=LogEventsQuery,
            response=responses.NewLogLines,
            media_type=EVENTS,
            errors=_ERRORS,
        ),
    ),
)
