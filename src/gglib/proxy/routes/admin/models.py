"""Lists, adds and removes models of this machine, and searches the hub."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gglib.core import errors
from gglib.core.models import ModelSummary
from gglib.core.names import require_model
from gglib.proxy.errors import BadRequestError
from gglib.proxy.names.alias_table import lists_by_model
from gglib.proxy.names.candidates import resolve_request
from gglib.proxy.names.resolution import one_model_error
from gglib.proxy.response import Response
from gglib.proxy.routes import responses
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import Access, OperationSpec
from gglib.proxy.routes.requests import NewModel, RemoveQuery, RevisionQuery, SearchQuery

MODELS, MODEL = "/gglib/models", "/gglib/models/{name}"
SEARCH, REPOSITORY = "/gglib/hub/models", "/gglib/hub/models/{owner}/{repository}"
GROUP, HUB_GROUP = "Models of this machine", "The hub"
NAME = {"name": "Any of its names, percent-encoded, or its number."}
_HUB_ERRORS = (
    errors.HubError,
    errors.HubUnreachableError,
    errors.HubBusyError,
    errors.GatedRepositoryError,
    errors.RepositoryNotFoundError,
)


async def list_models(call: Call[None, None], response: Response) -> None:
    """Send the models that the caller may use, loaded or not."""
    models = await call.services.catalog.list_models()
    await response.send(responses.Models(models=await shown_models(call, models)))


async def show_model(call: Call[None, None], response: Response) -> None:
    """Send one model of the catalogue. For an alias list: its first model; for ``model:profile``: the model."""
    await call.services.catalog.list_models()  # listing detects replaced files
    (first, *_), _ = await resolve_request(call.path["name"], call.services)
    model = await require_model(call.services.catalog, first.name)
    (shown,) = await shown_models(call, [model])
    await response.send(shown)


async def add_model(call: Call[None, NewModel], response: Response) -> None:
    """Add a file to the catalogue."""
    try:
        model = await call.library.add_file(
            Path(call.body.path), name=call.body.name, aliases=call.body.aliases or ()
        )
    except errors.InvalidSettingError as error:  # the catalogue checks the name
        raise BadRequestError(str(error), "name") from error
    location = f"{MODELS}/{quote(model.name, safe='')}".encode()
    (shown,) = await shown_models(call, [model])
    await response.send(shown, status=201, headers=((b"location", location),))


async def remove_model(call: Call[RemoveQuery, None], response: Response) -> None:
    """Remove a model."""
    states = await states_of(call)
    try:
        removed = await call.library.remove_model(call.path["name"], with_files=call.query.files)
    except errors.ModelNotFoundError as error:
        raise await one_model_error(error, call.services.catalog, call.services.aliases) from error
    await response.send(responses.RemovedModel.of(removed, states.get(removed.model.id)))


async def search(call: Call[SearchQuery, None], response: Response) -> None:
    """Search the hub."""
    query = call.query
    result = await call.library.search(
        query.q, sort=query.sort, limit=query.limit, max_size_bytes=query.max_size
    )
    await response.send(responses.SearchResult.of(result, query.q))


async def show_repository(call: Call[RevisionQuery, None], response: Response) -> None:
    """Send one repository of the hub."""
    found = await call.library.show_repository(
        f"{call.path['owner']}/{call.path['repository']}", call.query.revision
    )
    await response.send(responses.ShownRepository.of(found))


async def shown_models(call: Call[Any, Any], models: Sequence[ModelSummary]) -> tuple[responses.Model, ...]:
    """Return the JSON form of models for the caller."""
    states = await states_of(call)
    lists = lists_by_model(await call.services.catalog.list_models(), call.services.aliases)
    return tuple(
        responses.Model.of(
            model,
            states.get(model.id),
            alias_lists=lists.get(model.id, ()),
            is_for_admin=call.is_admin,
        )
        for model in models
    )


async def states_of(call: Call[Any, Any]) -> dict[int, str]:
    """Return the states of the models in memory, by id."""
    status = await call.services.runtime.status()
    return {resident.model_id: resident.state for resident in status.residents}


OPERATIONS = (
    operation(
        list_models,
        OperationSpec(
            id="listModels",
            method="GET",
            path=MODELS,
            group=GROUP,
            summary="List the models of the catalogue",
            text="Like `gglib list --json`. Only models that the key may use; paths, `engine_args` "
            "and `last_used_at` are null for callers without admin rights.",
            access=Access.CLIENT,
            response=responses.Models,
            errors=(errors.CatalogError,),
        ),
    ),
    operation(
        add_model,
        OperationSpec(
            id="addModel",
            method="POST",
            path=MODELS,
            group=GROUP,
            summary="Add a GGUF file of the server's machine",
            text="Like `gglib add`: the file is not moved, and the model can be used at once.",
            body=NewModel,
            status=201,
            response=responses.Model,
            has_location=True,
            needs_library=True,
            errors=(
                errors.InvalidGgufError,
                errors.ModelExistsError,
                errors.CatalogError,
                errors.StorageError,
            ),
        ),
    ),
    operation(
        show_model,
        OperationSpec(
            id="showModel",
            method="GET",
            path=MODEL,
            may_have_slashes=True,
            group=GROUP,
            summary="Show one model",
            text="For an alias list or pattern: its first model; for `MODEL:PROFILE`: the model.",
            access=Access.CLIENT,
            path_parameters=NAME,
            response=responses.Model,
            errors=(errors.ModelNotFoundError, errors.ProfileNotFoundError, errors.CatalogError),
        ),
    ),
    operation(
        remove_model,
        OperationSpec(
            id="removeModel",
            method="DELETE",
            path=MODEL,
            may_have_slashes=True,
            group=GROUP,
            summary="Remove a model",
            text="Like `gglib rm`: its files stay, unless `files` is true. Then files are deleted if gglib downloaded "
            "them and no other model uses them; `kept` has the reasons for the others. A model in memory "
            "finishes its requests before it is unloaded.",
            path_parameters=NAME,
            query=RemoveQuery,
            response=responses.RemovedModel,
            needs_library=True,
            errors=(errors.ModelNotFoundError, errors.CatalogError, errors.StorageError),
        ),
    ),
    operation(
        search,
        OperationSpec(
            id="searchHub",
            method="GET",
            path=SEARCH,
            group=HUB_GROUP,
            summary="Search the hub for GGUF models",
            text="Like `gglib search --json`: the models of each repository, and whether they fit this machine.",
            query=SearchQuery,
            response=responses.SearchResult,
            needs_library=True,
            errors=_HUB_ERRORS,
        ),
    ),
    operation(
        show_repository,
        OperationSpec(
            id="showRepository",
            method="GET",
            path=REPOSITORY,
            group=HUB_GROUP,
            summary="Show one repository of the hub",
            text="Like `gglib show REPO --json`: the result of `searchHub`, and all files.",
            path_parameters={
                "owner": "The owner in `owner/name`.",
                "repository": "The name in `owner/name`.",
            },
            query=RevisionQuery,
            response=responses.ShownRepository,
            needs_library=True,
            errors=(*_HUB_ERRORS, errors.VariantChoiceError, errors.UnsafeNameError),
        ),
    ),
)
