"""Pydantic AI: ``VARIANT`` is chat, responses or anthropic."""

from contextlib import suppress
from typing import Any, Literal

from cases import (
    CHAT,
    CITIES,
    FEW,
    HELLO,
    MORE,
    SMALL,
    TOO_LONG,
    TOOLS,
    UNKNOWN,
    URL,
    VARIANT,
    check,
    raises,
    run,
    two_awaited,
)
from pydantic_ai import Agent, UsageLimits
from pydantic_ai.exceptions import ModelHTTPError, UsageLimitExceeded

OPTIONS: Any = {"max_tokens": FEW}


def model_of(name: str) -> Any:
    if VARIANT == "anthropic":
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        return AnthropicModel(name, provider=AnthropicProvider(base_url=URL, api_key="none"))
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider

    kind: Any = OpenAIResponsesModel if VARIANT == "responses" else OpenAIChatModel
    return kind(name, provider=OpenAIProvider(base_url=f"{URL}/v1", api_key="none"))


async def ask(name: str, prompt: str = HELLO) -> str:
    answer = await Agent(model_of(name), model_settings=OPTIONS).run(prompt)
    check(answer.usage.output_tokens > 0, answer)
    return str(answer.output)


async def plain() -> None:
    check(await ask(CHAT))


async def stream() -> None:
    async with Agent(model_of(CHAT), model_settings=OPTIONS).run_stream(HELLO) as answer:
        parts = [part async for part in answer.stream_text(delta=True, debounce_by=None)]
    check(len(parts) > 3, parts)


async def tools() -> None:
    called: list[str] = []
    agent = Agent(model_of(TOOLS), model_settings={"max_tokens": MORE})

    @agent.tool_plain
    def get_weather(city: Literal["Paris", "Rome"]) -> str:
        """Return the current weather of a city."""
        called.append(city)
        return f"Sunny in {city}"

    # The model calls the tool in every turn: two turns show that the result was sent, too.
    with suppress(UsageLimitExceeded):
        await agent.run(HELLO, usage_limits=UsageLimits(request_limit=2))
    check(len(called) >= 2 and set(called) <= set(CITIES), called)


async def error() -> None:
    with raises(ModelHTTPError, CHAT, "404"):
        await ask(UNKNOWN)


async def overflow() -> None:
    with raises(ModelHTTPError, "400"):
        await ask(SMALL, TOO_LONG)


async def parallel() -> None:
    await two_awaited(lambda: ask(CHAT))


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
