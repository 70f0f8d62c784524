"""Loads and unloads models as llama.cpp's router does: Open WebUI and llama.cpp's page have buttons for it.

Both operations respond with ``{"success": true}`` before they are complete, and their outcome is in ``/models/sse`` and
in the list of models (``post_router_models_load`` in ``server-models.cpp``, b11434).
"""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from gglib.core import errors
from gglib.core.models import RunningTarget
from gglib.core.runtime.events import EventSubscription
from gglib.http.headers import EVENT_STREAM_HEADERS
from gglib.http.sse import HEARTBEAT
from gglib.proxy.bodies import read_plain_body
from gglib.proxy.dialects.router_events import router_event
from gglib.proxy.errors import BadRequestError, NoEventsError
from gglib.proxy.names.candidates import Candidate, log_skip, resolve_request
from gglib.proxy.names.fallback import first_that_runs
from gglib.proxy.names.named_model import read_named_model
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.routes.admin.loading import LOAD_ERRORS
from gglib.proxy.routes.dispatch import Operation
from gglib.proxy.routes.llama_cpp.engine import GROUP
from gglib.proxy.routes.operation_spec import EVENTS, OperationSpec
from gglib.proxy.routes.parsing import BODY_LIMIT_BYTES
from gglib.proxy.routes.requests import RouterModel

LOAD_WAIT_S = 1.0
"""An error of a load in this time is the response. A missing or broken file is found within it."""
UNLOAD_WAIT_S = 5.0
"""The unload of an idle model takes less, so that the list of models is correct when the client reads it next."""
_NO_HEARTBEAT_S = 3600.0
_RUNNING = frozenset(("loading", "ready"))


@dataclass(frozen=True, slots=True)
class Success:
    """The operation has begun."""

    success: bool = True


async def load(request: ProxyRequest, response: Response, services: Services) -> None:
    """``POST /models/load``: begin to load a model. For an alias list: the first that can run."""
    candidates = await _candidates(request, services)
    if running := await _names_in(_RUNNING, candidates, services):
        raise BadRequestError(f"Model '{running[0]}' is already running.", "model")
    await _begin(_load(candidates, request.id, services), LOAD_WAIT_S, services)
    await response.send(Success())


async def unload(request: ProxyRequest, response: Response, services: Services) -> None:
    """``POST /models/unload``: begin to unload a model. For an alias list: all its models in memory."""
    candidates = await _candidates(request, services)
    names = await _names_in(None, candidates, services)
    if not names:
        raise BadRequestError(f"Model '{candidates[0].name}' is not running.", "model")
    await _begin(_unload(names, services), UNLOAD_WAIT_S, services)
    await response.send(Success())


async def follow(request: ProxyRequest, response: Response, services: Services) -> None:
    """``GET /models/sse``: the loads and unloads from now on, in the router's form."""
    subscription = services.runtime.subscribe()
    if subscription is None:
        raise NoEventsError
    await response.start(200, EVENT_STREAM_HEADERS)
    if request.method == "HEAD":
        await response.write(b"", is_last=True)
        return
    with subscription as events:
        await _relay_events(events, response, services.options.heartbeat_s or _NO_HEARTBEAT_S)


async def _relay_events(events: EventSubscription, response: Response, heartbeat_s: float) -> None:
    while True:
        event = await events.next(heartbeat_s)
        part = HEARTBEAT if event is None else router_event(event)
        if part is not None:
            await response.write(part)


async def _candidates(request: ProxyRequest, services: Services) -> Sequence[Candidate]:
    named = read_named_model(b"", await read_plain_body(request, BODY_LIMIT_BYTES))
    if named.name is None:
        raise BadRequestError("'model' is missing.", "model")
    candidates, _ = await resolve_request(named.name, services)
    request.model = candidates[0].name
    return candidates


async def _names_in(
    states: frozenset[str] | None, candidates: Sequence[Candidate], services: Services
) -> list[str]:
    """Return the names of the candidates in memory, in one of ``states``; None: in any."""
    status = await services.runtime.status()
    in_memory = {
        resident.model_name for resident in status.residents if states is None or resident.state in states
    }
    return [candidate.name for candidate in candidates if candidate.name in in_memory]


async def _begin(work: Coroutine[Any, Any, None], wait_s: float, services: Services) -> None:
    """Start ``work``, which continues if the client disconnects. Raises its error if it fails within ``wait_s``."""
    task = services.background.start(work)
    await asyncio.wait((task,), timeout=wait_s)
    if task.done():
        task.result()


async def _load(candidates: Sequence[Candidate], request_id: str, services: Services) -> None:
    async def load_one(candidate: Candidate) -> RunningTarget:
        return await services.runtime.load(candidate.name, None, services.default_ctx)

    await first_that_runs(candidates, load_one, on_skip=partial(log_skip, request_id))


async def _unload(names: Sequence[str], services: Services) -> None:
    for name in names:
        await services.runtime.unload(name)


OPERATIONS = (
    Operation(
        OperationSpec(
            id="loadRouterModel",
            method="POST",
            path="/models/load",
            group=GROUP,
            summary="Begin to load a model, as llama.cpp's router",
            text="Responds before the model is ready: `GET /models/sse` and `status.value` of `GET /v1/models` show "
            "when it is. An error in the first second is the response.",
            body=RouterModel,
            response=Success,
            errors=(*LOAD_ERRORS, errors.ProfileNotFoundError),
        ),
        load,
    ),
    Operation(
        OperationSpec(
            id="unloadRouterModel",
            method="POST",
            path="/models/unload",
            group=GROUP,
            summary="Begin to unload a model, as llama.cpp's router",
            text="Responds when it is unloaded, but after 5 s at the latest; its responses in flight end first.",
            body=RouterModel,
            response=Success,
            errors=(errors.ModelNotFoundError, errors.ProfileNotFoundError, errors.CatalogError),
        ),
        unload,
    ),
    Operation(
        OperationSpec(
            id="followRouterModels",
            method="GET",
            path="/models/sse",
            group=GROUP,
            summary="Follow loads and unloads, as in llama.cpp's router",
            text='Server-sent events without names: `{"model", "event", "data": {"status"}}`, where the status is '
            "`loading`, `loaded` or `unloaded`.",
            media_type=EVENTS,
            errors=(NoEventsError,),
        ),
        follow,
    ),
)
