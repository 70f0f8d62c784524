"""Loads and unloads one model."""

from functools import partial
from typing import Any

from gglib.core import errors
from gglib.proxy.cluster.copies import Places
from gglib.proxy.cluster.services import ClusterPorts
from gglib.proxy.names.candidates import Candidate, log_skip, resolve_request
from gglib.proxy.names.fallback import CANNOT_RUN, first_that_runs
from gglib.proxy.response import Response
from gglib.proxy.routes import responses
from gglib.proxy.routes.admin.groups import RUNTIME_GROUP
from gglib.proxy.routes.admin.models import MODEL, NAME
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import OperationSpec
from gglib.proxy.routes.requests import LoadOptions, UnloadOptions

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
_NODE_ERRORS = (
    errors.NodeNotFoundError,
    errors.ModelNotOnNodeError,
    errors.NodeNeededError,
    errors.NodeUnreachableError,
    errors.NodeRefusedError,
)


async def load_model(call: Call[None, LoadOptions], response: Response) -> None:
    """Load a model, respond when it is ready. For an alias list: the first model that can run. A profile is ignored."""
    services, request = call.services, call.request
    candidates, places = await _placed(call, call.body.node, in_memory=False)

    async def load(candidate: Candidate) -> responses.LoadedModel:
        request.model = candidate.name
        name, node = places.place(candidate.name)
        if node is None or services.cluster is None:
            target = await services.runtime.load(name, call.body.num_ctx, services.default_ctx)
            return responses.LoadedModel.of(target)
        await services.cluster.nodes.load(node, name, call.body.num_ctx)
        return responses.LoadedModel(
            model_id=0 if candidate.spec is None else candidate.spec.model_id,
            model_name=candidate.name,
            effective_ctx=_context_on(services.cluster, node, name),
            node=node,
        )

    await response.send(await first_that_runs(candidates, load, on_skip=partial(log_skip, request.id)))


async def unload_model(call: Call[None, UnloadOptions], response: Response) -> None:
    """Unload a model, respond when its process has exited. For an alias list: all its models that are in memory."""
    services = call.services
    candidates, places = await _placed(call, call.body.node, in_memory=True)
    stopped, at = [], None
    # All places first: an error changes nothing.
    placed = [(candidate, *places.place(candidate.name)) for candidate in candidates]
    for candidate, name, node in placed:
        if node is None or services.cluster is None:
            was_in_memory = await services.runtime.unload(name)
        else:
            was_in_memory, at = await services.cluster.nodes.unload(node, name), node
        if was_in_memory:
            stopped.append(candidate.name)
    await response.send(responses.Unloaded(stopped=tuple(stopped), node=at))


async def _placed(
    call: Call[None, Any], node: str | None, *, in_memory: bool
) -> tuple[list[Candidate], Places]:
    """Return the models that the path means, at least one, and where they are; with a node, only those that it has."""
    cluster = call.services.cluster
    candidates, _ = await resolve_request(call.path["name"], call.services)
    places = Places(None if cluster is None else cluster.view, node, in_memory=in_memory)
    return [candidate for candidate in candidates if places.has(candidate.name)] or candidates[:1], places


def _context_on(cluster: ClusterPorts, node: str, model_name: str) -> int | None:
    """Return the context of a model in the memory of a node, in tokens; None if the node has not reported it yet."""
    residents = (
        resident
        for snapshot in cluster.nodes.snapshots()
        if snapshot.name == node
        for resident in snapshot.residents
    )
    return next((r.effective_ctx for r in residents if r.model_name == model_name), None)


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
            errors=(*LOAD_ERRORS, *_NODE_ERRORS, errors.ProfileNotFoundError),
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
            body=UnloadOptions,
            response=responses.Unloaded,
            errors=(
                errors.ModelNotFoundError,
                errors.ProfileNotFoundError,
                errors.CatalogError,
                *_NODE_ERRORS,
            ),
        ),
    ),
)
