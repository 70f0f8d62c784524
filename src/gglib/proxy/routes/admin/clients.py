"""Shows how programs connect to the server. For admins: the settings name an access key."""

from gglib.core import errors
from gglib.core.ports.clients import ClientTable, ClientTarget
from gglib.proxy.errors import BadRequestError, NoMachineError
from gglib.proxy.models import served_context
from gglib.proxy.names.default_model import default_model
from gglib.proxy.names.kind_defaults import require_for_kind
from gglib.proxy.response import Response
from gglib.proxy.routes.admin.groups import MACHINE_GROUP
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import OperationSpec
from gglib.proxy.routes.requests import ClientsQuery

_CHAT_PATH = "/v1/chat/completions"
_OTHER_KINDS = frozenset(("embedding", "rerank"))


async def list_clients(call: Call[ClientsQuery, None], response: Response) -> None:
    """Send the settings of all clients for the model of the query."""
    machine, services = call.machine, call.services
    name = call.query.model or await default_model(_CHAT_PATH, services)
    found = await require_for_kind(name, services, "chat")
    model = found.models[0]
    call.request.model = model.name
    capabilities = model.capabilities.names()
    if "chat" not in capabilities and not _OTHER_KINDS.isdisjoint(capabilities):
        raise BadRequestError(f"Model '{model.name}' does not chat: name another one.", "model")
    target = ClientTarget(
        url=call.query.url,
        name=found.name,
        model=model,
        context=served_context(model, services.default_ctx),
    )
    await response.send(machine.clients.client_settings(target))


OPERATIONS = (
    operation(
        list_clients,
        OperationSpec(
            id="listClients",
            method="GET",
            path="/gglib/clients",
            group=MACHINE_GROUP,
            summary="List the settings of the programs that can use this server",
            text="Like `gglib connect`. The access key is never sent: a variable or a placeholder stands for it.",
            query=ClientsQuery,
            response=ClientTable,
            errors=(
                errors.ModelNotFoundError,
                errors.ProfileNotFoundError,
                errors.CatalogError,
                NoMachineError,
            ),
        ),
    ),
)
