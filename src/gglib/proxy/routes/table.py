"""The table of all operations. Dispatch, the OpenAPI document and the route labels of the metrics derive from it."""

from dataclasses import replace
from functools import partial

from gglib.core import errors
from gglib.core.models import ModelKind
from gglib.http.errors import MalformedFormError
from gglib.proxy.dialects.media_forms import IMAGE, SOUND, MediaForm
from gglib.proxy.docs import routes as docs_routes
from gglib.proxy.errors import (
    ContextLengthExceededError,
    EngineError,
    MethodNotAllowedError,
    ModelNotLoadedError,
    UnknownPathError,
    UnsupportedByModelError,
)
from gglib.proxy.forward import forward
from gglib.proxy.guards.poison_requests import PoisonRequestError
from gglib.proxy.names.candidates import CHAT, kind_of
from gglib.proxy.names.served_paths import BACKEND_PATHS
from gglib.proxy.routes import anthropic, lm_studio, odd_paths, ollama, responses, root
from gglib.proxy.routes.admin import (
    aliases,
    clients,
    downloads,
    edits,
    events,
    fits,
    hub,
    keys,
    loading,
    logs,
    models,
    nodes,
    profiles,
    reload,
    requests,
    settings,
    status,
    system,
    usage,
    verification,
)
from gglib.proxy.routes.dispatch import Handler, Operation
from gglib.proxy.routes.health import show_health
from gglib.proxy.routes.llama_cpp import engine, router
from gglib.proxy.routes.llama_cpp.rerank import COHERE_PATH, rerank
from gglib.proxy.routes.metrics import show_metrics
from gglib.proxy.routes.openai.completions import complete
from gglib.proxy.routes.openai.embeddings import embed
from gglib.proxy.routes.openai.media import forward_form
from gglib.proxy.routes.openai.models import MODELS_PATH, list_models, show_model
from gglib.proxy.routes.openai.responses import count_input_tokens, respond
from gglib.proxy.routes.operation_spec import TEXT, Access, Metering, OperationSpec
from gglib.proxy.routes.path_normalization import normalize_path
from gglib.proxy.routes.ready import show_ready
from gglib.proxy.routes.requests import EngineQuery, Forwarded
from gglib.proxy.telemetry.metrics import OTHER
from gglib.proxy.web import routes as web_routes

MODEL_ROUTE = "/v1/models/{id}"
_INFERENCE_GROUP = "Inference"
_FORWARDED_ERRORS = (
    *loading.LOAD_ERRORS,
    errors.ProfileNotFoundError,
    ContextLengthExceededError,
    UnsupportedByModelError,
    EngineError,
    PoisonRequestError,
    errors.UpstreamError,
    errors.UpstreamStalledError,
    errors.BatchSlotsFullError,
)


_WITHOUT_INFERENCE = frozenset(
    (
        "/v1/responses/input_tokens",
        "/v1/messages/count_tokens",
        "/v1/chat/completions/input_tokens",
        "/tokenize",
        "/detokenize",
        "/apply-template",
    )
)
"""Forwarded paths at which an engine only counts or converts."""


def _forwarded(path: str, operation_id: str, summary: str, handler: Handler | None = None) -> Operation:
    """Return an operation that is forwarded to the engine of the model in the body. Only these paths reach engines."""
    kind = kind_of(path)
    return Operation(
        OperationSpec(
            id=operation_id,
            method="POST",
            path=path,
            group=_INFERENCE_GROUP,
            summary=summary,
            text="Forwarded to the engine of the model byte for byte, as is its response: JSON, or events if "
            "`stream` is true. The fields are those of llama.cpp. The header `x-gglib-priority` (`interactive` or "
            "`batch`) is the priority of the request while it waits for its model.",
            access=Access.CLIENT,
            body=Forwarded,
            errors=_FORWARDED_ERRORS,
            metering=_metering(path, kind),
        ),
        handler or (forward if kind == CHAT else partial(forward, kind=kind)),
    )


def _metering(path: str, kind: ModelKind | None) -> Metering:
    if path in _WITHOUT_INFERENCE:
        return Metering.REQUEST
    return Metering.TOKENS if kind == CHAT or path in BACKEND_PATHS else Metering.PROMPT


def _translated(path: str, operation_id: str, summary: str, handler: Handler) -> Operation:
    """Return an operation that is forwarded in another form than the client's (``docs/dialects.md``)."""
    forwarded = _forwarded(path, operation_id, summary).spec
    text = (
        "Translated for the engine of the model, as is its response. docs/dialects.md has the fields. The header "
        "`x-gglib-priority` (`interactive` or `batch`) is the priority of the request while it waits for its model."
    )
    return Operation(replace(forwarded, text=text), handler)


