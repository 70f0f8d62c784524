"""What to paste into a client so that it talks to gglib. Pure text; one entry a client."""

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass

ANY_KEY = "gglib"
"""Most clients insist on a key; gglib takes any."""


@dataclass(frozen=True, slots=True)
class ClientSetting:
    """What one client needs."""

    client: str
    where: str
    text: str


def client_settings(url: str, model: str, context: int) -> tuple[ClientSetting, ...]:
    """Return the settings for each client, for a proxy at ``url``, a model and its context in tokens."""
    base = f"{url}/v1"
    return tuple(build(base, model, context) for build in _BUILDERS)


def _open_webui(base: str, _model: str, _context: int) -> ClientSetting:
    where = "Admin Settings > Connections > OpenAI API > +"
    return ClientSetting("Open WebUI", where, f"URL: {base}\nKey: {ANY_KEY}")


def _cline(base: str, model: str, context: int) -> ClientSetting:
    text = (
        f"API Provider: OpenAI Compatible\nBase URL: {base}\nAPI Key: {ANY_KEY}\n"
        f"Model ID: {model}\nContext Window Size: {context}"
    )
    return ClientSetting("Cline", "Settings > API Configuration", text)


def _continue(base: str, model: str, context: int) -> ClientSetting:
    name = json.dumps(model)  # quoted, it is YAML whatever the name
    text = (
        f"models:\n  - name: {name}\n    provider: openai\n    model: {name}\n    apiBase: {base}\n"
        f"    apiKey: {ANY_KEY}\n    defaultCompletionOptions:\n      contextLength: {context}"
    )
    return ClientSetting("Continue", "~/.continue/config.yaml", text)


def _aider(base: str, model: str, _context: int) -> ClientSetting:
    text = f"OPENAI_API_BASE={base} OPENAI_API_KEY={ANY_KEY} aider --model {shlex.quote('openai/' + model)}"
    return ClientSetting("Aider", "in a terminal", text)


def _zed(base: str, model: str, context: int) -> ClientSetting:
    available = [{"name": model, "display_name": model, "max_tokens": context}]
    provider = {"gglib": {"api_url": base, "available_models": available}}
    text = json.dumps({"language_models": {"openai_compatible": provider}}, indent=2)
    return ClientSetting("Zed", f"settings.json; the key it asks for: {ANY_KEY}", text)


def _openai_sdk(base: str, model: str, _context: int) -> ClientSetting:
    text = (
        "from openai import OpenAI\n"
        f'client = OpenAI(base_url="{base}", api_key="{ANY_KEY}")\n'
        f'client.chat.completions.create(model={json.dumps(model)}, messages=[{{"role": "user", "content": "Hi"}}])'
    )
    return ClientSetting("OpenAI SDK", "in Python", text)


def _curl(base: str, model: str, _context: int) -> ClientSetting:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hi"}]})
    text = f"curl {base}/chat/completions -H 'Content-Type: application/json' -d {shlex.quote(body)}"
    return ClientSetting("curl", "in a terminal", text)


_BUILDERS: tuple[Callable[[str, str, int], ClientSetting], ...] = (
    _open_webui,
    _cline,
    _continue,
    _aider,
    _zed,
    _openai_sdk,
    _curl,
)
