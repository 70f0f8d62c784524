"""What to paste into a client so that it talks to gglib. Pure text; one entry a client. It is never told a key."""

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

DUMMY_KEY = "gglib"
"""Most clients insist on a key; a gglib without keys takes any."""
_KEY_PLACEHOLDER = "KEY_OF_"
"""Stands where a key has to be put, with the key's name after it; harmless in a shell, in JSON, YAML and Python."""


@dataclass(frozen=True, slots=True)
class _Connection:
    """What the texts are made of: the base address, the model, its context in tokens, the key or what stands for it."""

    base: str
    model: str
    context: int
    key: str
    is_key_needed: bool


@dataclass(frozen=True, slots=True)
class ClientSetting:
    """What one client needs."""

    client: str
    where: str
    text: str


def client_settings(
    url: str, model: str, context: int, *, key_names: Sequence[str] = ()
) -> tuple[ClientSetting, ...]:
    """Return the settings for each client, for a proxy at ``url``, a model and its context in tokens.

    ``key_names`` are the names of the keys that it accepts; the first one is shown, as ``key_hint`` explains.
    """
    key = _KEY_PLACEHOLDER + key_names[0] if key_names else DUMMY_KEY
    connection = _Connection(f"{url}/v1", model, context, key, bool(key_names))
    return tuple(build(connection) for build in _BUILDERS)


def key_hint(key_names: Sequence[str]) -> str:
    """Return what to put in the place of a key, by name."""
    first, *others = key_names
    also = f", or with one of: {', '.join(others)}" if others else ""
    return f"replace {_KEY_PLACEHOLDER}{first} with the access key '{first}' from your settings{also}."


def _open_webui(connection: _Connection) -> ClientSetting:
    where = "Admin Settings > Connections > OpenAI API > +"
    return ClientSetting("Open WebUI", where, f"URL: {connection.base}\nKey: {connection.key}")


def _cline(connection: _Connection) -> ClientSetting:
    text = (
        f"API Provider: OpenAI Compatible\nBase URL: {connection.base}\nAPI Key: {connection.key}\n"
        f"Model ID: {connection.model}\nContext Window Size: {connection.context}"
    )
    return ClientSetting("Cline", "Settings > API Configuration", text)


def _continue(connection: _Connection) -> ClientSetting:
    name = json.dumps(connection.model)  # quoted, it is YAML whatever the name
    text = (
        f"models:\n  - name: {name}\n    provider: openai\n    model: {name}\n    apiBase: {connection.base}\n"
        f"    apiKey: {connection.key}\n    defaultCompletionOptions:\n      contextLength: {connection.context}"
    )
    return ClientSetting("Continue", "~/.continue/config.yaml", text)


def _aider(connection: _Connection) -> ClientSetting:
    model = shlex.quote(f"openai/{connection.model}")
    text = f"OPENAI_API_BASE={connection.base} OPENAI_API_KEY={connection.key} aider --model {model}"
    return ClientSetting("Aider", "in a terminal", text)


def _zed(connection: _Connection) -> ClientSetting:
    available = [
        {"name": connection.model, "display_name": connection.model, "max_tokens": connection.context}
    ]
    provider = {"gglib": {"api_url": connection.base, "available_models": available}}
    text = json.dumps({"language_models": {"openai_compatible": provider}}, indent=2)
    return ClientSetting("Zed", f"settings.json; the key it asks for: {connection.key}", text)


def _openai_sdk(connection: _Connection) -> ClientSetting:
    model = json.dumps(connection.model)
    text = (
        "from openai import OpenAI\n"
        f'client = OpenAI(base_url="{connection.base}", api_key="{connection.key}")\n'
        f'client.chat.completions.create(model={model}, messages=[{{"role": "user", "content": "Hi"}}])'
    )
    return ClientSetting("OpenAI SDK", "in Python", text)


def _curl(connection: _Connection) -> ClientSetting:
    body = json.dumps({"model": connection.model, "messages": [{"role": "user", "content": "Hi"}]})
    key = f" -H 'Authorization: Bearer {connection.key}'" if connection.is_key_needed else ""
    url = shlex.quote(f"{connection.base}/chat/completions")
    text = f"curl {url}{key} -H 'Content-Type: application/json' -d {shlex.quote(body)}"
    return ClientSetting("curl", "in a terminal", text)


_BUILDERS: tuple[Callable[[_Connection], ClientSetting], ...] = (
    _open_webui,
    _cline,
    _continue,
    _aider,
    _zed,
    _openai_sdk,
    _curl,
)
