"""What is in memory, and how to unload it: for trusted callers."""

from gglib.core.version import __version__
from gglib.proxy.response import Response
from gglib.proxy.routes import responses
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation import OperationSpec

GROUP = "What runs"


async def show_status(call: Call[None, None], response: Response) -> None:
    """Answer with resident models, waiting requests, failures, the last swap, and counts since the start."""
    status = await call.services.runtime.status()
    await response.send(responses.Status.of(status, __version__))


async def stop_models(call: Call[None, None], response: Response) -> None:
    """Unload all models, and answer with their names."""
    runtime = call.services.runtime
    status = await runtime.status()
    await runtime.stop_current()
    await response.send(responses.Stopped(stopped=tuple(one.model_name for one in status.residents)))


OPERATIONS = (
    operation(
        show_status,
        OperationSpec(
            id="showStatus",
            method="GET",
            path="/gglib/status",
            group=GROUP,
            summary="Show the models in memory, waiting requests, the last swap, and counts",
            text="As `gglib ps --json`.",
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
            text="As `gglib stop`.",
            response=responses.Stopped,
        ),
    ),
)
