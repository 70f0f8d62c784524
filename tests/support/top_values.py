"""Values of a server for the tests of ``gglib top``."""

from typing import Any

from gglib.cli.top.data import TopData, with_running, with_status
from gglib.core.history.requests import RunningRequest, StoredRequest
from gglib.core.memory import DeviceMemory
from gglib.core.runtime.status import ResidentStatus, SwapStatus, WaitingStatus
from gglib.proxy.routes.responses import FailedModel, Node, Status

URL = "http://127.0.0.1:8080"
NOW_S = 1000.0


def resident(name: str = "small", **fields: Any) -> ResidentStatus:
    """Return a model that is ready."""
    values = {"model_id": 1, "state": "ready", "effective_ctx": 8192, "in_flight": 0, "slots": 4, **fields}
    return ResidentStatus(model_name=name, **values)


def loading(name: str = "big", so_far_s: float = 1.0, whole_s: float | None = 4.0) -> ResidentStatus:
    """Return a model that is loading."""
    return resident(name, state="loading", loading_for_s=so_far_s, expected_load_s=whole_s)


def status(
    *residents: ResidentStatus, waiting: tuple[tuple[str, int, float], ...] = (), **fields: Any
) -> Status:
    """Return a status; ``waiting`` are models, numbers of requests and the longest waits."""
    values: dict[str, Any] = {
        "version": "1.2.3",
        "residents": residents,
        "waiting": tuple(
            WaitingStatus(model_name=name, waiting=number, longest_wait_s=wait_s)
            for name, number, wait_s in waiting
        ),
        "failed": (),
        "last_swap": None,
        "swaps": (),
        "loads": (),
        "limits": {},
        "used": {},
        "hint": None,
        "devices": {},
    }
    return Status(**{**values, **fields})


def a_node(name: str, *residents: ResidentStatus, is_own: bool = False, **fields: Any) -> Node:
    """Return a node that is ready."""
    values: dict[str, Any] = {
        "url": None if is_own else f"http://{name}:8080",
        "state": "ready",
        "failure": None,
        "version": "1.2.3",
        "seen_s": 0.5,
        "models": (),
        "limits": {},
        "used": {},
        "devices": {"ram": DeviceMemory(total_bytes=16 * 10**9, available_bytes=12 * 10**9)},
        "waiting": 0,
        "in_flight": 0,
        "requests": 0,
    }
    return Node(name=name, is_own=is_own, residents=residents, **{**values, **fields})


def failed_load(name: str, reason: str) -> FailedModel:
    """Return a model that failed to load."""
    return FailedModel(model_name=name, reason=reason)


def running(id_: str = "req_1", **fields: Any) -> RunningRequest:
    """Return a request in progress."""
    values = {"route": "/v1/chat/completions", "state": "running", "age_s": 2.0, "model": "small", **fields}
    return RunningRequest(request_id=id_, **values)


def finished(id_: str = "req_1", **fields: Any) -> StoredRequest:
    """Return a finished request."""
    values = {
        "id": None,
        "ended_at_s": 0.0,
        "route": "/v1/chat/completions",
        "status": 200,
        "model": "small",
        **fields,
    }
    return StoredRequest(request_id=id_, **values)


def swap(from_model: str | None = "big", to_model: str | None = "small", **fields: Any) -> SwapStatus:
    """Return a swap."""
    values = {"why": "'big' was idle", "total_s": 3.25, **fields}
    return SwapStatus(from_model=from_model, to_model=to_model, **values)


def data(*residents: ResidentStatus, requests: tuple[RunningRequest, ...] = (), **fields: Any) -> TopData:
    """Return what is known of a server at ``NOW_S``; ``fields`` are those of ``status``."""
    known = with_status(TopData(url=URL), status(*residents, **fields), NOW_S)
    return with_running(known, requests, NOW_S)
