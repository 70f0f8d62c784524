"""Every path that is served, and the routine that serves it."""

from collections.abc import Awaitable, Callable

from gglib.proxy.answer import Answer
from gglib.proxy.errors import MethodNotAllowedError, UnknownPathError
from gglib.proxy.forward import forward
from gglib.proxy.options import Services
from gglib.proxy.request import Request
from gglib.proxy.routes.health import show_health
from gglib.proxy.routes.local import show_status, stop_models
from gglib.proxy.routes.metrics import show_metrics
from gglib.proxy.routes.openai import MODELS_PATH, list_models, show_model
from gglib.proxy.tally import OTHER

Handler = Callable[[Request, Answer, Services], Awaitable[None]]

ROUTES: dict[str, dict[str, Handler]] = {
    "/health": {"GET": show_health},
    MODELS_PATH: {"GET": list_models},
    "/api/status": {"GET": show_status},
    "/metrics": {"GET": show_metrics},
    "/api/stop": {"POST": stop_models},
    # What the engine serves itself, each body naming its model; no other path ever reaches it.
    "/v1/chat/completions": {"POST": forward},
    "/v1/completions": {"POST": forward},
    "/v1/embeddings": {"POST": forward},
    "/v1/responses": {"POST": forward},
    "/v1/messages": {"POST": forward},
    "/v1/messages/count_tokens": {"POST": forward},
    "/v1/rerank": {"POST": forward},
}
"""Path to method to handler. HEAD is taken wherever GET is."""

MODEL_ROUTE = "/v1/models/{id}"
"""The one route whose paths are many."""

_MODEL_ROUTES: dict[str, Handler] = {"GET": show_model}


def route_of(path: str) -> str:
    """Return the name of the route that serves a path, which is mostly the path itself; ``OTHER`` for all the rest."""
    if path in ROUTES:
        return path
    return MODEL_ROUTE if path.startswith(MODELS_PATH + "/") else OTHER


def find_handler(request: Request) -> Handler:
    """Return what serves ``request``; raises ``UnknownPathError`` or ``MethodNotAllowedError``."""
    route = route_of(request.path)
    by_method = _MODEL_ROUTES if route == MODEL_ROUTE else ROUTES.get(route)
    if by_method is None:
        raise UnknownPathError(request.method, request.path)
    handler = by_method.get("GET" if request.method == "HEAD" else request.method)
    if handler is None:
        allowed = ("GET", "HEAD") if "GET" in by_method else tuple(by_method)
        raise MethodNotAllowedError(request.method, request.path, allowed)
    return handler
