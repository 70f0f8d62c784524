"""Translates ``/api/chat`` to ``/v1/chat/completions``. Pure."""

from typing import Any

from gglib.proxy.dialects.ollama.durations import read_keep_alive
from gglib.proxy.dialects.ollama.exchanges import CHAT_PATH, ChatExchange
from gglib.proxy.dialects.ollama.formats import response_format, thinking_fields
from gglib.proxy.dialects.ollama.lines import ChatLines, RequestClock
from gglib.proxy.dialects.ollama.messages import openai_messages
from gglib.proxy.dialects.ollama.options import engine_fields
from gglib.proxy.dialects.ollama.requests import ChatRequest


def is_streamed(stream: bool | None) -> bool:  # noqa: FBT001 - a field of a request
    """Whether a response is streamed: unless the request says otherwise."""
    return stream is not False


def chat_exchange(request: ChatRequest, model: str | None, clock: RequestClock) -> ChatExchange:
    """Return the exchange of a chat with messages. ``model`` is its name in the catalogue; None: the default.

    The response has the name that the client sent. Raises ``BadRequestError``.
    """
    fields: dict[str, Any] = {
        "model": model,
        "messages": openai_messages(request.messages or ()),
        "stream": is_streamed(request.stream),
        **engine_fields(request.options),
        **response_format(request.format),
        **thinking_fields(request.think),
        **logprob_fields(logprobs=request.logprobs, top_logprobs=request.top_logprobs),
    }
    if request.tools:
        fields["tools"] = request.tools
    return ChatExchange(
        CHAT_PATH,
        fields,
        ChatLines(request.model or "", clock),
        keep_alive_s=read_keep_alive(request.keep_alive),
    )


def logprob_fields(*, logprobs: bool | None, top_logprobs: int | None) -> dict[str, Any]:
    """Return OpenAI's fields for log probabilities; empty if they are not requested."""
    if not logprobs:
        return {}
    return {"logprobs": True, **({"top_logprobs": top_logprobs} if top_logprobs else {})}
