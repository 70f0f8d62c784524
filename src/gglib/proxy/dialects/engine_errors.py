"""Classifies the engine's error messages: client error, missing capability of the model, or engine failure. Pure.

llama-server responds with 500 if its parsing throws anything but ``std::invalid_argument`` (``ex_wrapper`` in
``server-http.cpp``): an image for a text model, a message without a role. Clients retry a 500 three times. In the body,
``code`` is the numeric status, where OpenAI's clients expect a string or null.

Each rule was observed in a response of the shipped engine (xllamacpp 2026.10.11549, 2,609 unusual bodies to a chat and
an embedding model, 160 of which got a 5xx) or found in its sources; the comments say which.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from shlex import quote
from typing import Any, NamedTuple

from gglib.core.kinds import max_context
from gglib.core.models import ModelSummary
from gglib.core.shell_quoting import in_quotes
from gglib.http.sse import read_events
from gglib.proxy.errors import (
    ContextLengthExceededError,
    EngineError,
    RefusedByEngineError,
    UnsupportedByModelError,
)

SIZE_LIMIT_BYTES = 64 * 1024
"""Maximum size of an error body; longer ones are relayed unchanged."""

_MESSAGE_CHARS = 1000
"""Maximum length of a message: the engine repeats all ``tools`` in a message about one."""
_NAMES_SHOWN = 5

_ENGINE_HINT = re.compile(r"(?:, try increasing it|\. increase the .*|\. skipping)?\.?$", re.DOTALL)
"""The end of the engine's messages, which suggests engine options that the user does not set."""
_CONTEXT_TYPE = "exceed_context_size_error"
_CONTEXT_DETAILS = ("n_prompt_tokens", "n_ctx")
_SERVER_ERROR = "server_error"

_ErrorFactory = Callable[[re.Match[str], str], EngineError]


class _Rule(NamedTuple):
    pattern: re.Pattern[str]
    make_error: _ErrorFactory


def _rule(pattern: str, make_error: _ErrorFactory) -> _Rule:
    return _Rule(re.compile(pattern), make_error)


def _too_large(match: re.Match[str], message: str) -> EngineError:
    numbers = [int(number) for number in match.groups() if number]
    return ContextLengthExceededError(message, details=dict(zip(_CONTEXT_DETAILS, numbers, strict=False)))


def _cache_full(_: re.Match[str], message: str) -> EngineError:
    return ContextLengthExceededError(message, details={}, is_cache_full=True)


def _unsupported(capability: str | None) -> _ErrorFactory:
    return lambda _, message: UnsupportedByModelError(message, capability)


def _refused(_: re.Match[str], message: str) -> EngineError:
    return RefusedByEngineError(message)


def _failed(_: re.Match[str], message: str) -> EngineError:
    return EngineError(message, status=500, type_=_SERVER_ERROR, is_retryable=True)


def _busy(_: re.Match[str], message: str) -> EngineError:
    return EngineError(message, status=503, type_=_SERVER_ERROR, is_retryable=True)


