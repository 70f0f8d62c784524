"""Loads and unloads one model."""

from functools import partial

from gglib.core import errors
from gglib.core.models import RunningTarget
from gglib.proxy.names.candidates import Candidate, log_skip, resolve_request
from gglib.proxy.names.fallback import CANNOT_RUN, first_that_runs
from gglib.proxy.response import Response
from gglib.proxy.routes import responses
from gglib.proxy.routes.admin.groups import RUNTIME_GROUP
from gglib.proxy.routes.admin.models import MODEL, NAME
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import OperationSpec
from gglib.proxy.routes.requests import LoadOptions

LOAD_ERRORS = (
    *CANNOT_RUN,
    errors.ModelOutOfMemoryError,
    errors.ModelRuntimeError,
    errors.EngineNotFoundError,
    errors.EngineBrokenError,
    errors.CatalogError,
    errors.ModelLoadingError,
    errors.QueueFullError,
    errors.ModelStoppedError,
)
"""Errors of every operation that loads a model."""


async def load_model(call: Call[None, LoadOptions], response: Response) -> None:
    """Load a model, respond when it is ready. For an alias list: the first model that can run. A profile is ignored."""
    services, request = call.services, call.request

    async def load(candidate: Candidate) -> RunningTarget:
        request.model = candidate.name
        return await services.runtime.load(candidate.name, call.body.num_ctx, services.default_ctx)

    candidates, _ = await resolve_request(call.path["name"], services)
    target = await first_that_runs(candidates, load, on_skip=partial(log_skip, request.id))
    await response.send(responses.LoadedModel.of(target))


async def unload_model(call: Call[None, None], response: Response) -> None:
    """Unload a model, respond when its process has exited. For an alias list: all its models that are in memory."""
    services = call.services
    candidates, _ = await resolve_request(call.path["name"], services)
    stopped = [candidate.name for candidate in candidates if await services.runtime.unload(candidate.name)]
    await response.send(responses.Stopped(stopped=tuple(stopped)))


OPERATIONS = (
    operation(
        load_model,
        OperationSpec(
            id="loadModel",
            method="POST",
            path=f"{MODEL}/load",
            may_have_slashes=True,
            group=RUNTIME_GROUP,
            summary="Load a model",
            text="Like `gglib load`: responds when the model is ready for requests. It waits like a request for the "
            "model, and other models are unloaded for it as for a request. A disconnect ends the wait.",
            path_parameters=NAME,
            body=LoadOptions,
            response=responses.LoadedModel,
            errors=(*LOAD_ERRORS, errors.ProfileNotFoundError),
        ),
    ),
    operation(
        unload_model,
        OperationSpec(
            id="unloadModel",
            method="POST",
            path=f"{MODEL}/unload",
            may_have_slashes=True,
            group=RUNTIME_GROUP,
            summary="Unload a model",
            text="Like `gglib unload`: waits for its responses in flight as `stopModels` does, and responds when its "
            "process has exited. `stopped` is empty if the model was not in memory.",
            path_parameters=NAME,
            response=responses.Stopped,
            errors=(errors.ModelNotFoundError, errors.ProfileNotFoundError, errors.CatalogError),
        ),
    ),
)
