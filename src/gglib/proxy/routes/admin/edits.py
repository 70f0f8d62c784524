"""Changes the names and settings of one model."""

from dataclasses import replace
from typing import Any

from msgspec import UNSET, UnsetType, structs

from gglib.core import errors
from gglib.core.models import ModelEdit, ModelSummary
from gglib.core.ports.catalog import EditModel
from gglib.core.priority import Priority
from gglib.proxy.errors import BadRequestError
from gglib.proxy.names.resolution import one_model_error
from gglib.proxy.response import Response
from gglib.proxy.routes import responses
from gglib.proxy.routes.admin.groups import MODELS_GROUP
from gglib.proxy.routes.admin.models import MODEL, NAME, shown_models
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import OperationSpec
from gglib.proxy.routes.requests import ModelChanges


async def change_model(call: Call[None, ModelChanges], response: Response) -> None:
    """Change the fields that the body sets."""
    await _edit(call, edit_of(call.body), response)


async def pin_model(call: Call[None, None], response: Response) -> None:
    """Pin a model."""
    await _edit(call, edit_of(ModelChanges(is_pinned=True)), response)


async def unpin_model(call: Call[None, None], response: Response) -> None:
    """Unpin a model."""
    await _edit(call, edit_of(ModelChanges(is_pinned=False)), response)


def edit_of(changes: ModelChanges) -> EditModel:
    """Return the edit that sets the fields of ``changes`` and keeps all others."""
    values = {name: value for name, value in structs.asdict(changes).items() if value is not UNSET}
    aliases, tags = (_names(values.pop(name, UNSET)) for name in ("aliases", "tags"))
    new_name = values.pop("name", None)
    settings = {name: _setting(name, value) for name, value in values.items()}

    def edit(model: ModelSummary) -> ModelEdit:
        return ModelEdit(
            name=new_name, aliases=aliases, tags=tags, settings=replace(model.settings, **settings)
        )

    return edit


def _names(names: tuple[str, ...] | UnsetType | None) -> tuple[str, ...] | None:
    """Return a field of ``ModelEdit``, in which None keeps the names."""
    return None if names is UNSET else names or ()


def _setting(name: str, value: Any) -> Any:  # noqa: ANN401 - the type of the field
    """Return the value of a field of ``ModelSettings``."""
    if name == "priority" and value is not None:
        return Priority[value.upper()]
    if name == "idle_ttl_s":
        return value or None  # 0 means never: to the runtime, it would mean unloading after each response
    if name == "is_pinned":
        return bool(value)
    return value


async def _edit(call: Call[None, Any], edit: EditModel, response: Response) -> None:
    """Apply an edit, and its pin at once; send the model as it is then."""
    try:
        model = await call.library.edit_model(call.path["name"], edit)
    except errors.ModelNotFoundError as error:
        raise await one_model_error(error, call.services.catalog, call.services.aliases) from error
    except errors.InvalidSettingError as error:  # the catalogue checks names and tags
        raise BadRequestError(str(error)) from error
    call.request.model = model.name
    await call.services.runtime.apply_pins()
    (shown,) = await shown_models(call, [model])
    await response.send(shown)


_ERRORS = (errors.ModelNotFoundError, errors.CatalogError)

OPERATIONS = (
    operation(
        change_model,
        OperationSpec(
            id="changeModel",
            method="PATCH",
            path=MODEL,
            may_have_slashes=True,
            group=MODELS_GROUP,
            summary="Change names and settings of a model",
            text="Like `gglib set`, with the same effects. The body is a merge patch (RFC 7396): absent fields stay, "
            "null resets a field. A model in memory that gets another name is unloaded after its requests. Engine "
            "arguments and paths are set on the server's machine only.",
            path_parameters=NAME,
            body=ModelChanges,
            response=responses.Model,
            needs_library=True,
            errors=(*_ERRORS, errors.ModelExistsError),
        ),
    ),
    operation(
        pin_model,
        OperationSpec(
            id="pinModel",
            method="POST",
            path=f"{MODEL}/pin",
            may_have_slashes=True,
            group=MODELS_GROUP,
            summary="Pin a model",
            text="Like `gglib pin`: the model stays in memory once it is loaded, also after a restart. "
            "It is not loaded by this.",
            path_parameters=NAME,
            response=responses.Model,
            needs_library=True,
            errors=_ERRORS,
        ),
    ),
    operation(
        unpin_model,
        OperationSpec(
            id="unpinModel",
            method="POST",
            path=f"{MODEL}/unpin",
            may_have_slashes=True,
            group=MODELS_GROUP,
            summary="Unpin a model",
            text="Like `gglib unpin`: the model may be unloaded for other models again.",
            path_parameters=NAME,
            response=responses.Model,
            needs_library=True,
            errors=_ERRORS,
        ),
    ),
)
