"""LlamaIndex: ``VARIANT`` is openai (OpenAILike) or ollama."""

from typing import Any, Literal

from cases import (
    CHAT,
    FEW,
    HELLO,
    MORE,
    SMALL,
    TOO_LONG,
    TOOL_NAME,
    TOOLS,
    UNKNOWN,
    URL,
    VARIANT,
    check,
    check_arguments,
    raises,
    run,
    two_at_once,
)
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool

MESSAGES = [ChatMessage(role="user", content=HELLO)]


def model_of(name: str, tokens: int = FEW) -> Any:
    if VARIANT == "openai":
        from llama_index.llms.openai_like import OpenAILike

        return OpenAILike(
            model=name,
            api_base=f"{URL}/v1",
            api_key="none",
            is_chat_model=True,
            is_function_calling_model=True,
            max_tokens=tokens,
            max_retries=0,
        )
    from llama_index.llms.ollama import Ollama

    return Ollama(model=name, base_url=URL, request_timeout=60, additional_kwargs={"num_predict": tokens})


def own_errors() -> Any:
    if VARIANT == "openai":
        import openai

        return openai.APIStatusError
    import ollama

    return ollama.ResponseError


def get_weather(city: Literal["Paris", "Rome"]) -> str:
    """Return the current weather of a city."""
    return f"Sunny in {city}"


def plain() -> None:
    answer = model_of(CHAT).chat(MESSAGES)
    check(answer.message.content, answer)


def stream() -> None:
    parts = list(model_of(CHAT).stream_chat(MESSAGES))
    check(len(parts) > 3, f"{len(parts)} parts")
    check(parts[-1].message.content, parts[-1])


def tools() -> None:
    model = model_of(TOOLS, MORE)
    answer = model.chat_with_tools([FunctionTool.from_defaults(get_weather)], user_msg=HELLO)
    calls = model.get_tool_calls_from_response(answer)
    check(calls[0].tool_name == TOOL_NAME, calls)
    check_arguments(calls[0].tool_kwargs)


def error() -> None:
    with raises(own_errors(), CHAT):
        model_of(UNKNOWN).chat(MESSAGES)
    with raises(own_errors(), CHAT):
        list(model_of(UNKNOWN).stream_chat(MESSAGES))


def overflow() -> None:
    with raises(own_errors(), "context"):
        model_of(SMALL).chat([ChatMessage(role="user", content=TOO_LONG)])


def parallel() -> None:
    two_at_once(lambda: model_of(CHAT).chat(MESSAGES).message.content)


run(
    {
        "plain": plain,
        "stream": stream,
        "tools": tools,
        "error": error,
        "overflow": overflow,
        "parallel": parallel,
    }
)