def _form(path: str, operation_id: str, summary: str, form: MediaForm) -> Operation:
    """Return an operation whose body is a form with a file."""
    forwarded = _forwarded(path, operation_id, summary).spec
    text = (
        f"A form (`multipart/form-data`) with `{form.file}` and `model`, in any order. Forwarded to the "
        "engine of the model as it is."
    )
    spec = replace(forwarded, text=text, body=None, errors=(*forwarded.errors, MalformedFormError))
    return Operation(spec, partial(forward_form, form=form))


def _elsewhere(path: str, operation_id: str, summary: str) -> Operation:
    """Return an operation that llama.cpp's server lacks."""
    forwarded = _forwarded(path, operation_id, summary)
    text = (
        "Forwarded to a model that a command or another server serves (docs/engines.md), as is its response."
    )
    return replace(forwarded, spec=replace(forwarded.spec, text=text))


def _native(path: str, operation_id: str, summary: str) -> Operation:
    """Return an operation at a path without ``/v1``, in llama.cpp's own format, which differs from OpenAI's."""
    return _forwarded(path, operation_id, f"{summary}, in llama.cpp's own format")


def _rerank(path: str, operation_id: str, form: str) -> Operation:
    return _forwarded(path, operation_id, f"Rank texts by relevance to a query{form}", rerank)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        OperationSpec(
            id="listOpenAiModels",
            method="GET",
            path=MODELS_PATH,
            group=_INFERENCE_GROUP,
            summary="List the models, in OpenAI's format",
            text="With the header `anthropic-version` in Anthropic's, with `limit`, `after_id` and `before_id`.",
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
            may_have_slashes=True,
            group=_INFERENCE_GROUP,
            summary="Show one model, in OpenAI's format",
            text="With the header `anthropic-version` in Anthropic's.",
            access=Access.CLIENT,
            path_parameters={"id": "Any of its names, percent-encoded, also with `:` and a profile."},
            errors=(errors.ModelNotFoundError, errors.ProfileNotFoundError, errors.CatalogError),
        ),
        show_model,
    ),
    _forwarded("/v1/chat/completions", "chat", "Chat, in OpenAI's dialect"),
    _translated("/v1/completions", "complete", "Complete a text", complete),
    _translated("/v1/embeddings", "embed", "Create embeddings of texts", embed),
    _translated("/v1/responses", "respond", "Responses, in OpenAI's dialect", respond),
    _translated(
        "/v1/responses/input_tokens",
        "countInputTokens",
        "Count the input tokens of a response",
        count_input_tokens,
    ),
    _form("/v1/audio/transcriptions", "transcribe", "Transcribe sound", SOUND),
    _form("/v1/audio/translations", "translateSound", "Translate sound into English text", SOUND),
    _elsewhere("/v1/audio/speech", "speak", "Read a text out"),
    _elsewhere("/v1/images/generations", "createImage", "Create images from a text"),
    _form("/v1/images/edits", "editImage", "Change an image", IMAGE),
    _form("/v1/images/variations", "varyImage", "Create variations of an image", IMAGE),
    _forwarded("/v1/messages", "message", "Chat, in Anthropic's dialect", anthropic.send_message),
    _forwarded(
        "/v1/messages/count_tokens", "countTokens", "Count the tokens of a chat", anthropic.count_tokens
    ),
    _forwarded("/v1/chat/completions/input_tokens", "countChatTokens", "Count the tokens of a chat"),
    _rerank("/v1/rerank", "rerank", ""),
    _rerank("/v1/reranking", "rerankLlamaCpp", ": llama.cpp's other path"),
    _rerank(COHERE_PATH, "rerankCohere", ": Cohere's path"),
    _rerank("/rerank", "rerankNatively", ": the path of TEI"),
    _rerank("/reranking", "rerankNativelyLlamaCpp", ": llama.cpp's other path"),
    _native("/completion", "completeNativelyLegacy", "Complete a text"),
    _native("/completions", "completeNatively", "Complete a text"),
    _native("/infill", "infill", "Complete a text between a prefix and a suffix"),
    _native("/embedding", "embedNativelyLegacy", "Create embeddings of texts"),
    _native("/embeddings", "embedNatively", "Create embeddings of texts"),
    _native("/tokenize", "tokenize", "Convert a text to tokens"),
    _native("/detokenize", "detokenize", "Convert tokens to a text"),
    _native("/apply-template", "applyTemplate", "Format messages as a prompt"),
    *ollama.OPERATIONS,
    *engine.OPERATIONS,
    *router.OPERATIONS,
    *lm_studio.OPERATIONS,
    *odd_paths.OPERATIONS,
    *models.OPERATIONS,
    *fits.OPERATIONS,
    *verification.OPERATIONS,
    *hub.OPERATIONS,
    *edits.OPERATIONS,
    *aliases.OPERATIONS,
    *profiles.OPERATIONS,
    *downloads.OPERATIONS,
    *status.OPERATIONS,
    *loading.OPERATIONS,
    *nodes.OPERATIONS,
    *reload.OPERATIONS,
    *keys.OPERATIONS,
    *events.OPERATIONS,
    *requests.OPERATIONS,
    *usage.OPERATIONS,
    *logs.OPERATIONS,
    *system.OPERATIONS,
    *settings.OPERATIONS,
    *clients.OPERATIONS,
    *root.OPERATIONS,
    *web_routes.OPERATIONS,
    Operation(
        OperationSpec(
            id="showHealth",
            method="GET",
            path="/health",
            group=docs_routes.GROUP,
            summary="Check that the server responds",
            access=Access.PUBLIC,
            response=responses.Health,
        ),
        show_health,
    ),
    Operation(
        OperationSpec(
            id="showReady",
            method="GET",
            path="/ready",
            group=docs_routes.GROUP,
            summary="Check that the server is ready for requests",
            text="503 while the server starts, until the models of `preload` are loaded or have failed, and while it "
            "stops, as long as responses are in flight.",
            access=Access.PUBLIC,
            response=responses.Ready,
            other_statuses=(503,),
        ),
        show_ready,
    ),
    Operation(
        OperationSpec(
            id="showMetrics",
            method="GET",
            path="/metrics",
            group=docs_routes.GROUP,
            summary="Show the metrics, for Prometheus",
            text="With `model`: those of llama.cpp's server for a model in memory.",
            access=Access.ADMIN_KEY,
            query=EngineQuery,
            media_type=TEXT,
            errors=(errors.ModelNotFoundError, ModelNotLoadedError, errors.UpstreamError),
        ),
        show_metrics,
    ),
    *docs_routes.operations(lambda: (operation.spec for operation in OPERATIONS)),
)


