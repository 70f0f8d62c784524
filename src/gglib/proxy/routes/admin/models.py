"""Lists, adds and removes models of this machine."""

import asyncio
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
from gglib.proxy.routes.admin.groups import MODELS_GROUP
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import Access, OperationSpec
from gglib.proxy.routes.requests import NewModel, RemoveQuery

MODELS, MODEL = "/gglib/models", "/gglib/models/{name}"
SHOWN_AT_ONCE = 200
"""Models between which other requests get their turn: a catalogue of thousands takes a tenth of a second and more."""
NAME = {"name": "Any of its names, percent-encoded, or its number."}


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


async def preview_removal(call: Call[None, None], response: Response) -> None:
    """Send what the removal of a model with its files would delete."""
    try:
        removed = await call.library.preview_removal(call.path["name"])
    except errors.ModelNotFoundError as error:
        raise await one_model_error(error, call.services.catalog, call.services.aliases) from error
    await response.send(responses.RemovalPreview.of(removed))


async def shown_models(call: Call[Any, Any], models: Sequence[ModelSummary]) -> tuple[responses.Model, ...]:
    """Return the JSON form of models for the caller."""
    states = await states_of(call)
    cluster = call.services.cluster
    lists = lists_by_model(await call.services.catalog.list_models(), call.services.aliases)
    shown = []
    for number, model in enumerate(models, 1):
        shown.append(
            responses.Model.of(
                model,
                states.get(model.id),
                alias_lists=lists.get(model.id, ()),
                copies=() if cluster is None else cluster.view.copies(model.name),
                is_for_admin=call.is_admin,
            )
        )
        if number % SHOWN_AT_ONCE == 0:
            await asyncio.sleep(0)
    return tuple(shown)


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
            group=MODELS_GROUP,
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
            group=MODELS_GROUP,
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
            group=MODELS_GROUP,
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
            group=MODELS_GROUP,
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
        preview_removal,
        OperationSpec(
            id="previewRemoval",
            method="GET",
            path=f"{MODEL}/removal",
            may_have_slashes=True,
            group=MODELS_GROUP,
            summary="Show what the removal of a model would delete",
            text="What `removeModel` with `files` would delete and keep now; changes nothing. Files of a model in "
            "memory are deleted after it is unloaded.",
            path_parameters=NAME,
            response=responses.RemovalPreview,
            needs_library=True,
            errors=(errors.ModelNotFoundError, errors.CatalogError),
        ),
    ),
)
