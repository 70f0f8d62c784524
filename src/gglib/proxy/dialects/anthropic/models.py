"""Anthropic's model objects, and the pages of their list. Pure.

Source: the types ``ModelInfo`` and ``ModelCapabilities`` of the official client (anthropic 2.14), and
https://docs.anthropic.com/en/api/models-list.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from gglib.core.models import ModelCapabilities, ModelSummary
from gglib.proxy.errors import BadRequestError

DEFAULT_LIMIT, MAX_LIMIT = 20, 1000

Object = dict[str, Any]


class PageQuery(NamedTuple):
    """Which part of the list a client asks for: at most ``limit`` models, after one or before one."""

    limit: int = DEFAULT_LIMIT
    after_id: str | None = None
    before_id: str | None = None


def read_page_query(query: bytes) -> PageQuery:
    """Return the parsed query; other parameters are ignored. Raises ``BadRequestError``, which names the parameter."""
    values = dict(parse_qsl(query.decode("ascii", "replace")))
    limit = values.get("limit", str(DEFAULT_LIMIT))
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MAX_LIMIT):
        raise BadRequestError(f"'limit' must be a number from 1 to {MAX_LIMIT}.", "limit")
    after_id, before_id = values.get("after_id"), values.get("before_id")
    if after_id and before_id:
        raise BadRequestError("'after_id' and 'before_id' exclude each other.", "before_id")
    return PageQuery(int(limit), after_id or None, before_id or None)


def as_page(objects: Sequence[Object], query: PageQuery) -> Object:
    """Return the page of a list of model objects. Raises ``BadRequestError`` for an id that is not in the list."""
    ids = [model["id"] for model in objects]
    start, end = 0, len(ids)
    if query.before_id is not None:
        end = _position(ids, query.before_id, "before_id")
        start = max(0, end - query.limit)
        has_more = start > 0
    else:
        if query.after_id is not None:
            start = _position(ids, query.after_id, "after_id") + 1
        end = min(end, start + query.limit)
        has_more = end < len(ids)
    page = objects[start:end]
    return {
        "data": page,
        "has_more": has_more,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
    }


def _position(ids: Sequence[str], wanted: str, name: str) -> int:
    try:
        return ids.index(wanted)
    except ValueError:
        raise BadRequestError(f"'{name}' is not the id of a listed model.", name) from None


def as_model_object(model: ModelSummary, *, context: int, name: str | None = None) -> Object:
    """Return the object of a model under ``name``; ``context`` is in tokens."""
    name = name or model.name
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": datetime.fromtimestamp(model.added_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "max_input_tokens": context,
        "max_tokens": context,
        "lifecycle": "active",
        "capabilities": _capabilities(model.capabilities),
    }


def _capabilities(capabilities: ModelCapabilities) -> Object:
    """Return the capabilities; clients expect all keys."""
    no, yes = {"supported": False}, {"supported": True}
    thinking = {"supported": capabilities.reasoning}
    efforts = dict.fromkeys(("low", "medium", "high", "xhigh", "max"), thinking)
    return {
        "batch": no,
        "citations": no,
        "code_execution": no,
        "context_management": no,
        "effort": {**thinking, **efforts},
        "image_input": {"supported": capabilities.vision},
        "pdf_input": no,
        "server_tools": {**no, "code_execution": no, "web_search": no},
        "structured_outputs": {"supported": not (capabilities.embedding or capabilities.rerank)},
        "thinking": {
            **thinking,
            "types": {"adaptive": yes, "between_tools": yes, "disabled": yes, "enabled": thinking},
        },
    }
