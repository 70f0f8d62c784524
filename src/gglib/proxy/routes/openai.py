"""Serves the model list in OpenAI's format."""

from urllib.parse import unquote_to_bytes

from gglib.core.errors import ModelNotFoundError
from gglib.core.names import not_found
from gglib.proxy.errors import JSON
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.routes.parsing import refuse_control_characters

MODELS_PATH = "/v1/models"


async def list_models(request: ProxyRequest, response: Response, services: Services) -> None:
    """``GET /v1/models``: the models that the caller may use, loaded or not, and the alias lists of them."""
    del request
    models = await services.catalog.list_models()
    aliases = services.aliases.listed(models)
    body = services.model_objects.as_list(models, await services.runtime.status(), aliases)
    await response.send_body(body, [JSON])


async def show_model(request: ProxyRequest, response: Response, services: Services) -> None:
    """``GET /v1/models/{id}``: one model or alias list, by any name, which may have slashes and percent signs."""
    name = _decoded(request.path.removeprefix(MODELS_PATH + "/"))
    models = await services.catalog.list_models()  # listing detects replaced files
    model = await services.catalog.resolve_model(name) or services.aliases.find_listed(name, models)
    if model is None:
        raise not_found(name, services.aliases.suggested(models))
    request.model = model.name
    await response.send_body(services.model_objects.as_object(model, await services.runtime.status()), [JSON])


def _decoded(quoted: str) -> str:
    try:
        name = unquote_to_bytes(quoted).decode()
    except UnicodeDecodeError as error:
        raise ModelNotFoundError(quoted) from error
    refuse_control_characters(name, "model")
    return name