_RULES_ANY_STATUS = (
    # The cache shared by all slots is full; also in mid-stream (server-context.cpp, observed).
    _rule(r"^Context size has been exceeded", _cache_full),
    # An input of an embedding, reranking or decision model above ``ubatch`` (server-context.cpp, observed).
    _rule(
        r"\((\d+) tokens\) (?:is|are) too large to process.*?(?:\(current batch size: (\d+)\)|$)", _too_large
    ),
    _rule(r"must fit in one batch", _too_large),  # server-context.cpp
    _rule(r"^input \((\d+) tokens\) is larger than the max context size \((\d+) tokens\)", _too_large),
    # server-common.cpp, observed: 500. The hint names an engine option.
    _rule(r"^image input is not supported", _unsupported("vision")),
    _rule(r"^(?:audio|video) input is not supported", _unsupported(None)),
    _rule(r"does not support image input", _unsupported("vision")),
    # server-context.cpp, observed: 501.
    _rule(r"does not support embeddings", _unsupported("embedding")),
    _rule(r"does not support reranking", _unsupported("rerank")),
    _rule(r"^Infill is not supported by this model", _unsupported("infill")),
    _rule(r"^This model is not a decision model", _unsupported(None)),  # server-context.cpp
    _rule(
        r"context does not support logits computation", _unsupported("chat")
    ),  # server-context.cpp: an encoder
)
_RULES_5XX = (
    # Failures of the computation, which may succeed on retry (server-context.cpp).
    _rule(r"^(?:Compute error|Invalid input batch)", _failed),
    _rule(r"^(?:failed to|Failed to (?:decode|encode|process|get|find|allocate|restore))", _failed),
    # The response to ``GET /slots?fail_on_no_slot=1``, for load balancers; observed.
    _rule(r"^no slot available", _busy),
    # Exceptions of the request parsing (chat.cpp, server-common.cpp, nlohmann::json; all observed).
    _rule(r"^Failed to (?:parse|load|tokenize|format|initialize|download)\b", _refused),
    _rule(r"\[json\.exception\.", _refused),
    _rule(r"^(?:Missing|Expected|Invalid|Unsupported|Unknown|Cannot|Unable to|Only|Error:) ?\b", _refused),
    _rule(
        r"\b(?:is|are) (?:required|not supported|not allowed|not implemented|missing)\b"
        r"|\bmust (?:be|not|have|contain)\b",
        _refused,
    ),
    _rule(r"Jinja Exception|While executing \w+ at line", _refused),  # raised by a chat template
)


def read_response(status: int, body: bytes) -> EngineError | None:
    """Return the error in a response with ``status`` >= 400; None if ``body`` is not an engine error."""
    content = _parse_json(body)
    return _classify(content.get("error"), status) if isinstance(content, dict) else None


def read_event(event: bytes) -> EngineError | None:
    """Return the error in one stream event; None for other events. The end of the event may be missing.

    llama-server has two forms: ``data: {"error": {…}}``, and in Anthropic's dialect ``event: error`` with the error
    object as data (``format_error`` in ``server-context.cpp``; both observed).
    """
    whole = next(read_events((event, b"\n\n")), None)
    return None if whole is None else read_parsed_event(whole.name, _parse_json(whole.data))


def read_parsed_event(name: str, content: object) -> EngineError | None:
    """Return the error in the JSON ``content`` of a stream event; None for other events."""
    if not isinstance(content, dict):
        return None
    error = content.get("error")
    if not isinstance(error, dict) and name == "error":
        error = content
    code = error.get("code") if isinstance(error, dict) else None
    return _classify(error, code if isinstance(code, int) and 400 <= code <= 599 else 500)


def explain(error: EngineError, model: ModelSummary, models: Iterable[ModelSummary]) -> EngineError:
    """Return the error with a hint: how to get a larger context, or which models have the missing capability."""
    if isinstance(error, ContextLengthExceededError):
        return _explain_context(error, model)
    if isinstance(error, UnsupportedByModelError):
        return _explain_capability(error, model, models)
    return error


def _parse_json(text: bytes) -> Any:  # noqa: ANN401 - whatever an engine writes
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _classify(error: object, status: int) -> EngineError | None:
    if not isinstance(error, dict) or "message" not in error:
        return None
    message, type_, code = str(error["message"]), str(error.get("type") or _SERVER_ERROR), error.get("code")
    shown = message if len(message) <= _MESSAGE_CHARS else f"{message[:_MESSAGE_CHARS]}..."
    if type_ == _CONTEXT_TYPE:
        return ContextLengthExceededError(shown, details=_details(error))
    for rule in _RULES_ANY_STATUS if status < 500 else (*_RULES_ANY_STATUS, *_RULES_5XX):
        match = rule.pattern.search(message)
        if match is not None:
            return rule.make_error(match, shown)
    return _unknown(shown, type_, code if isinstance(code, str) else None, status)


def _details(error: Mapping[str, object]) -> dict[str, int]:
    values = {name: error.get(name) for name in _CONTEXT_DETAILS}
    return {name: value for name, value in values.items() if isinstance(value, int)}


