"""Translates ``/api/generate``: to a chat with the model's template, to a plain completion, or to an infill. Pure."""

import re
from typing import Any

from gglib.proxy.dialects.ollama.chat import is_streamed, logprob_fields
from gglib.proxy.dialects.ollama.durations import read_keep_alive
from gglib.proxy.dialects.ollama.exchanges import (
    CHAT_PATH,
    COMPLETION_PATH,
    INFILL_PATH,
    ChatExchange,
    CompletionExchange,
    LineExchange,
)
from gglib.proxy.dialects.ollama.formats import native_format, response_format, thinking_fields
from gglib.proxy.dialects.ollama.lines import GenerateLines, RequestClock
from gglib.proxy.dialects.ollama.messages import user_content
from gglib.proxy.dialects.ollama.options import as_native, engine_fields
from gglib.proxy.dialects.ollama.requests import GenerateRequest
from gglib.proxy.errors import BadRequestError

_PLAIN_TEMPLATE = re.compile(r"\s*\{\{-?\s*\.Prompt\s*-?\}\}\s*")
"""The template that consists of the prompt alone: the same as ``raw``."""


def generate_exchange(
    request: GenerateRequest, model: str | None, clock: RequestClock, *, has_template: bool
) -> LineExchange:
    """Return the exchange of a request with a prompt. ``model`` is its name in the catalogue; None: the default.

    Without ``has_template`` the model has no chat template: it completes the prompt as it is. Raises
    ``BadRequestError`` for what gglib does not translate.
    """
    _refuse_untranslated(request)
    lines = GenerateLines(request.model or "", clock)
    keep_alive_s = read_keep_alive(request.keep_alive)
    common: dict[str, Any] = {"model": model, "stream": is_streamed(request.stream)}
    if not request.suffix and not _is_raw(request) and has_template:
        return ChatExchange(CHAT_PATH, common | _chat_fields(request), lines, keep_alive_s=keep_alive_s)
    _refuse_images(request)
    fields = common | as_native(engine_fields(request.options)) | native_format(request.format)
    if request.logprobs:
        fields["n_probs"] = request.top_logprobs or 1
    if request.suffix:
        fields |= {"input_prefix": request.prompt, "input_suffix": request.suffix}
        return CompletionExchange(INFILL_PATH, fields, lines, keep_alive_s=keep_alive_s)
    fields["prompt"] = _plain_prompt(request)
    return CompletionExchange(COMPLETION_PATH, fields, lines, keep_alive_s=keep_alive_s)


def _chat_fields(request: GenerateRequest) -> dict[str, Any]:
    system = [{"role": "system", "content": request.system}] if request.system else []
    user = {"role": "user", "content": user_content(request.prompt or "", request.images)}
    return {
        "messages": [*system, user],
        **engine_fields(request.options),
        **response_format(request.format),
        **thinking_fields(request.think),
        **logprob_fields(logprobs=request.logprobs, top_logprobs=request.top_logprobs),
    }


def _plain_prompt(request: GenerateRequest) -> str:
    """Return the prompt; for a model without a template after the system prompt, which ``raw`` ignores."""
    prompt = request.prompt or ""
    return f"{request.system}\n\n{prompt}" if request.system and not _is_raw(request) else prompt


def _is_raw(request: GenerateRequest) -> bool:
    return bool(request.raw) or _PLAIN_TEMPLATE.fullmatch(request.template or "") is not None


def _refuse_untranslated(request: GenerateRequest) -> None:
    if request.template and not request.raw and not _is_raw(request):
        raise BadRequestError(
            "'template' is not supported: the model's own template is used. Send a formatted prompt with "
            "'raw': true to use another.",
            "template",
        )
    if request.context:
        raise BadRequestError(
            "'context' is not supported, and no response has one: send the conversation to /api/chat.",
            "context",
        )


def _refuse_images(request: GenerateRequest) -> None:
    if request.images:
        raise BadRequestError(
            "'images' need the model's chat template: leave out 'raw' and 'suffix'.", "images"
        )
