"""Serves the model list, in OpenAI's format; in Anthropic's for clients that send ``anthropic-version``."""

from urllib.parse import unquote_to_bytes

from gglib.core.errors import ModelNotFoundError
from gglib.core.profiles import ProfiledModel
from gglib.proxy.dialects.errors import ANTHROPIC_VERSION
from gglib.proxy.errors import JSON
from gglib.proxy.names.aliases import Alias
from gglib.proxy.names.kind_defaults import require_for_kind
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.routes import anthropic
from gglib.proxy.routes.parsing import refuse_control_characters

MODELS_PATH = "/v1/models"


async def list_models(request: ProxyRequest, response: Response, services: Services) -> None:
    """``GET /v1/models``: the models that the caller may use, loaded or not, their alias lists and profiles."""
    if ANTHROPIC_VERSION in request.fields:
        await anthropic.list_models(request, response, services)
        return
    models = await services.catalog.list_models()
    aliases = services.aliases.listed(models)
    profiles = [] if services.profiles is None else await services.profiles.list_profiles()
    body = services.model_objects.as_list(models, await services.runtime.status(), aliases, profiles)
    await response.send_body(body, [JSON])


async def show_model(request: ProxyRequest, response: Response, services: Services) -> None:
    """``GET /v1/models/{id}``: what the name means: a model, an alias or ``model:profile``.

    A name that an alias pattern matches has an object under the requested id. Names may have slashes and percent signs.
    """
    name = _decoded(request.path.removeprefix(MODELS_PATH + "/"))
    if ANTHROPIC_VERSION in request.fields:
        await anthropic.show_model(name, request, response, services)
        return
    await services.catalog.list_models()  # listing detects replaced files
    found = await require_for_kind(name, services, "chat")
    model, objects, status = found.models[0], services.model_objects, await services.runtime.status()
    request.model = model.name  # not the requested one, which may be any that a pattern matches
    if found.alias is not None:
        shown = objects.as_object(Alias(found.name, found.models), status)
    elif found.profile is not None:
        shown = objects.as_profiled_object(ProfiledModel(model=model, profile=found.profile), status)
    else:
        shown = objects.as_object(model, status)
    await response.send_body(shown, [JSON])


def _decoded(quoted: str) -> str:
    try:
        name = unquote_to_bytes(quoted).decode()
    except UnicodeDecodeError as error:
        raise ModelNotFoundError(quoted) from error
    refuse_control_characters(name, "model")
    return name
