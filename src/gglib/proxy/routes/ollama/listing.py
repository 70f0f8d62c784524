"""``/api/version``, ``/api/tags``, ``/api/show`` and ``/api/ps``."""

import time

from gglib.core import errors
from gglib.core.models import GgufFacts, ModelSummary
from gglib.core.names import require_model
from gglib.core.profiles import Profile, listed_profiles
from gglib.proxy.dialects.ollama.models import listed_model, running_models, shown_model
from gglib.proxy.dialects.ollama.requests import NamedModel
from gglib.proxy.names.candidates import resolve_request
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.routes.dispatch import Operation
from gglib.proxy.routes.ollama.bodies import read_body
from gglib.proxy.routes.ollama.generation import GROUP
from gglib.proxy.routes.ollama.names import with_resolved_name
from gglib.proxy.routes.operation_spec import Access, OperationSpec

API_VERSION = "0.12.11"
"""The version of Ollama whose API this is: the first with log probabilities. Clients compare it; some need 0.6.4."""


async def show_version(request: ProxyRequest, response: Response, services: Services) -> None:
    """Send the version of Ollama's API."""
    del request, services
    await response.send({"version": API_VERSION})


async def list_models(request: ProxyRequest, response: Response, services: Services) -> None:
    """Send the models that the caller may use, their alias lists and profiles."""
    del request
    models = await services.catalog.list_models()
    aliases = services.aliases.listed(models)
    profiles = [] if services.profiles is None else await services.profiles.list_profiles()
    shown = [listed_model(model) for model in models]
    shown += [listed_model(alias.members[0], name=alias.name) for alias in aliases]
    shown += [
        listed_model(profiled.model, name=profiled.name, parent=profiled.model.name)
        for profiled in listed_profiles(models, profiles)
    ]
    await response.send({"models": shown})


async def show_model(request: ProxyRequest, response: Response, services: Services) -> None:
    """Send one model. For an alias list: its first model; for ``model:profile``: the model with its defaults."""
    body, _ = await read_body(request, services, NamedModel)

    async def attempt(name: str | None) -> tuple[ModelSummary, Profile | None]:
        (first, *_), profile = await resolve_request(name or "", services)
        return await require_model(services.catalog, first.name), profile

    await services.catalog.list_models()  # listing detects replaced files
    model, profile = await with_resolved_name(body.wanted, services, attempt)
    request.model = model.name
    facts = await _facts_of(model, services)
    await response.send(shown_model(model, facts, default_ctx=services.default_ctx, profile=profile))


async def list_running(request: ProxyRequest, response: Response, services: Services) -> None:
    """Send the models in memory that the caller may use."""
    del request
    models, status = await services.catalog.list_models(), await services.runtime.status()
    await response.send({"models": running_models(models, status.residents, time.time())})


async def _facts_of(model: ModelSummary, services: Services) -> GgufFacts | None:
    """Return the facts in the model's header; None if it cannot be read, or the library is an embedding program's."""
    read_facts = getattr(services.library, "read_facts", None)
    if read_facts is None:
        return None
    try:
        facts: GgufFacts | None = await read_facts(model)
    except errors.GglibError:
        return None
    return facts


OPERATIONS = (
    Operation(
        OperationSpec(
            id="showOllamaVersion",
            method="GET",
            path="/api/version",
            group=GROUP,
            summary="Show the version of Ollama's API",
            access=Access.CLIENT,
            response=dict,
        ),
        show_version,
    ),
    Operation(
        OperationSpec(
            id="listOllamaModels",
            method="GET",
            path="/api/tags",
            group=GROUP,
            summary="List the models, in Ollama's format",
            access=Access.CLIENT,
            response=dict,
            errors=(errors.CatalogError,),
        ),
        list_models,
    ),
    Operation(
        OperationSpec(
            id="showOllamaModel",
            method="POST",
            path="/api/show",
            group=GROUP,
            summary="Show one model, in Ollama's format",
            access=Access.CLIENT,
            body=NamedModel,
            response=dict,
            errors=(errors.ModelNotFoundError, errors.ProfileNotFoundError, errors.CatalogError),
        ),
        show_model,
    ),
    Operation(
        OperationSpec(
            id="listRunningOllamaModels",
            method="GET",
            path="/api/ps",
            group=GROUP,
            summary="List the models in memory, in Ollama's format",
            access=Access.CLIENT,
            response=dict,
            errors=(errors.CatalogError,),
        ),
        list_running,
    ),
)
