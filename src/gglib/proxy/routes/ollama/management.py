"""``/api/delete``, ``/api/copy`` and ``/api/create``; blobs and ``/api/push`` are refused in a sentence."""

from collections.abc import Mapping
from typing import Any, NoReturn

from gglib.core import errors
from gglib.core.models import ModelEdit, ModelSummary
from gglib.core.names import require_model
from gglib.core.profiles import Profile
from gglib.proxy.dialects.ollama.chat import is_streamed
from gglib.proxy.dialects.ollama.names import new_profile_name, without_latest
from gglib.proxy.dialects.ollama.options import engine_fields
from gglib.proxy.dialects.ollama.requests import CopyRequest, CreateRequest, NamedModel, required
from gglib.proxy.errors import BadRequestError, NoProfilesError, NotOfferedError, OneModelNeededError
from gglib.proxy.names.resolution import require_name
from gglib.proxy.options import Services
from gglib.proxy.profiles.admin import ProfileAdmin
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.routes.dispatch import Operation
from gglib.proxy.routes.ollama.bodies import read_body
from gglib.proxy.routes.ollama.generation import GROUP
from gglib.proxy.routes.ollama.loading import end_stream
from gglib.proxy.routes.ollama.names import with_resolved_name
from gglib.proxy.routes.ollama.pulling import SUCCESS, library_of, status_line
from gglib.proxy.routes.operation_spec import LINES, OperationSpec

_UNSUPPORTED_PARTS = ("files", "adapters", "template", "messages", "quantize", "modelfile")


async def delete(request: ProxyRequest, response: Response, services: Services) -> None:
    """Delete a model and the files that gglib downloaded for it; for an alias or a profile, only that."""
    body, _ = await read_body(request, services, NamedModel)
    library, name = library_of(services), body.wanted

    async def attempt(wanted: str | None) -> None:
        found = await require_name(wanted or "", services.catalog, services.aliases, services.profiles)
        model, profile = found.models[0], found.profile
        if found.alias is not None:  # a list or a pattern is no name of the model, even if it has only one
            raise OneModelNeededError(wanted or "", found.alias, tuple(one.name for one in found.models))
        request.model = model.name
        alias = _alias_meant(without_latest(wanted or ""), model)
        if profile is not None:
            await _profile_admin(services).remove(
                profile.name, None if profile.model_id is None else model.name
            )
        elif alias is not None:
            await library.edit_model(model.name, _without_alias(alias))
        else:
            await library.remove_model(model.name, with_files=True)

    await with_resolved_name(name, services, attempt)
    await response.send_body(b"", [])


def _alias_meant(name: str, model: ModelSummary) -> str | None:
    """Return the alias that a name is; None if it is the model's own name or its number."""
    if name.casefold() == model.name.casefold():
        return None
    return next((alias for alias in model.aliases if alias.casefold() == name.casefold()), None)


def _without_alias(alias: str) -> Any:  # noqa: ANN401 - an EditModel
    return lambda model: ModelEdit(aliases=tuple(known for known in model.aliases if known != alias))


async def copy(request: ProxyRequest, response: Response, services: Services) -> None:
    """Give a model another name: an alias."""
    library = library_of(services)
    body, _ = await read_body(request, services, CopyRequest)
    source, destination = required(body.source, "source"), required(body.destination, "destination")
    alias = without_latest(destination)
    model = await require_model(services.catalog, source)
    request.model = model.name

    def edit(current: ModelSummary) -> ModelEdit:
        known = {spelling.casefold() for spelling in (current.name, *current.aliases)}
        return ModelEdit(aliases=current.aliases if alias.casefold() in known else (*current.aliases, alias))

    try:
        await library.edit_model(model.name, edit)
    except errors.InvalidSettingError as error:  # the catalogue checks the name
        raise BadRequestError(str(error), "destination") from error
    await response.send_body(b"", [])