def _by_path(*, are_templates: bool) -> dict[str, dict[str, Operation]]:
    table: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        spec = operation.spec
        if spec.is_template is are_templates:
            table.setdefault(spec.path, {})[spec.method] = operation
    return table


ROUTES = _by_path(are_templates=False)
"""Operations by path and method, of paths without parameters. HEAD is handled like GET."""

TEMPLATES = _by_path(are_templates=True)
"""Operations by path template and method."""

_PATTERNS = {
    path: next(iter(TEMPLATES[path].values())).spec.pattern
    for path in sorted(TEMPLATES, key=len, reverse=True)
}
"""The pattern of each template, the longest first. A path may match several, because model names may contain slashes:
``GET /gglib/models/a/load`` is the model ``a/load``, ``POST`` loads the model ``a``. If several have the method, the
longest is meant: ``GET /gglib/models/a/removal`` is about the model ``a``, ``GET /gglib/logs/a/events`` follows the log
``a``. A percent-encoded slash is always part of a name."""


def route_of(path: str, method: str = "GET") -> str:
    """Return the route of a request: the path itself, its template, or ``OTHER`` for unknown paths.

    The template of another method is returned if that of ``method`` does not exist.
    """
    if path in ROUTES:
        return path
    templates = _matching_templates(path)
    own = "GET" if method == "HEAD" else method
    return next(
        (template for template in templates if own in TEMPLATES[template]), next(iter(templates), OTHER)
    )


def find_operation(
    method: str, path: str, host: bytes | None = None, scheme: str = "http"
) -> tuple[Operation, str]:
    """Return the operation of a request, and its normalized path.

    Raises ``UnknownPathError``, which names the base URL by ``scheme`` and ``host``, or ``MethodNotAllowedError``.
    """
    normalized, by_method = path, _methods_at(path)
    if by_method is None:
        normalized = normalize_path(path)
        by_method = _methods_at(normalized)
    if by_method is None:
        raise UnknownPathError(method, path, host, scheme)
    operation = by_method.get("GET" if method == "HEAD" else method)
    if operation is None:
        raise MethodNotAllowedError(method, normalized, _allowed(by_method))
    return operation, normalized


def _methods_at(path: str) -> dict[str, Operation] | None:
    by_method = ROUTES.get(path)
    if by_method is None:
        by_method = {}
        for template in _matching_templates(path):
            by_method = TEMPLATES[template] | by_method
    return by_method or None


def _matching_templates(path: str) -> list[str]:
    return [template for template, pattern in _PATTERNS.items() if pattern.fullmatch(path)]


def _allowed(by_method: dict[str, Operation]) -> tuple[str, ...]:
    return tuple(
        allowed for method in by_method for allowed in (("GET", "HEAD") if method == "GET" else (method,))
    )
