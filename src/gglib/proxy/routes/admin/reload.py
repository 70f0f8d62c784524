"""Reloads the settings and the catalogue. For admins."""

from gglib.core import errors
from gglib.proxy.errors import NoReloadError
from gglib.proxy.response import Response
from gglib.proxy.routes import responses
from gglib.proxy.routes.admin.groups import RUNTIME_GROUP
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import OperationSpec


async def reload(call: Call[None, None], response: Response) -> None:
    """Reload, and send what changed."""
    if call.services.reload is None:
        raise NoReloadError
    await response.send(responses.Reloaded.of(await call.services.reload()))


OPERATIONS = (
    operation(
        reload,
        OperationSpec(
            id="reload",
            method="POST",
            path="/gglib/reload",
            group=RUNTIME_GROUP,
            summary="Reload the settings and the catalogue",
            text="Like `gglib reload`. Settings that need a restart are listed and not applied; responses in progress "
            "continue. An invalid setting changes nothing.",
            response=responses.Reloaded,
            errors=(errors.InvalidSettingError, errors.CatalogError, NoReloadError),
        ),
    ),
)