def _unknown(message: str, type_: str, code: str | None, status: int) -> EngineError:
    """Return an error that no rule matches. A running engine would refuse the request again."""
    if status == 501:
        return UnsupportedByModelError(message)
    if status == 503:  # "Loading model": still loading, or loading again after a sleep
        code = code or "model_loading"
        return EngineError(message, status=status, type_=_SERVER_ERROR, shown_code=code, is_retryable=True)
    if status == 401:  # the key between gglib and the engine, not the client's
        message = f"The engine does not accept gglib's own key: {message}"
        return EngineError(message, status=502, type_="upstream_error", shown_code="upstream_error")
    if status < 500:
        return EngineError(message, status=status, type_=type_, shown_code=code)
    return EngineError(message, status=status, type_=type_, shown_code=code or EngineError.code)


def _explain_context(error: ContextLengthExceededError, model: ModelSummary) -> ContextLengthExceededError:
    details = dict(error.details)
    if error.n_ctx is not None:
        details.setdefault("n_ctx", error.n_ctx)
    prompt_tokens, n_ctx = details.get("n_prompt_tokens"), details.get("n_ctx")
    if n_ctx is None:
        return error
    # The first half is the engine's wording, the second OpenAI's, and the code: clients match one of them, some of
    # them (langchain-openai 1.7) in the text only.
    message = _ENGINE_HINT.sub("", str(error))
    lead = f"{message}; the maximum context length is {n_ctx} tokens as the model is loaded (context_length_exceeded)"
    hint = _context_hint(model, prompt_tokens, n_ctx)
    return ContextLengthExceededError(
        lead + hint, details=details, hint=hint, is_cache_full=error.is_cache_full
    )


def _context_hint(model: ModelSummary, prompt_tokens: int | None, n_ctx: int) -> str:
    most = max_context(model)
    is_extended = most is not None and most > (model.trained_context or 0)
    reason = f"the model {'is configured' if is_extended else 'was trained'} for {most}"
    if most is not None and n_ctx >= most:
        return f": shorten the request; {reason} tokens and supports no more."
    wanted = 1 << max(prompt_tokens or 0, n_ctx).bit_length()  # the context grows in powers of two
    suffix = ""
    if most is not None:
        wanted = min(wanted, most)
        suffix = f" ({reason})"
    return (
        f": shorten the request, send 'num_ctx': {wanted} with it, "
        f"or run {in_quotes(f'gglib set {quote(model.name)} --ctx {wanted}')}{suffix}."
    )


_LIMITATIONS = {
    "vision": "does not accept images",
    "embedding": "is not served for embeddings",
    "rerank": "is not served for reranking",
    "infill": "has no infill tokens",
    "chat": "only creates embeddings",
    "tools": "has a chat template without tools, and the request requires a call",
}
_SETTING_HINTS = {
    "vision": "set its projector with 'gglib set {} --mmproj FILE'",
    "embedding": "run 'gglib set {} --embedding' if it supports that",
    "rerank": "run 'gglib set {} --rerank' if it supports that",
}


def _explain_capability(
    error: UnsupportedByModelError, model: ModelSummary, models: Iterable[ModelSummary]
) -> UnsupportedByModelError:
    capability = error.capability
    if capability not in _LIMITATIONS:
        return UnsupportedByModelError(f"Model '{model.name}': {error}", capability)
    capable = [
        other.name for other in models if capability in other.capabilities.names() and other.id != model.id
    ]
    suggestions = [f"use another model, such as {', '.join(capable[:_NAMES_SHOWN])}"] if capable else []
    if capability in _SETTING_HINTS:
        suggestions.append(_SETTING_HINTS[capability].format(quote(model.name)))
    if not suggestions:
        suggestions.append("use another model; 'gglib list' shows the capabilities of each")
    is_reranker = capability == "chat" and model.capabilities.rerank
    limitation = "only ranks texts" if is_reranker else _LIMITATIONS[capability]
    return UnsupportedByModelError(
        f"Model '{model.name}' {limitation}: {', or '.join(suggestions)}.", capability
    )
