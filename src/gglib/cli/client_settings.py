"""What to paste into a client so that it talks to gglib. Pure text; one entry a client. It is never told a key."""

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ANY_KEY = "gglib"
"""Most clients insist on a key; a gglib without keys takes any."""
_PLACE = "KEY_OF_"
"""Stands where a key has to be put, with the key's name after it; harmless in a shell, in JSON, YAML and Python."""


@dataclass(frozen=True, slots=True)
class _Facts:
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

    ``key_names`` are the names of the keys that it accepts; the first one is shown, as ``key_sentence`` explains.
    """
    key = _PLACE + key_names[0] if key_names else ANY_KEY
    facts = _Facts(f"{url}/v1", model, context, key, bool(key_names))
    return tuple(build(facts) for build in _BUILDERS)


def key_sentence(key_names: Sequence[str]) -> str:
    """Return what to put in the place of a key, by name."""
    first, *others = key_names
    also = f", or one of: {', '.join(others)}" if others else ""
    return f"where {_PLACE}{first} stands, put the key that is called '{first}' in your settings{also}."


def _open_webui(facts: _Facts) -> ClientSetting:
    where = "Admin Settings > Connections > OpenAI API > +"
    return ClientSetting("Open WebUI", where, f"URL: {facts.base}\nKey: {facts.key}")


def _cline(facts: _Facts) -> ClientSetting:
    text = (
        f"API Provider: OpenAI Compatible\nBase URL: {facts.base}\nAPI Key: {facts.key}\n"
        f"Model ID: {facts.model}\nContext Window Size: {facts.context}"
    )
    return ClientSetting("Cline", "Settings > API Configuration", text)


def _continue(facts: _Facts) -> ClientSetting:
    name = json.dumps(facts.model)  # quoted, it is YAML whatever the name
    text = (
        f"models:\n  - name: {name}\n    provider: openai\n    model: {name}\n    apiBase: {facts.base}\n"
        f"    apiKey: {facts.key}\n    defaultCompletionOptions:\n      contextLength: {facts.context}"
    )
    return ClientSetting("Continue", "~/.continue/config.yaml", text)


def _aider(facts: _Facts) -> ClientSetting:
    model = shlex.quote(f"openai/{facts.model}")
    text = f"OPENAI_API_BASE={facts.base} OPENAI_API_KEY={facts.key} aider --model {model}"
    return ClientSetting("Aider", "in a terminal", text)


def _zed(facts: _Facts) -> ClientSetting:
    available = [{"name": facts.model, "display_name": facts.model, "max_tokens": facts.context}]
    provider = {"gglib": {"api_url": facts.base, "available_models": available}}
    text = json.dumps({"language_models": {"openai_compatible": provider}}, indent=2)
    return ClientSetting("Zed", f"settings.json; the key it asks for: {facts.key}", text)


def _openai_sdk(facts: _Facts) -> ClientSetting:
    model = json.dumps(facts.model)
    text = (
        "from openai import OpenAI\n"
        f'client = OpenAI(base_url="{facts.base}", api_key="{facts.key}")\n'
        f'client.chat.completions.create(model={model}, messages=[{{"role": "user", "content": "Hi"}}])'
    )
    return ClientSetting("OpenAI SDK", "in Python", text)


def _curl(facts: _Facts) -> ClientSetting:
    body = json.dumps({"model": facts.model, "messages": [{"role": "user", "content": "Hi"}]})
    key = f" -H 'Authorization: Bearer {facts.key}'" if facts.is_key_needed else ""
    url = shlex.quote(f"{facts.base}/chat/completions")
    text = f"curl {url}{key} -H 'Content-Type: application/json' -d {shlex.quote(body)}"
    return ClientSetting("curl", "in a terminal", text)


_BUILDERS: tuple[Callable[[_Facts], ClientSetting], ...] = (
    _open_webui,
    _cline,
    _continue,
    _aider,
    _zed,
    _openai_sdk,
    _curl,
)
