"""The OpenAI Agents SDK: ``VARIANT`` is chat or responses."""

from typing import Any, Literal

import openai
from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from cases import (
    CHAT,
    CITIES,
    ENOUGH,
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
from openai import AsyncOpenAI

set_tracing_disabled(disabled=True)
called: list[str] = []


@function_tool
def get_weather(city: Literal["Paris", "Rome"]) -> str:
    """Return the current weather of a city."""
    called.append(city)
    return f"Sunny in {city}"


# A response that ends at its limit of tokens is an error for this client: the model ends by itself.
def agent_of(name: str, tokens: int = ENOUGH, **options: Any) -> Any:
    client = AsyncOpenAI(base_url=f"{URL}/v1", api_key="none", max_retries=0)
    kind: Any = OpenAIResponsesModel if VARIANT == "responses" else OpenAIChatCompletionsModel
    settings = ModelSettings(max_tokens=tokens, include_usage=True)
    return Agent(
        name="A", instructions="Be brief.", model=kind(name, client), model_settings=settings, **options
    )


async def ask(name: str, prompt: str = HELLO) -> str:
    return str((await Runner.run(agent_of(name), prompt)).final_output)


async def plain() -> None:
    check(await ask(CHAT))


async def stream() -> None:
    result = Runner.run_streamed(agent_of(CHAT), HELLO)
    kinds = [event.data.type async for event in result.stream_events() if event.type == "raw_response_event"]
    check(kinds.count("response.output_text.delta") > 3, kinds)
    check(result.final_output, result)


async def tools() -> None:
    agent = agent_of(TOOLS, MORE, tools=[get_weather], tool_use_behavior="stop_on_first_tool")
    for run_it in (Runner.run(agent, HELLO), None):
        called.clear()
        if run_it is not None:
            await run_it
        else:
            streamed = Runner.run_streamed(agent, HELLO)
            async for _ in streamed.stream_events():
                pass
        check(called and set(called) <= set(CITIES), called)


async def error() -> None:
    with raises(openai.NotFoundError, CHAT):
        await ask(UNKNOWN)


async def overflow() -> None:
    with raises(openai.BadRequestError, "context_length_exceeded"):
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
