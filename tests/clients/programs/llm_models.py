"""The package ``llm``: ``VARIANT`` is openai (models of ``extra-openai-models.yaml``) or ollama (``llm-ollama``)."""

import os
import tempfile
from pathlib import Path
from typing import Any, Literal

from cases import (
    CHAT,
    FEW,
    HELLO,
    MORE,
    PARAMETERS,
    SMALL,
    TOO_LONG,
    TOOL_DESCRIPTION,
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

MODELS = (CHAT, SMALL, TOOLS, UNKNOWN)
ENTRY = """\
- model_id: {name}
  model_name: {name}
  api_base: {url}/v1
  api_key_name: none
  supports_tools: true
"""
home = Path(tempfile.mkdtemp(prefix="llm-"))
os.environ["LLM_USER_PATH"] = str(home)
os.environ["OLLAMA_HOST"] = URL
os.environ["OPENAI_API_KEY"] = "none"
if VARIANT == "openai":
    (home / "extra-openai-models.yaml").write_text(
        "".join(ENTRY.format(name=name, url=URL) for name in MODELS)
    )
    os.environ["LLM_LOAD_PLUGINS"] = ""

import llm  # noqa: E402 - reads the settings above


def ask(name: str, prompt: str = HELLO, tokens: int = FEW, **options: Any) -> Any:
    limit = {"max_tokens": tokens} if VARIANT == "openai" else {"num_predict": tokens}
    return model_of(name).prompt(prompt, **limit, **options)


def model_of(name: str) -> Any:
    # The plugin registers what the server lists.
    return llm.get_model(name if VARIANT == "openai" else f"ollama/{name}")


def own_errors() -> Any:
    """Return what it raises for errors of a server: those of the client below it."""
    if VARIANT == "openai":
        import openai

        return openai.APIStatusError
    import ollama

    return ollama.ResponseError


def get_weather(city: Literal["Paris", "Rome"]) -> str:
    """Return the current weather of a city."""
    return f"Sunny in {city}"


def plain() -> None:
    answer = ask(CHAT, stream=False)
    check(answer.text(), answer)


def stream() -> None:
    parts = list(ask(CHAT))
    check(len([part for part in parts if part]) > 3, parts)


def tools() -> None:
    if VARIANT == "ollama":
        check(model_of(TOOLS).supports_tools, "the model is not known to call tools")
    weather = llm.Tool(
        name=TOOL_NAME, description=TOOL_DESCRIPTION, input_schema=PARAMETERS, implementation=get_weather
    )
    for is_stream in (False, True):
        calls = ask(TOOLS, tokens=MORE, tools=[weather], stream=is_stream).tool_calls()
        check(calls and calls[0].name == TOOL_NAME, calls)
        check_arguments(calls[0].arguments)


def error() -> None:
    if VARIANT == "ollama":
        raise NotApplicable("knows only the models that the server lists")
    with raises(own_errors(), CHAT):
        ask(UNKNOWN, stream=False).text()


def overflow() -> None:
    with raises(own_errors(), "context"):
        ask(SMALL, TOO_LONG, stream=False).text()


def parallel() -> None:
    two_at_once(lambda: ask(CHAT).text())


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
