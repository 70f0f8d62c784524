"""Status of the runtime, its last swaps, and unloading all models. For admins."""

from collections.abc import Mapping

from gglib.core.memory import DeviceMemory
from gglib.core.ports.runtime import MAX_SWAPS
from gglib.core.runtime.status import RuntimeStatus
from gglib.core.version import __version__
from gglib.proxy.options import Services
from gglib.proxy.response import Response
from gglib.proxy.routes import responses
from gglib.proxy.routes.admin.groups import RUNTIME_GROUP
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import OperationSpec
from gglib.proxy.routes.requests import SwapsQuery


async def show_status(call: Call[None, None], response: Response) -> None:
    """Send resident models, waiting requests, failures, the last swap, and counts since the start."""
    runtime = call.services.runtime
    devices = await runtime.devices()
    await response.send(shown_status(await runtime.status(), devices, call.services))


def shown_status(
    status: RuntimeStatus, devices: Mapping[str, DeviceMemory], services: Services
) -> responses.Status:
    """Return the status of a runtime with the memory of its machine and what is known of the server."""
    return responses.Status.of(
        status,
        __version__,
        devices,
        instance=services.instance,
        readiness=services.readiness.state.value,
    )


async def list_swaps(call: Call[SwapsQuery, None], response: Response) -> None:
    """Send the last swaps."""
    await response.send(responses.Swaps(swaps=call.services.runtime.swaps(call.query.limit)))


async def stop_models(call: Call[None, None], response: Response) -> None:
    """Unload all models, and send their names."""
    runtime = call.services.runtime
    status = await runtime.status()
    await runtime.stop_current()
    await response.send(
        responses.Stopped(stopped=tuple(resident.model_name for resident in status.residents))
    )


OPERATIONS = (
    operation(
        show_status,
        OperationSpec(
            id="showStatus",
            method="GET",
            path="/gglib/status",
            group=RUNTIME_GROUP,
            summary="Show the models in memory, waiting requests, the last swap, and counts",
            text="Like `gglib ps --json`.",
            response=responses.Status,
        ),
    ),
    operation(
        list_swaps,
        OperationSpec(
            id="listSwaps",
            method="GET",
            path="/gglib/swaps",
            group=RUNTIME_GROUP,
            summary="List the last swaps",
            text=f"Newest first. The server keeps the last {MAX_SWAPS} since its start; "
            "`GET /gglib/events` sends further ones.",
            query=SwapsQuery,
            response=responses.Swaps,
        ),
    ),
    operation(
        stop_models,
        OperationSpec(
            id="stopModels",
            method="POST",
            path="/gglib/stop",
            group=RUNTIME_GROUP,
            summary="Unload all models",
            text="Like `gglib stop`.",
            response=responses.Stopped,
        ),
    ),
)
