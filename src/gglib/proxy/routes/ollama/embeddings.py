"""``/api/embed`` and ``/api/embeddings``."""

from gglib.proxy.dialects.ollama.durations import read_keep_alive
from gglib.proxy.dialects.ollama.embed import (
    EMBEDDINGS_PATH,
    EmbedExchange,
    SingleEmbeddingExchange,
    Truncation,
    embed_response,
)
from gglib.proxy.dialects.ollama.options import engine_fields
from gglib.proxy.dialects.ollama.requests import EmbeddingsRequest, EmbedRequest
from gglib.proxy.errors import JSON, BadRequestError, ContextLengthExceededError
from gglib.proxy.forward import forward_exchange
from gglib.proxy.options import Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.routes.admin.loading import LOAD_ERRORS
from gglib.proxy.routes.dispatch import Operation
from gglib.proxy.routes.ollama.bodies import read_body
from gglib.proxy.routes.ollama.clock import ArrivalClock
from gglib.proxy.routes.ollama.generation import GROUP
from gglib.proxy.routes.ollama.loading import ModelUse, apply_use
from gglib.proxy.routes.ollama.names import with_resolved_name
from gglib.proxy.routes.operation_spec import Access, Metering, OperationSpec


async def embed(request: ProxyRequest, response: Response, services: Services) -> None:
    """Create embeddings; without input, load or unload the model."""
    clock = ArrivalClock(request)
    body, _ = await read_body(request, services, EmbedRequest)
    if body.input is None:
        raise BadRequestError("'input' is required.", "input")
    inputs = [body.input] if isinstance(body.input, str) else body.input
    keep_alive_s = read_keep_alive(body.keep_alive)
    if not any(inputs):
        num_ctx = engine_fields(body.options).get("num_ctx")
        await apply_use(request, services, ModelUse(body.model, EMBEDDINGS_PATH, num_ctx, keep_alive_s))
        await response.send_body(embed_response(body.model or "", [], {}), [JSON])
        return

    async def attempt(model: str | None) -> None:
        truncation = Truncation(inputs)
        while True:
            exchange = EmbedExchange(body, truncation.inputs, model, clock, keep_alive_s=keep_alive_s)
            try:
                await forward_exchange(request, response, services, exchange)
            except ContextLengthExceededError as error:
                if body.truncate is False or not _shorten(truncation, error):
                    raise
            else:
                return

    await with_resolved_name(body.model, services, attempt)


async def embed_prompt(request: ProxyRequest, response: Response, services: Services) -> None:
    """Create the embedding of one prompt; without one, load or unload the model."""
    body, _ = await read_body(request, services, EmbeddingsRequest)
    keep_alive_s = read_keep_alive(body.keep_alive)
    prompt = body.prompt
    if not prompt:
        num_ctx = engine_fields(body.options).get("num_ctx")
        await apply_use(request, services, ModelUse(body.model, EMBEDDINGS_PATH, num_ctx, keep_alive_s))
        await response.send({"embedding": []})
        return

    async def attempt(model: str | None) -> None:
        exchange = SingleEmbeddingExchange([prompt], model, body.options, keep_alive_s=keep_alive_s)
        await forward_exchange(request, response, services, exchange)

    await with_resolved_name(body.model, services, attempt)


def _shorten(truncation: Truncation, error: ContextLengthExceededError) -> bool:
    """Shorten the input that the engine refused; False if the error does not say by how much."""
    tokens, limit = error.details.get("n_prompt_tokens", 0), error.details.get("n_ctx", 0)
    return truncation.shorten(tokens, limit)


OPERATIONS = (
    Operation(
        OperationSpec(
            id="embedWithOllama",
            method="POST",
            path="/api/embed",
            group=GROUP,
            summary="Create embeddings, in Ollama's dialect",
            text="Translated to `/v1/embeddings`. Inputs that exceed the context are shortened, unless `truncate` is "
            "false. With `dimensions`, vectors are cut and scaled to length 1.",
            access=Access.CLIENT,
            body=EmbedRequest,
            errors=LOAD_ERRORS,
            metering=Metering.PROMPT,
        ),
        embed,
    ),
    Operation(
        OperationSpec(
            id="embedPromptWithOllama",
            method="POST",
            path="/api/embeddings",
            group=GROUP,
            summary="Create the embedding of one prompt, in Ollama's older dialect",
            access=Access.CLIENT,
            body=EmbeddingsRequest,
            errors=LOAD_ERRORS,
            metering=Metering.PROMPT,
        ),
        embed_prompt,
    ),
)
