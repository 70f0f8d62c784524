"""Every operation that is served. The dispatch, the OpenAPI document and the names in the metrics are made from it."""

from gglib.core import errors
from gglib.proxy.docs import routes
from gglib.proxy.errors import (
    ContextLengthExceededError,
    EngineError,
    MethodNotAllowedError,
    UnknownPathError,
    UnsupportedByModelError,
)
from gglib.proxy.forward import forward
from gglib.proxy.guards.poison_requests import PoisonRequestError
from gglib.proxy.routes import downloads, events, models, responses, status
from gglib.proxy.routes.dispatch import Handler, Operation
from gglib.proxy.routes.health import show_health
from gglib.proxy.routes.metrics import show_metrics
from gglib.proxy.routes.openai import MODELS_PATH, list_models, show_model
from gglib.proxy.routes.operation import TEXT, Access, OperationSpec
from gglib.proxy.routes.path_normalization import normalize_path
from gglib.proxy.routes.requests import Forwarded
from gglib.proxy.telemetry.metrics import OTHER

MODEL_ROUTE = "/v1/models/{id}"
_OPENAI = "Models that answer"
_FORWARDED_ERRORS = (
    errors.ModelNotFoundError,
    errors.ModelFileNotFoundError,
    ContextLengthExceededError,
    UnsupportedByModelError,
    errors.ModelRuntimeError,
    errors.ModelLoadFailedError,
    errors.EngineNotFoundError,
    errors.EngineBrokenError,
    errors.InvalidSettingError,
    EngineError,
    PoisonRequestError,
    errors.CatalogError,
    errors.UpstreamError,
    errors.ModelLoadingError,
    errors.QueueFullError,
    errors.ModelStoppedError,
    errors.UpstreamStalledError,
)


def _forwarded(path: str, name: str, summary: str) -> Operation:
    """Return what the engine serves itself, each body naming its model; no other path ever reaches it."""
    return Operation(
        OperationSpec(
            id=name,
            method="POST",
            path=path,
            group=_OPENAI,
            summary=summary,
            text="Goes to the engine of the model byte for byte, and its answer comes back so: JSON, or events where "
            "`stream` is true. The fields are llama.cpp's.",
            access=Access.CLIENT,
            body=Forwarded,
            errors=_FORWARDED_ERRORS,
        ),
        forward,
    )


def _native(path: str, name: str, summary: str) -> Operation:
    """Return a path without ``/v1`` that has llama.cpp's own form: the bodies and answers differ from OpenAI's."""
    return _forwarded(path, name, f"{summary}, in llama.cpp's own form")


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        OperationSpec(
            id="listOpenAiModels",
            method="GET",
            path=MODELS_PATH,
            group=_OPENAI,
            summary="List the models, in OpenAI's shape",
            access=Access.CLIENT,
            errors=(errors.CatalogError,),
        ),
        list_models,
    ),
    Operation(
        OperationSpec(
            id="showOpenAiModel",
            method="GET",
            path=MODEL_ROUTE,
            has_path_tail=True,
            group=_OPENAI,
            summary="Show one model, in OpenAI's shape",
            access=Access.CLIENT,
            path_parameters={"id": "Any of its names, percent-encoded."},
            errors=(errors.ModelNotFoundError, errors.CatalogError),
        ),
        show_model,
    ),
    _forwarded("/v1/chat/completions", "chat", "Chat, in OpenAI's dialect"),
    _forwarded("/v1/completions", "complete", "Go on with a text"),
    _forwarded("/v1/embeddings", "embed", "Turn texts into embeddings"),
    _forwarded("/v1/responses", "respond", "OpenAI's Responses"),
    _forwarded("/v1/messages", "message", "Chat, in Anthropic's dialect"),
    _forwarded("/v1/messages/count_tokens", "countTokens", "Count the tokens of a chat"),
    _forwarded("/v1/rerank", "rerank", "Sort texts by how well they answer"),
    _native("/completions", "completeNatively", "Go on with a text"),
    _native("/embeddings", "embedNatively", "Turn texts into embeddings"),
    _native("/rerank", "rerankNatively", "Sort texts by how well they answer"),
    *models.OPERATIONS,
    *downloads.OPERATIONS,
    *status.OPERATIONS,
    *events.OPERATIONS,
    Operation(
        OperationSpec(
            id="showHealth",
            method="GET",
            path="/health",
            group=routes.GROUP,
            summary="Say that the server answers",
            access=Access.PUBLIC,
            response=responses.Health,
        ),
        show_health,
    ),
    Operation(
        OperationSpec(
            id="showMetrics",
            method="GET",
            path="/metrics",
            group=routes.GROUP,
            summary="Show what was counted, for Prometheus",
            access=Access.CLIENT,
            media_type=TEXT,
        ),
        show_metrics,
    ),
    *routes.operations(lambda: (one.spec for one in OPERATIONS)),
)


def _by_path(*, are_templates: bool) -> dict[str, dict[str, Handler]]:
    table: dict[str, dict[str, Handler]] = {}
    for one in OPERATIONS:
        spec = one.spec
        if spec.is_template is are_templates:
            table.setdefault(spec.path, {})[spec.method] = one.handler
    return table


ROUTES = _by_path(are_templates=False)
"""Path to method to handler, of the paths that stand for themselves. HEAD is taken wherever GET is."""

TEMPLATES = _by_path(are_templates=True)
"""The same by template, for paths that are not in ``ROUTES``."""

_PATTERNS = {one.spec.path: one.spec.pattern for one in OPERATIONS if one.spec.is_template}
"""What the paths of a template look like; no path is of two."""


def route_of(path: str) -> str:
    """Return the name of the route that serves a path: the path itself, or its template; ``OTHER`` for all the rest."""
    if path in ROUTES:
        return path
    return next((template for template, pattern in _PATTERNS.items() if pattern.fullmatch(path)), OTHER)


def find_handler(method: str, path: str, host: bytes | None = None) -> tuple[Handler, str]:
    """Return what serves a request, and its path as the route spells it (``spelling.py``).

    Raises ``UnknownPathError``, which names the base URL at ``host``, or ``MethodNotAllowedError``.
    """
    spelled, by_method = path, _methods_at(path)
    if by_method is None:
        spelled = normalize_path(path)
        by_method = _methods_at(spelled)
    if by_method is None:
        raise UnknownPathError(method, path, host)
    handler = by_method.get("GET" if method == "HEAD" else method)
    if handler is None:
        raise MethodNotAllowedError(method, spelled, _allowed(by_method))
    return handler, spelled


def _methods_at(path: str) -> dict[str, Handler] | None:
    return ROUTES.get(path) or TEMPLATES.get(route_of(path))


def _allowed(by_method: dict[str, Handler]) -> tuple[str, ...]:
    return tuple(
        allowed for method in by_method for allowed in (("GET", "HEAD") if method == "GET" else (method,))
    )