async def create(request: ProxyRequest, response: Response, services: Services) -> None:
    """Create a model from an existing one: a profile of it, with a system prompt and parameters."""
    body, _ = await read_body(request, services, CreateRequest)
    name = body.wanted
    for part in _UNSUPPORTED_PARTS:
        if getattr(body, part):
            raise BadRequestError(
                f"'{part}' is not supported: gglib creates models from an existing one ('from'), with 'system' and "
                "'parameters'. Add files with 'gglib add' or 'gglib pull'.",
                part,
            )
    model = await require_model(services.catalog, required(body.from_, "from"))
    request.model = model.name
    profile = Profile(
        name=new_profile_name(name, model),
        model_id=model.id,
        system=body.system or None,
        defaults=_defaults(body.parameters),
    )
    try:
        await _profile_admin(services).set(profile.name, model.name, lambda _: profile)
    except errors.InvalidSettingError as error:
        raise BadRequestError(str(error)) from error
    if is_streamed(body.stream):
        await end_stream(response, b"".join(map(status_line, ({"status": "writing manifest"}, SUCCESS))))
    else:
        await response.send(SUCCESS)


def _defaults(parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the defaults of a profile for ``parameters``. Raises ``BadRequestError`` for the context size."""
    fields = engine_fields(parameters)
    if "num_ctx" in fields:
        raise BadRequestError(
            "'num_ctx' cannot be a parameter of a new model: send it in 'options', or set the model's context with "
            "'gglib set MODEL --ctx N'.",
            "parameters.num_ctx",
        )
    return fields


async def refuse_blob(request: ProxyRequest, response: Response, services: Services) -> NoReturn:
    """Refuse to store or to show a blob."""
    del request, response, services
    raise NotOfferedError(
        "This server has no blobs: add a file with 'gglib add', or pull it from the hub with /api/pull."
    )


async def refuse_push(request: ProxyRequest, response: Response, services: Services) -> NoReturn:
    """Refuse to publish a model."""
    del request, response, services
    raise NotOfferedError("This server does not publish models.")


def _profile_admin(services: Services) -> ProfileAdmin:
    if services.profiles is None:
        raise NoProfilesError
    return ProfileAdmin(services.catalog, services.profiles, services.options.field_limits)


_ERRORS = (errors.ModelNotFoundError, errors.CatalogError)
_BLOB = "/api/blobs/{digest}"
_DIGEST = {"digest": "`sha256:` and a hash."}

OPERATIONS = (
    Operation(
        OperationSpec(
            id="deleteWithOllama",
            method="DELETE",
            path="/api/delete",
            group=GROUP,
            summary="Delete a model, in Ollama's dialect",
            text="With the files that gglib downloaded for it. An alias or a profile is deleted without its model.",
            body=NamedModel,
            needs_library=True,
            errors=(*_ERRORS, errors.ProfileNotFoundError, errors.StorageError),
        ),
        delete,
    ),
    Operation(
        OperationSpec(
            id="copyWithOllama",
            method="POST",
            path="/api/copy",
            group=GROUP,
            summary="Give a model another name, in Ollama's dialect",
            text="The new name is an alias; no file is copied.",
            body=CopyRequest,
            needs_library=True,
            errors=(*_ERRORS, errors.ModelExistsError),
        ),
        copy,
    ),
    Operation(
        OperationSpec(
            id="createWithOllama",
            method="POST",
            path="/api/create",
            group=GROUP,
            summary="Create a model from another one, in Ollama's dialect",
            text="The new model is a profile of the other one: `MODEL:NAME`, in this dialect also `NAME`. Only `from`, "
            "`system` and `parameters` are supported.",
            body=CreateRequest,
            media_type=LINES,
            errors=(*_ERRORS, NoProfilesError),
        ),
        create,
    ),
    *(
        Operation(
            OperationSpec(
                id=f"{name}OllamaBlob",
                method=method,
                path=_BLOB,
                group=GROUP,
                summary=f"Refused: {summary}",
                path_parameters=_DIGEST,
                errors=(NotOfferedError,),
            ),
            refuse_blob,
        )
        for name, method, summary in (("show", "GET", "show a blob"), ("add", "POST", "store a blob"))
    ),
    Operation(
        OperationSpec(
            id="pushWithOllama",
            method="POST",
            path="/api/push",
            group=GROUP,
            summary="Refused: publish a model",
            errors=(NotOfferedError,),
        ),
        refuse_push,
    ),
)
