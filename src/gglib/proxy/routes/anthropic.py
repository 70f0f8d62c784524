"""The routes of Anthropic's dialect: messages, their tokens, and the models in Anthropic's format."""

from collections.abc import Sequence
from functools import partial

from gglib.core.kinds import models_of_kind
from gglib.core.models import ModelSummary
from gglib.core.profiles import listed_profiles
from gglib.proxy.bodies import offloaded, read_plain_body
from gglib.proxy.dialects.anthropic.chat_response import chat_exchange
from gglib.proxy.dialects.anthropic.models import as_model_object, as_page, read_page_query
from gglib.proxy.dialects.anthropic.requests import AdaptedRequest, adapt_request, is_certainly_plain
from gglib.proxy.forward import forward, forward_exchange
from gglib.proxy.models import served_context
from gglib.proxy.names.kind_defaults import require_for_kind
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response

_SHORT_BODY_BYTES = 128 * 1024
"""Longer bodies are adapted in a thread, one at a time. This one takes 0.4 ms."""


async def send_message(request: ProxyRequest, response: Response, services: Services) -> None:
    """``POST /v1/messages``: forwarded to the engine, which speaks the dialect; changed where it must be."""
    body = await read_plain_body(request, services.options.max_body_bytes)
    if is_certainly_plain(body):
        await forward(request, response, services, body)
        return
    adapted = await _adapted(body, services)
    if adapted.ignored_tools:
        response.extra_header_lines += _warning(adapted.ignored_tools)
    exchange = chat_exchange(adapted.body) if adapted.needs_chat else None
    if exchange is None:
        await forward(request, response, services, adapted.body)
    else:
        await forward_exchange(request, response, services, exchange)


def _warning(ignored_tools: Sequence[str]) -> bytes:
    """Return the header line that names tools which the model does not see."""
    names = ", ".join(ignored_tools)
    return f"x-gglib-warning: Anthropic's servers run these tools, so the model does not see them: {names}\r\n".encode()


async def count_tokens(request: ProxyRequest, response: Response, services: Services) -> None:
    """``POST /v1/messages/count_tokens``: the tokens of the message as it would be sent to the engine."""
    body = await read_plain_body(request, services.options.max_body_bytes)
    adapted = await _adapted(body, services)
    await forward(request, response, services, adapted.body)


async def _adapted(body: bytes, services: Services) -> AdaptedRequest:
    return await offloaded(services, len(body), partial(adapt_request, body), short_bytes=_SHORT_BODY_BYTES)


async def list_models(request: ProxyRequest, response: Response, services: Services) -> None:
    """``GET /v1/models`` with ``anthropic-version``: a page of the models, alias lists and profiles that can chat."""
    query = read_page_query(request.query)
    models = await services.catalog.list_models()
    listed = [*models, *(alias.as_model() for alias in services.aliases.listed(models))]
    chatting = models_of_kind(listed, "chat")
    profiles = [] if services.profiles is None else await services.profiles.list_profiles()
    objects = [as_model_object(model, context=_context(model, services)) for model in chatting]
    objects += [
        as_model_object(profiled.model, context=_context(profiled.model, services), name=profiled.name)
        for profiled in listed_profiles(models, profiles)
    ]
    await response.send(as_page(objects, query))


async def show_model(name: str, request: ProxyRequest, response: Response, services: Services) -> None:
    """``GET /v1/models/{id}`` with ``anthropic-version``."""
    await services.catalog.list_models()  # listing detects replaced files
    found = await require_for_kind(name, services, "chat")
    model = found.models[0]
    request.model = model.name
    await response.send(as_model_object(model, context=_context(model, services), name=found.name))


def _context(model: ModelSummary, services: Services) -> int:
    return served_context(model, services.default_ctx)
