"""Serves the model list in OpenAI's format."""

from urllib.parse import unquote_to_bytes

from gglib.core.errors import ModelNotFoundError
from gglib.proxy.errors import JSON
from gglib.proxy.names.profile_names import require_profiled
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.routes.parsing import refuse_control_characters

MODELS_PATH = "/v1/models"


async def list_models(request: ProxyRequest, response: Response, services: Services) -> None:
    """``GET /v1/models``: the models that the caller may use, loaded or not, their alias lists and profiles."""
    del request
    models = await services.catalog.list_models()
    aliases = services.aliases.listed(models)
    profiles = [] if services.profiles is None else await services.profiles.list_profiles()
    body = services.model_objects.as_list(models, await services.runtime.status(), aliases, profiles)
    await response.send_body(body, [JSON])


async def show_model(request: ProxyRequest, response: Response, services: Services) -> None:
    """``GET /v1/models/{id}``: one model, alias list or ``model:profile``; names may have slashes and percent signs."""
    name = _decoded(request.path.removeprefix(MODELS_PATH + "/"))
    models = await services.catalog.list_models()  # listing detects replaced files
    model = await services.catalog.resolve_model(name) or services.aliases.find_listed(name, models)
    objects, status = services.model_objects, await services.runtime.status()
    if model is not None:
        request.model, shown = model.name, objects.as_object(model, status)
    else:
        profiled = await require_profiled(name, services)
        request.model, shown = profiled.model.name, objects.as_profiled_object(profiled, status)
    await response.send_body(shown, [JSON])


def _decoded(quoted: str) -> str:
    try:
        name = unquote_to_bytes(quoted).decode()
    except UnicodeDecodeError as error:
        raise ModelNotFoundError(quoted) from error
    refuse_control_characters(name, "model")
    return name
