"""Shows the usage: all of it to admins, its own to another key."""

from dataclasses import replace
from datetime import datetime

from gglib.core.errors import HistoryError
from gglib.core.history.usage import UsageQuery
from gglib.proxy.errors import ForbiddenError, NotOfferedError
from gglib.proxy.response import Response
from gglib.proxy.routes import responses
from gglib.proxy.routes.admin.groups import REQUESTS_GROUP
from gglib.proxy.routes.admin.history_queries import usage_query
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import Access, OperationSpec
from gglib.proxy.routes.requests import UsageParameters


async def show_usage(call: Call[UsageParameters, None], response: Response) -> None:
    """Send the usage by group. Raises ``ForbiddenError`` for that of others."""
    query = _visible(call, usage_query(call.query, datetime.now().astimezone()))
    history = call.services.history
    if history is None:
        raise NotOfferedError(
            "Requests are not stored, so there is no usage: 'gglib config set history true' on the server's machine "
            "stores them."
        )
    call.services.recorder.flush()
    await response.send(responses.Usage.of(await history.usage(query)))


def _visible(call: Call[UsageParameters, None], query: UsageQuery) -> UsageQuery:
    """Return the query for what the caller may see."""
    if call.is_admin:
        return query
    key_name = call.request.key_name
    if key_name is None:
        raise ForbiddenError(
            "Only local programs and clients with an API key may see the usage; web pages of other origins need a "
            "key, too: send one as 'Authorization: Bearer KEY'."
        )
    if query.key not in {None, key_name}:
        raise ForbiddenError("This API key may see its own usage only: leave 'key' out.")
    return replace(query, key=key_name)


OPERATIONS = (
    operation(
        show_usage,
        OperationSpec(
            id="showUsage",
            method="GET",
            path="/gglib/usage",
            group=REQUESTS_GROUP,
            summary="Show requests and tokens by key, model, client, hour or day",
            text="Like `gglib usage --json`. A key without admin rights sees its own usage. If no keys are set: for "
            "local programs and pages of this server.",
            access=Access.CLIENT,
            query=UsageParameters,
            response=responses.Usage,
            errors=(HistoryError, NotOfferedError, ForbiddenError),
        ),
    ),
)
