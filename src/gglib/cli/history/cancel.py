"""Cancels requests in progress."""

from collections.abc import Sequence

from gglib.cli.history.filters import matching_id
from gglib.cli.history.query import request_path
from gglib.cli.history.sources import RUNNING, ServerHistory
from gglib.cli.server.client import delete_json
from gglib.core.addresses import Endpoint
from gglib.core.errors import GglibError
from gglib.core.history.requests import RequestFilter


def cancel_requests(server: Endpoint, typed: Sequence[str]) -> list[str]:
    """Cancel the requests in progress with these ids, or ends of ids, and return their ids.

    All are looked up before the first one is cancelled. Raises ``GglibError``.
    """
    running = ServerHistory(server).find(RequestFilter(), limit=1, state=RUNNING).running
    known = [request.request_id for request in running]
    ids = [_require_id(each, known) for each in typed]
    for request_id in dict.fromkeys(ids):
        delete_json(server, request_path(request_id))
    return list(dict.fromkeys(ids))


def _require_id(typed: str, known: list[str]) -> str:
    found = matching_id(typed, known)
    if found is None:
        raise GglibError(
            f"No request '{typed}' is in progress: 'gglib requests --running' lists those that are."
        )
    return found
