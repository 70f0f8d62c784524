"""Status of the runtime, and unloading all models. For admins."""

from gglib.core.version import __version__
from gglib.proxy.response import Response
from gglib.proxy.routes import responses
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import OperationSpec

GROUP = "Runtime"


async def show_status(call: Call[None, None], response: Response) -> None:
    """Send resident models, waiting requests, failures, the last swap, and counts since the start."""
    status = await call.services.runtime.status()
    await response.send(responses.Status.of(status, __version__))


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
            group=GROUP,
            summary="Show the models in memory, waiting requests, the last swap, and counts",
            text="Like `gglib ps --json`.",
            response=responses.Status,
        ),
    ),
    operation(
        stop_models,
        OperationSpec(
            id="stopModels",
            method="POST",
            path="/gglib/stop",
            group=GROUP,
            summary="Unload all models",
            text="Like `gglib stop`.",
            response=responses.Stopped,
        ),
    ),
)
