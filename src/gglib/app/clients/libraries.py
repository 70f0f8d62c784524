"""Libraries: code that is copied into a program. Pure.

Python and JavaScript read a string as JSON writes it, except for lone surrogates, which no name has.
"""

import json
import shlex
from collections.abc import Callable
from functools import partial

from gglib.app.clients.client import Client, Connection, Kind, Places, Settings, Verified
from gglib.app.clients.entries import RUN_ON

PROMPT = "Hi"
EARLIER = "2026-11-28"
"""The day on which the other libraries were run, with requests like the ones below."""


def _python(*lines: str) -> Callable[[Connection, Places], Settings]:
    return _code("in Python", 'os.environ["%s"]', "import os", lines)


def _node(*lines: str) -> Callable[[Connection, Places], Settings]:
    return _code("in JavaScript", "process.env.%s", "", lines)


def _code(
    where: str, key_form: str, head_with_key: str, lines: tuple[str, ...]
) -> Callable[[Connection, Places], Settings]:
    """Return settings that are lines of code, with ``<url>``, ``<base>``, ``<model>`` and ``<key>`` filled in."""

    def settings(connection: Connection, places: Places) -> Settings:
        del places
        literal = json.dumps(connection.pasted_key)
        replacements = {
            "<url>": json.dumps(connection.url),
            "<base>": json.dumps(connection.base),
            "<model>": json.dumps(connection.model, ensure_ascii=False),
            "<openai/model>": json.dumps(f"openai/{connection.model}", ensure_ascii=False),
            "<key>": literal if connection.key is None else connection.key_as(key_form),
        }
        head = (head_with_key,) if head_with_key and connection.key is not None else ()
        return Settings(where=where, text="\n".join(_filled(line, replacements) for line in (*head, *lines)))

    return settings


def _filled(line: str, replacements: dict[str, str]) -> str:
    """Return a line with its placeholders replaced, each from the template: a name may look like a placeholder."""
    parts = line.split("<")
    filled = [parts[0]]
    for part in parts[1:]:
        name, mark, rest = part.partition(">")
        replacement = replacements.get(f"<{name}{mark}")
        filled.append(f"<{part}" if replacement is None else f"{replacement}{rest}")
    return "".join(filled)


def _curl(connection: Connection, places: Places) -> Settings:
    del places
    body = json.dumps({"model": connection.model, "messages": [{"role": "user", "content": PROMPT}]})
    key = "" if connection.key is None else f' -H "Authorization: Bearer ${connection.key.variable}"'
    url = shlex.quote(f"{connection.base}/chat/completions")
    text = f"curl {url}{key} -H 'Content-Type: application/json' -d {shlex.quote(body)}"
    return Settings(where="in a terminal", text=text)


_library = partial(Client, kind=Kind.LIBRARY, how="code")

_MESSAGES = f'messages=[{{"role": "user", "content": "{PROMPT}"}}]'
_NODE_MESSAGES = f'messages: [{{ role: "user", content: "{PROMPT}" }}]'

LIBRARIES = (
    _library(
        name="openai-python",
        title="OpenAI SDK",
        speaks=("openai",),
        settings=_python(
            "from openai import OpenAI",
            "client = OpenAI(base_url=<base>, api_key=<key>)",
            f"reply = client.chat.completions.create(model=<model>, {_MESSAGES})",
            "print(reply.choices[0].message.content)",
        ),
        verified=Verified(version="3.57.0", date=RUN_ON),
    ),
    _library(
        name="openai-node",
        title="OpenAI SDK for Node",
        speaks=("openai",),
        settings=_node(
            'import OpenAI from "openai";',
            "const client = new OpenAI({ baseURL: <base>, apiKey: <key> });",
            f"const reply = await client.chat.completions.create({{ model: <model>, {_NODE_MESSAGES} }});",
            "console.log(reply.choices[0].message.content);",
        ),
        verified=Verified(version="6.49.0", date=RUN_ON),
    ),
    _library(
        name="anthropic-python",
        title="Anthropic SDK",
        speaks=("anthropic",),
        settings=_python(
            "from anthropic import Anthropic",
            "client = Anthropic(base_url=<url>, auth_token=<key>)",
            f"reply = client.messages.create(model=<model>, max_tokens=256, {_MESSAGES})",
            "print(reply.content[0].text)",
        ),
        verified=Verified(version="2.14.0", date=RUN_ON),
    ),
    _library(
        name="anthropic-node",
        title="Anthropic SDK for Node",
        speaks=("anthropic",),
        settings=_node(
            'import Anthropic from "@anthropic-ai/sdk";',
            "const client = new Anthropic({ baseURL: <url>, authToken: <key> });",
            f"const reply = await client.messages.create({{ model: <model>, max_tokens: 256, {_NODE_MESSAGES} }});",
            "console.log(reply.content[0].text);",
        ),
        verified=Verified(version="1.14.0", date=RUN_ON),
    ),
    _library(
        name="ollama-python",
        title="Ollama library",
        speaks=("ollama",),
        settings=_python(
            "from ollama import Client",
            'client = Client(host=<url>, headers={"Authorization": "Bearer " + <key>})',
            f"reply = client.chat(model=<model>, {_MESSAGES})",
            "print(reply.message.content)",
        ),
    ),
    _library(
        name="ollama-node",
        title="Ollama library for Node",
        speaks=("ollama",),
        settings=_node(
            'import { Ollama } from "ollama";',
            'const client = new Ollama({ host: <url>, headers: { Authorization: "Bearer " + <key> } });',
            f"const reply = await client.chat({{ model: <model>, {_NODE_MESSAGES} }});",
            "console.log(reply.message.content);",
        ),
    ),
    _library(
        name="litellm",
        title="LiteLLM",
        speaks=("openai",),
        settings=_python(
            "import litellm",
            f"reply = litellm.completion(model=<openai/model>, api_base=<base>, api_key=<key>, {_MESSAGES})",
            "print(reply.choices[0].message.content)",
        ),
        verified=Verified(version="1.110.2", date=EARLIER),
    ),
    _library(
        name="langchain",
        title="LangChain",
        speaks=("openai",),
        settings=_python(
            "from langchain_openai import ChatOpenAI",
            "chat = ChatOpenAI(base_url=<base>, api_key=<key>, model=<model>)",
            f'print(chat.invoke("{PROMPT}").content)',
        ),
        verified=Verified(version="1.7.10", date=EARLIER),
    ),
    Client(
        name="curl",
        title="curl",
        kind=Kind.LIBRARY,
        speaks=("openai",),
        how="command",
        settings=_curl,
        verified=Verified(version="7.88.1", date=RUN_ON),
    ),
)
