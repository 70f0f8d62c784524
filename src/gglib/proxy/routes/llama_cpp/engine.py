"""llama.cpp's own routes that read or change one engine. ``table.py`` has those that are forwarded like chats."""

from functools import partial

from gglib.core import errors
from gglib.proxy.errors import ModelNotLoadedError, UnsupportedByModelError
from gglib.proxy.forward_query import EngineRoute, forward_query
from gglib.proxy.guards.slot_files import refuse_own_slots, refuse_slot_paths
from gglib.proxy.routes.admin.loading import LOAD_ERRORS
from gglib.proxy.routes.dispatch import Operation
from gglib.proxy.routes.health import show_health
from gglib.proxy.routes.operation_spec import EVENTS, JSON, Access, OperationSpec
from gglib.proxy.routes.requests import EngineQuery
from gglib.proxy.routes.responses import Health

GROUP = "llama.cpp"

_READ = EngineRoute(loads=True, is_read=True, has_paths=True)
_OBSERVE = EngineRoute(loads=False, is_read=True)
_CHANGE = EngineRoute(loads=True)
_CHANGE_SLOT = EngineRoute(loads=True, check_body=refuse_slot_paths, check_target=refuse_own_slots)
_STREAM = EngineRoute(loads=False)

_ERRORS = (ModelNotLoadedError, UnsupportedByModelError, errors.UpstreamError, errors.UpstreamStalledError)
_READ_TEXT = "Forwarded to the engine of `model`, else of the model in memory that was used last. "
_TEXTS = {
    _READ: f"{_READ_TEXT}A model that is named and not in memory is loaded. Paths of this machine are shown to admins "
    "only; others see file names.",
    _OBSERVE: f"{_READ_TEXT}No model is loaded for it.",
    _CHANGE: f"{_READ_TEXT}The body or the query names the model.",
    _CHANGE_SLOT: f"{_READ_TEXT}Refused for engines that gglib launched: it saves and restores their slots itself.",
    _STREAM: f"{_READ_TEXT}The engine keeps streams of requests with the header `x-conversation-id` for a while.",
}


def _engine(  # noqa: PLR0913 - the parts of a spec
    method: str,
    path: str,
    operation_id: str,
    summary: str,
    route: EngineRoute,
    *,
    access: Access = Access.CLIENT,
    media_type: str = JSON,
) -> Operation:
    """Return an operation whose model is in the query or in a small body."""
    return Operation(
        OperationSpec(
            id=operation_id,
            method=method,
            path=path,
            group=GROUP,
            summary=summary,
            text=_TEXTS[route],
            access=access,
            path_parameters={"id": "The number of the slot."} if "{id}" in path else {},
            query=EngineQuery,
            media_type=media_type,
            errors=(*(LOAD_ERRORS if route.loads else (errors.ModelNotFoundError,)), *_ERRORS),
        ),
        partial(forward_query, route=route),
    )


OPERATIONS = (
    Operation(
        OperationSpec(
            id="showHealthVersioned",
            method="GET",
            path="/v1/health",
            group=GROUP,
            summary="Check that the server responds",
            access=Access.PUBLIC,
            response=Health,
        ),
        show_health,
    ),
    _engine("GET", "/props", "showProperties", "Show the properties of an engine", _READ),
    _engine("POST", "/props", "changeProperties", "Change them", _CHANGE, access=Access.ADMIN),
    _engine("GET", "/slots", "listSlots", "List the slots of an engine", _OBSERVE),
    _engine(
        "POST",
        "/slots/{id}",
        "changeSlot",
        "Save, restore or erase the cache of a slot",
        _CHANGE_SLOT,
        access=Access.ADMIN,
    ),
    _engine("GET", "/lora-adapters", "listAdapters", "List the LoRA adapters of an engine", _READ),
    _engine("POST", "/lora-adapters", "changeAdapters", "Change their scales", _CHANGE, access=Access.ADMIN),
    _engine("GET", "/v1/stream", "resumeStream", "Resume a stream", _STREAM, media_type=EVENTS),
    _engine("DELETE", "/v1/stream", "stopStream", "Stop a stream and discard it", _STREAM),
    _engine("POST", "/v1/streams/lookup", "findStreams", "Find streams by the ids of conversations", _STREAM),
)
