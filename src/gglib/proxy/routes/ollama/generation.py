"""``/api/chat`` and ``/api/generate``."""

from functools import partial

from gglib.proxy.dialects.ollama.chat import chat_exchange, is_streamed
from gglib.proxy.dialects.ollama.durations import read_keep_alive
from gglib.proxy.dialects.ollama.exchanges import CHAT_PATH
from gglib.proxy.dialects.ollama.generate import generate_exchange
from gglib.proxy.dialects.ollama.lines import ChatLines, GenerateLines
from gglib.proxy.dialects.ollama.options import Fields, engine_fields
from gglib.proxy.dialects.ollama.requests import ChatRequest, GenerateRequest
from gglib.proxy.forward import forward_exchange
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.routes.admin.loading import LOAD_ERRORS
from gglib.proxy.routes.dispatch import Operation
from gglib.proxy.routes.ollama.bodies import offloaded, read_body
from gglib.proxy.routes.ollama.clock import ArrivalClock
from gglib.proxy.routes.ollama.loading import ModelUse, load_or_unload
from gglib.proxy.routes.ollama.names import with_resolved_name
from gglib.proxy.routes.operation_spec import LINES, Access, Metering, OperationSpec

GROUP = "Ollama's API"


async def chat(request: ProxyRequest, response: Response, services: Services) -> None:
    """Continue a chat; without messages, load or unload the model."""
    clock = ArrivalClock(request)
    body, size_bytes = await read_body(request, services, ChatRequest)
    if not body.messages:
        use = _use_without_content(body.model, body.options, body.keep_alive)
        lines = ChatLines(body.model or "", clock)
        await load_or_unload(request, response, services, use, lines, is_stream=is_streamed(body.stream))
        return

    async def attempt(model: str | None) -> None:
        exchange = await offloaded(services, size_bytes, partial(chat_exchange, body, model, clock))
        await forward_exchange(request, response, services, exchange)

    await with_resolved_name(body.model, services, attempt)


async def generate(request: ProxyRequest, response: Response, services: Services) -> None:
    """Complete a prompt; without one, load or unload the model."""
    clock = ArrivalClock(request)
    body, size_bytes = await read_body(request, services, GenerateRequest)
    if not body.prompt and not body.images and not body.suffix:
        use = _use_without_content(body.model, body.options, body.keep_alive)
        lines = GenerateLines(body.model or "", clock)
        await load_or_unload(request, response, services, use, lines, is_stream=is_streamed(body.stream))
        return

    async def attempt(model: str | None) -> None:
        has_template = await _has_template(model, services)
        make = partial(generate_exchange, body, model, clock, has_template=has_template)
        exchange = await offloaded(services, size_bytes, make)
        await forward_exchange(request, response, services, exchange)

    await with_resolved_name(body.model, services, attempt)


async def _has_template(name: str | None, services: Services) -> bool:
    """Whether prompts for a name are sent as a chat: not for a model that has no chat template."""
    model = None if name is None else await services.catalog.resolve_model(name)
    return model is None or model.capabilities.chat or not model.paths


def _use_without_content(
    model: str | None, options: Fields | None, keep_alive: str | float | None
) -> ModelUse:
    return ModelUse(model, CHAT_PATH, engine_fields(options).get("num_ctx"), read_keep_alive(keep_alive))


OPERATIONS = (
    Operation(
        OperationSpec(
            id="chatWithOllama",
            method="POST",
            path="/api/chat",
            group=GROUP,
            summary="Chat, in Ollama's dialect",
            text="Translated to `/v1/chat/completions`. A stream of lines unless `stream` is false. Without `messages` "
            "the model is loaded; with `keep_alive` 0 it is unloaded.",
            access=Access.CLIENT,
            body=ChatRequest,
            media_type=LINES,
            errors=LOAD_ERRORS,
            metering=Metering.TOKENS,
        ),
        chat,
    ),
    Operation(
        OperationSpec(
            id="generateWithOllama",
            method="POST",
            path="/api/generate",
            group=GROUP,
            summary="Complete a prompt, in Ollama's dialect",
            text="With the model's chat template, unless `raw` is true; with `suffix`, the text between. A stream of "
            "lines unless `stream` is false. Without `prompt` the model is loaded; with `keep_alive` 0 it is unloaded.",
            access=Access.CLIENT,
            body=GenerateRequest,
            media_type=LINES,
            errors=LOAD_ERRORS,
            metering=Metering.TOKENS,
        ),
        generate,
    ),
)
