"""The JSON of llama-server: shapes only, as observed in its responses. Pure."""

import json
from typing import Any

CREATED = 1_700_000_000
"""The fixed creation time: a clock would only make responses differ."""
PROMPT_TOKENS = 8
"""Of every prompt."""

NOT_FOUND = (404, "File Not Found", "not_found_error")
LOADING = (503, "Loading model", "unavailable_error")
NO_KEY = (401, "Invalid API Key", "authentication_error")
NO_EMBEDDINGS = (
    501,
    "This server does not support embeddings. Start it with `--embeddings`",
    "not_supported_error",
)

NO_RERANKING = (
    501,
    "This server does not support reranking. Start it with `--reranking`",
    "not_supported_error",
)


def dumps(value: object) -> bytes:
    """Return compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode()


def error(status: int, message: str, kind: str) -> bytes:
    """Return the error envelope, whose code is an integer."""
    return dumps({"error": {"code": status, "message": message, "type": kind}})


def models(alias: str, *, n_ctx: int) -> bytes:
    """Return the response of ``/v1/models``."""
    model = {
        "id": alias,
        "aliases": [alias],
        "object": "model",
        "created": CREATED,
        "owned_by": "llamacpp",
        "meta": {"n_ctx": n_ctx, "n_ctx_train": 32_768, "n_params": 127_552, "size": 510_208},
    }
    return dumps({"object": "list", "data": [model]})


def slots(count: int, *, busy: int, n_ctx: int) -> bytes:
    """Return the response of ``/slots``; the first ``busy`` slots are processing."""
    return dumps(
        [{"id": n, "n_ctx": n_ctx, "speculative": False, "is_processing": n < busy} for n in range(count)]
    )


def props(alias: str, *, model_path: str, n_ctx: int, slot_count: int) -> bytes:
    """Return the response of ``/props``."""
    return dumps(
        {
            "default_generation_settings": {"n_ctx": n_ctx},
            "total_slots": slot_count,
            "model_alias": alias,
            "model_path": model_path,
            "chat_template": "",
        }
    )


def embeddings(alias: str, inputs: int) -> bytes:
    """Return the response of ``/v1/embeddings``: the same short vector for every input."""
    data = [{"object": "embedding", "index": n, "embedding": [0.6, 0.8]} for n in range(inputs)]
    return dumps({"object": "list", "model": alias, "data": data, "usage": _usage(inputs, 0)})


def ranks(alias: str, documents: int) -> bytes:
    """Return the response of ``/v1/rerank``: the first document is the best."""
    results = [{"index": n, "relevance_score": float(-n)} for n in range(documents)]
    return dumps({"object": "list", "model": alias, "results": results, "usage": _usage(documents, 0)})


def completion(alias: str, text: str, *, tokens: int, is_chat: bool) -> bytes:
    """Return a response that is not streamed."""
    said: dict[str, Any] = {"message": {"role": "assistant", "content": text}} if is_chat else {"text": text}
    kind = "chat.completion" if is_chat else "text_completion"
    return dumps(
        {
            "choices": [{"finish_reason": "stop", "index": 0, **said}],
            **_common(alias, kind),
            "usage": _usage(PROMPT_TOKENS, tokens),
        }
    )


def role_event(alias: str) -> bytes:
    """Return the first event of a streamed chat."""
    return _chat_event(alias, {"role": "assistant", "content": None})


def text_event(alias: str, text: str, *, is_chat: bool) -> bytes:
    """Return one piece of generated text."""
    if is_chat:
        return _chat_event(alias, {"content": text})
    choice = {"text": text, "index": 0, "finish_reason": None}
    return event({"choices": [choice], **_common(alias, "text_completion")})


def last_event(alias: str, *, is_chat: bool) -> bytes:
    """Return the event with the finish reason."""
    if is_chat:
        return _chat_event(alias, {}, finish_reason="stop")
    choice = {"text": "", "index": 0, "finish_reason": "stop"}
    return event({"choices": [choice], **_common(alias, "text_completion")})


def usage_event(alias: str, tokens: int) -> bytes:
    """Return the usage event, for clients that request it."""
    return event(
        {"choices": [], **_common(alias, "chat.completion.chunk"), "usage": _usage(PROMPT_TOKENS, tokens)}
    )


def event(value: object) -> bytes:
    """Return a server-sent event."""
    return b"data: " + dumps(value) + b"\n\n"


PING = b":\n\n"
"""The comment of an idle stream."""

DONE_EVENT = b"data: [DONE]\n\n"


def _chat_event(alias: str, delta: dict[str, Any], *, finish_reason: str | None = None) -> bytes:
    choice = {"finish_reason": finish_reason, "index": 0, "delta": delta}
    return event({"choices": [choice], **_common(alias, "chat.completion.chunk")})


def _common(alias: str, kind: str) -> dict[str, Any]:
    return {
        "created": CREATED,
        "id": "chatcmpl-scripted",
        "model": alias,
        "system_fingerprint": "b0-scripted",
        "object": kind,
    }


def _usage(prompt: int, tokens: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens}
