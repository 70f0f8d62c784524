"""Serves the list of models in LM Studio's formats."""

from gglib.core import errors
from gglib.proxy.dialects.lm_studio import list_v0, list_v1
from gglib.proxy.errors import JSON
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.routes.dispatch import Handler, Operation
from gglib.proxy.routes.operation_spec import Access, OperationSpec


async def list_models_v0(request: ProxyRequest, response: Response, services: Services) -> None:
    """``GET /api/v0/models``: the models that the caller may use."""
    del request
    models = await services.catalog.list_models()
    await response.send_body(list_v0(models, await services.runtime.status()), [JSON])


async def list_models_v1(request: ProxyRequest, response: Response, services: Services) -> None:
    """``GET /api/v1/models``: the same, in the newer format."""
    del request
    models = await services.catalog.list_models()
    await response.send_body(list_v1(models, await services.runtime.status()), [JSON])


def _list(path: str, operation_id: str, handler: Handler) -> Operation:
    return Operation(
        OperationSpec(
            id=operation_id,
            method="GET",
            path=path,
            group="LM Studio",
            summary="List the models, in LM Studio's format",
            access=Access.CLIENT,
            errors=(errors.CatalogError,),
        ),
        handler,
    )


OPERATIONS = (
    _list("/api/v0/models", "listLmStudioModels", list_models_v0),
    _list("/api/v1/models", "listLmStudioModelsV1", list_models_v1),
)
