"""Lists, shows and cancels requests. For admins."""

from datetime import datetime

from gglib.core.errors import HistoryError, RequestNotFoundError
from gglib.core.history.body_texts import body_texts
from gglib.core.history.matching import matches_running
from gglib.core.history.requests import RequestFilter, RequestPage, RunningRequest
from gglib.proxy.response import Response
from gglib.proxy.routes import responses
from gglib.proxy.routes.admin.groups import REQUESTS_GROUP
from gglib.proxy.routes.admin.history_queries import request_filter
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import OperationSpec
from gglib.proxy.routes.requests import RequestsQuery, WithdrawQuery

PATH = "/gglib/requests"
REQUEST_PATH = PATH + "/{id}"
_ID = {"id": "Its number, or the `x-request-id` of its response, percent-encoded."}
_EMPTY = RequestPage(requests=(), next_before=None)


async def list_requests(call: Call[RequestsQuery, None], response: Response) -> None:
    """Send the requests in progress and the stored ones that fit the query."""
    query, history = call.query, call.services.history
    call.services.recorder.flush()
    wanted = request_filter(query, datetime.now().astimezone())
    page = _EMPTY
    if history is not None and query.state != "running":
        page = await history.find_requests(wanted, limit=query.limit, before=query.before, after=query.after)
    await response.send(
        responses.Requests(
            running=_running(call, wanted),
            requests=page.requests,
            next_before=page.next_before,
            is_off=history is None,
        )
    )


async def show_request(call: Call[None, None], response: Response) -> None:
    """Send one request, with its bodies if they were recorded."""
    wanted, history = call.path["id"], call.services.history
    call.services.recorder.flush()
    running = next(
        (request for request in call.services.open_requests.running() if request.request_id == wanted), None
    )
    stored = None if history is None else await history.find_request(wanted)
    if running is None and stored is None:
        raise RequestNotFoundError(wanted)
    bodies = None
    if history is not None and stored is not None and stored.has_bodies and stored.id is not None:
        bodies = await history.read_bodies(stored.id)
    await response.send(
        responses.RequestDetails(
            running=running,
            request=stored,
            bodies=None if bodies is None else body_texts(bodies),
        )
    )


async def cancel_request(call: Call[None, None], response: Response) -> None:
    """Cancel the requests in progress with this id."""
    request_id = call.path["id"]
    if not call.services.open_requests.cancel(request_id, by=call.request):
        raise RequestNotFoundError(request_id)
    await response.send(responses.CancelledRequest(cancelled=request_id))


async def withdraw_request(call: Call[WithdrawQuery, None], response: Response) -> None:
    """Withdraw a request that another gglib has forwarded, if it still waits for its model."""
    is_withdrawn = call.services.open_requests.withdraw(call.path["id"], call.query.front)
    await response.send(responses.WithdrawnRequest(withdrawn=is_withdrawn))


def _running(call: Call[RequestsQuery, None], wanted: RequestFilter) -> tuple[RunningRequest, ...]:
    if call.query.state == "finished" or call.query.before is not None:
        return ()
    requests = call.services.open_requests.running()
    return tuple(request for request in requests if matches_running(request, wanted))


OPERATIONS = (
    operation(
        list_requests,
        OperationSpec(
            id="listRequests",
            method="GET",
            path=PATH,
            group=REQUESTS_GROUP,
            summary="List the requests in progress, and search the stored ones",
            text="Like `gglib requests --json`. Requests that only read, such as those of a page that polls, are "
            "stored if they fail.",
            query=RequestsQuery,
            response=responses.Requests,
            errors=(HistoryError,),
        ),
    ),
    operation(
        show_request,
        OperationSpec(
            id="showRequest",
            method="GET",
            path=REQUEST_PATH,
            may_have_slashes=True,
            group=REQUESTS_GROUP,
            summary="Show a request",
            path_parameters=_ID,
            response=responses.RequestDetails,
            errors=(RequestNotFoundError, HistoryError),
        ),
    ),
    operation(
        cancel_request,
        OperationSpec(
            id="cancelRequest",
            method="DELETE",
            path=REQUEST_PATH,
            may_have_slashes=True,
            group=REQUESTS_GROUP,
            summary="Cancel a request in progress",
            text="Its client gets the error `request_cancelled`. Clients may choose the id: all requests in progress "
            "with this one are cancelled.",
            path_parameters={"id": "The `x-request-id`, percent-encoded."},
            response=responses.CancelledRequest,
            errors=(RequestNotFoundError,),
        ),
    ),
    operation(
        withdraw_request,
        OperationSpec(
            id="withdrawRequest",
            method="POST",
            path=REQUEST_PATH + "/withdraw",
            may_have_slashes=True,
            group=REQUESTS_GROUP,
            summary="Withdraw a forwarded request that waits",
            text="For a gglib that sends the request to another node. The request ends with the error `withdrawn`, if "
            "it still waits for its model. Requests of other gglibs with the same id, and of clients, are left alone.",
            path_parameters={"id": "The `x-request-id`, percent-encoded."},
            query=WithdrawQuery,
            response=responses.WithdrawnRequest,
        ),
    ),
)
