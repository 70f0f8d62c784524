"""Lists the aliases."""

from gglib.core import errors
from gglib.proxy.names.alias_table import alias_table
from gglib.proxy.response import Response
from gglib.proxy.routes import responses
from gglib.proxy.routes.admin.groups import MODELS_GROUP
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import OperationSpec


async def list_aliases(call: Call[None, None], response: Response) -> None:
    """Send all aliases and patterns."""
    rows = alias_table(await call.services.catalog.list_models(), call.services.aliases)
    await response.send(responses.Aliases(aliases=tuple(map(responses.Alias.of, rows))))


OPERATIONS = (
    operation(
        list_aliases,
        OperationSpec(
            id="listAliases",
            method="GET",
            path="/gglib/aliases",
            group=MODELS_GROUP,
            summary="List the aliases, alias lists and patterns",
            text="Like `gglib alias --json`. `PATCH /gglib/models/{name}` changes the aliases of a model; lists and "
            "patterns are set on the server's machine.",
            response=responses.Aliases,
            errors=(errors.CatalogError,),
        ),
    ),
)
