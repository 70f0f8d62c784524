"""Renders the settings of common clients for this server, without access keys. Pure."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gglib.core.api_keys import ApiKey
from gglib.core.models import ModelSummary
from gglib.proxy.access.model_filter import ModelFilter

DUMMY_KEY = "gglib"
"""Most clients require a key; a gglib without keys accepts any."""
_KEY_PLACEHOLDER = "KEY_OF_"
"""Placeholder of a key, followed by the key's name; safe in a shell, in JSON, YAML and Python."""


@dataclass(frozen=True, slots=True)
class _Connection:
    """The values in the texts: base URL, model, its context in tokens, and a dummy key or placeholder."""

    base: str
    model: str
    context: int
    key: str
    is_key_needed: bool


@dataclass(frozen=True, slots=True)
class ClientSetting:
    """The settings of one client, and where to enter them."""

    client: str
    where: str
    text: str


def client_settings(
    url: str, model: str, context: int, *, key_names: Sequence[str] = ()
) -> tuple[ClientSetting, ...]:
    """Return the settings for each client, for a proxy at ``url``, a model and its context in tokens.

    ``key_names`` are the names of the accepted keys; the first is used for the placeholder (see ``key_hint``).
    """
    key = _KEY_PLACEHOLDER + key_names[0] if key_names else DUMMY_KEY
    connection = _Connection(f"{url}/v1", model, context, key, bool(key_names))
    return tuple(build(connection) for build in _BUILDERS)


def key_names_for(keys: Mapping[str, ApiKey], model: ModelSummary) -> tuple[str, ...]:
    """Return the names of the keys that may use a model; all names if none of them may."""
    names = tuple(name for name, key in keys.items() if ModelFilter(key.models).allows(model))
    return names or tuple(keys)


def key_hint(key_names: Sequence[str]) -> str:
    """Return the instruction to replace the placeholder, with the names of the keys."""
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
    name = json.dumps(connection.model)  # JSON quoting makes any name valid YAML
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
