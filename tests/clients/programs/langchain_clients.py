"""LangChain with one of its packages: ``VARIANT`` is openai, anthropic or ollama."""

from typing import Any, Literal

from cases import (
    CHAT,
    EMBED,
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
    NotApplicable,
    check,
    check_arguments,
    raises,
    run,
    two_at_once,
)
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool


def model_of(name: str, tokens: int = FEW) -> Any:
    if VARIANT == "openai":
        from langchain_openai import ChatOpenAI

        return ChatOpenAI(
            model=name, base_url=f"{URL}/v1", api_key="none", max_tokens=tokens, stream_usage=True
        )
    if VARIANT == "anthropic":
        from langchain_anthropic import ChatAnthropic

        return ChatAnthropic(model=name, base_url=URL, api_key="none", max_tokens=tokens)
    from langchain_ollama import ChatOllama

    return ChatOllama(model=name, base_url=URL, num_predict=tokens)


def own_errors() -> Any:
    if VARIANT == "openai":
        import openai

        return openai.APIStatusError
    if VARIANT == "anthropic":
        import anthropic

        return anthropic.APIStatusError
    import ollama

    return ollama.ResponseError


@tool
def get_weather(city: Literal["Paris", "Rome"]) -> str:
    """Return the current weather of a city."""
    return f"Sunny in {city}"


def plain() -> None:
    answer = model_of(CHAT).invoke(HELLO)
    check(answer.content, answer)
    check(answer.usage_metadata["output_tokens"] > 0, answer)


def stream() -> None:
    chunks = list(model_of(CHAT).stream(HELLO))
    check(len([chunk for chunk in chunks if chunk.content]) > 3, f"{len(chunks)} chunks")
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    check(whole.usage_metadata["output_tokens"] > 0, whole)


def tools() -> None:
    bound = model_of(TOOLS, MORE).bind_tools([get_weather])
    answer = bound.invoke(HELLO)
    check(answer.tool_calls and answer.tool_calls[0]["name"] == TOOL_NAME, answer)
    check_arguments(answer.tool_calls[0]["args"])
    results = [ToolMessage("Sunny", tool_call_id=call["id"]) for call in answer.tool_calls]
    bound.invoke([HumanMessage(HELLO), answer, *results])
    whole: Any = None
    for chunk in bound.stream(HELLO):
        whole = chunk if whole is None else whole + chunk
    check(whole.tool_calls, whole)
    check_arguments(whole.tool_calls[0]["args"])


def error() -> None:
    with raises(own_errors(), CHAT):
        model_of(UNKNOWN).invoke(HELLO)
    with raises(own_errors(), CHAT):
        list(model_of(UNKNOWN).stream(HELLO))


def overflow() -> None:
    # ChatOllama has no notion of its own: Ollama truncates by default.
    kind = own_errors() if VARIANT == "ollama" else ContextOverflowError
    with raises(kind, "context" if VARIANT == "ollama" else ""):
        model_of(SMALL).invoke(TOO_LONG)


def parallel() -> None:
    two_at_once(lambda: model_of(CHAT).invoke(HELLO).content)


def more() -> None:
    if VARIANT == "anthropic":
        raise NotApplicable("no embeddings")
    if VARIANT == "openai":
        from langchain_openai import OpenAIEmbeddings

        vectors = OpenAIEmbeddings(
            model=EMBED, base_url=f"{URL}/v1", api_key="none", check_embedding_ctx_length=False
        )
    else:
        from langchain_ollama import OllamaEmbeddings

        vectors = OllamaEmbeddings(model=EMBED, base_url=URL)
    check(len(vectors.embed_documents(["one", "two"])) == 2)


run(
    {
        "plain": plain,
        "stream": stream,
        "tools": tools,
        "error": error,
        "overflow": overflow,
        "parallel": parallel,
        "more": more,
    }
)
