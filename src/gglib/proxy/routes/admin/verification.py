"""Verifies the files of a model, with progress as server-sent events."""

from contextlib import aclosing

import msgspec

from gglib.core import errors
from gglib.core.verification import Verification
from gglib.http.headers import EVENT_STREAM_HEADERS
from gglib.proxy.names.resolution import one_model_error
from gglib.proxy.relay.heartbeat import Heartbeat
from gglib.proxy.response import Response
from gglib.proxy.routes import responses
from gglib.proxy.routes.admin.groups import MODELS_GROUP
from gglib.proxy.routes.admin.models import MODEL, NAME
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import EVENTS, OperationSpec

PROGRESS, RESULT = "progress", "result"


async def verify_model(call: Call[None, None], response: Response) -> None:
    """Hash the files of a model. Ends when the client disconnects."""
    steps = call.library.verify_model(call.path["name"])
    async with aclosing(steps), Heartbeat(response, call.services.options.heartbeat_s) as heartbeat:
        try:
            first = await anext(steps)
        except errors.ModelNotFoundError as error:
            raise await one_model_error(error, call.services.catalog, call.services.aliases) from error
        if not response.is_started:
            await response.start(200, EVENT_STREAM_HEADERS)
        step = first
        while not isinstance(step, Verification):
            await response.write(_event(PROGRESS, responses.VerifyProgress.of(step)))
            step = await anext(steps)
        await heartbeat.stop()
        await response.write(_event(RESULT, responses.Verification.of(step)), is_last=True)


def _event(name: str, data: responses.VerifyProgress | responses.Verification) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))


OPERATIONS = (
    operation(
        verify_model,
        OperationSpec(
            id="verifyModel",
            method="POST",
            path=f"{MODEL}/verify",
            may_have_slashes=True,
            group=MODELS_GROUP,
            summary="Verify the files of a model",
            text="Like `gglib verify`: reads all files and compares them with their expected SHA-256. Server-sent "
            "events: `progress` with `file`, `done_bytes` and `total_bytes` (of all files together), at most five per "
            "second, then `result`. One verification runs at a time, others wait. A disconnect stops it.",
            path_parameters=NAME,
            response=responses.Verification,
            media_type=EVENTS,
            needs_library=True,
            errors=(errors.ModelNotFoundError, errors.CatalogError),
        ),
    ),
)
