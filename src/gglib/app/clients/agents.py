"""Agents for terminals, and how ``gglib launch`` starts them. Pure.

Each was run with gglib in the version that its entry names: the request arrived with this model, key and limit.
"""

import json
from pathlib import Path

from gglib.app.clients.client import (
    DUMMY_KEY,
    Client,
    ConfigFile,
    ConfigFormat,
    Connection,
    Kind,
    Launch,
    Places,
    Program,
    Settings,
    Verified,
)
from gglib.app.clients.entries import (
    KEY_VARIABLE,
    PROVIDER,
    RUN_ON,
    command,
    config_settings,
    launch_file,
)
from gglib.app.clients.merged_values import with_defaults
from gglib.app.clients.snippets import exports, toml_value


def _claude_variables(connection: Connection) -> dict[str, str]:
    """Return the variables for one model in all roles.

    Claude Code applies ``CLAUDE_CODE_MAX_CONTEXT_TOKENS`` to models whose names do not begin with ``claude-``. The
    attribution header is a line of the system prompt that changes with each request and defeats the prompt cache.
    """
    return {
        "ANTHROPIC_BASE_URL": connection.url,
        "ANTHROPIC_MODEL": connection.model,
        "ANTHROPIC_DEFAULT_OPUS_MODEL": connection.model,
        "ANTHROPIC_DEFAULT_SONNET_MODEL": connection.model,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": connection.model,
        "ANTHROPIC_SMALL_FAST_MODEL": connection.model,
        "CLAUDE_CODE_MAX_CONTEXT_TOKENS": str(connection.context),
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": str(connection.max_output),
        "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
    }


def _claude_settings(connection: Connection, places: Places) -> Settings:
    variables = _claude_variables(connection)
    values: dict[str, object] = {"env": variables}
    if connection.key is None:
        values["env"] = {**variables, "ANTHROPIC_AUTH_TOKEN": connection.pasted_key}
    else:
        values["apiKeyHelper"] = f"printenv {connection.key.variable}"
    return Settings(
        where="in a terminal",
        text=exports(variables, {"ANTHROPIC_AUTH_TOKEN": connection.key_as("$%s")}),
        file=ConfigFile(
            path=places.directory("CLAUDE_CONFIG_DIR", ".claude") / "settings.json",
            format=ConfigFormat.JSON,
            values=values,
        ),
        start="claude",
    )


def _claude_launch(connection: Connection, directory: Path) -> Launch:
    del directory
    return Launch(
        environment=_claude_variables(connection),
        key_variables=("ANTHROPIC_AUTH_TOKEN",),
        removed=(
            *("ANTHROPIC_API_KEY", "ANTHROPIC_UNIX_SOCKET"),
            *("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY"),
        ),
    )


def _codex_values(connection: Connection, variable: str | None) -> dict[str, object]:
    provider = {"name": PROVIDER, "base_url": connection.base, "wire_api": "responses"}
    if variable is not None:
        provider["env_key"] = variable
    return {
        "model": connection.model,
        "model_provider": PROVIDER,
        "model_context_window": connection.context,
        "model_providers": {PROVIDER: provider},
    }


def _codex_settings(connection: Connection, places: Places) -> Settings:
    """Return a profile: a file of its own, which Codex reads over the user's ``config.toml``."""
    file = ConfigFile(
        path=places.directory("CODEX_HOME", ".codex") / f"{PROVIDER}.config.toml",
        format=ConfigFormat.TOML,
        values=_codex_values(connection, None if connection.key is None else connection.key.variable),
    )
    return config_settings(file, start=f"codex --profile {PROVIDER}")


def _codex_launch(connection: Connection, directory: Path) -> Launch:
    del directory
    values = _codex_values(connection, KEY_VARIABLE)
    overrides = (f"{name}={toml_value(value)}" for name, value in _flat(values))
    return Launch(
        key_variables=(KEY_VARIABLE,),
        arguments=tuple(word for override in overrides for word in ("-c", override)),
    )


def _flat(values: dict[str, object], prefix: str = "") -> list[tuple[str, object]]:
    """Return the values of nested tables by their dotted names."""
    flat: list[tuple[str, object]] = []
    for name, value in values.items():
        flat += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return flat


def _opencode_provider(connection: Connection, key: str) -> dict[str, object]:
    limit = {"context": connection.context, "output": connection.max_output}
    return {
        "npm": "@ai-sdk/openai-compatible",
        "name": PROVIDER,
        "options": {"baseURL": connection.base, "apiKey": key},
        "models": {connection.model: {"name": connection.model, "limit": limit}},
    }


def _opencode_settings(connection: Connection, places: Places) -> Settings:
    named = places.environ.get("OPENCODE_CONFIG")
    path = Path(named) if named else places.config / "opencode" / "opencode.json"
    provider = _opencode_provider(connection, connection.key_as("{env:%s}"))
    file = ConfigFile(path=path, format=ConfigFormat.JSON, values={"provider": {PROVIDER: provider}})
    return config_settings(file, start=command("opencode", "--model", f"{PROVIDER}/{connection.model}"))


def _opencode_launch(connection: Connection, directory: Path) -> Launch:
    """Return a configuration in a variable, which opencode merges with the user's files."""
    del directory
    model = f"{PROVIDER}/{connection.model}"
    provider = _opencode_provider(connection, f"{{env:{KEY_VARIABLE}}}")
    config = {"provider": {PROVIDER: provider}, "model": model, "small_model": model}
    return Launch(environment={"OPENCODE_CONFIG_CONTENT": json.dumps(config)}, key_variables=(KEY_VARIABLE,))


def _qwen_settings(connection: Connection, places: Places) -> Settings:
    model: dict[str, object] = {
        "id": connection.model,
        "name": f"{connection.model} ({PROVIDER})",
        "baseUrl": connection.base,
        "envKey": "OPENAI_API_KEY" if connection.key is None else connection.key.variable,
        "generationConfig": {"contextWindowSize": connection.context},
    }
    file = ConfigFile(
        path=places.directory("QWEN_HOME", ".qwen") / "settings.json",
        format=ConfigFormat.JSON,
        values={"modelProviders": {"openai": [model]}},
        identity=("id", "baseUrl"),
    )
    start = command("qwen", "--auth-type", "openai", "--model", connection.model)
    return config_settings(file, start=start if connection.key else f"OPENAI_API_KEY={DUMMY_KEY} {start}")


def _qwen_launch(connection: Connection, directory: Path) -> Launch:
    """Return variables, and the context as a default of the system, which the user's settings override."""
    defaults = {"model": {"generationConfig": {"contextWindowSize": connection.context}}}
    file = launch_file(directory, "qwen", ".json", json.dumps(defaults))
    return Launch(
        environment={
            "OPENAI_BASE_URL": connection.base,
            "OPENAI_MODEL": connection.model,
            "QWEN_CODE_MAX_OUTPUT_TOKENS": str(connection.max_output),
            "QWEN_CODE_SYSTEM_DEFAULTS_PATH": str(file.path),
        },
        key_variables=("OPENAI_API_KEY",),
        arguments=("--auth-type", "openai", "--model", connection.model),
        files=(file,),
    )


def _pi_model(connection: Connection) -> dict[str, object]:
    return {
        "id": connection.model,
        "contextWindow": connection.context,
        "maxTokens": connection.max_output,
        "compat": {"supportsDeveloperRole": False, "supportsReasoningEffort": False},
    }


def _pi_provider(connection: Connection, key: str, model: dict[str, object]) -> dict[str, object]:
    """Return the provider; ``key`` is the name of a variable, or the key itself if no variable has this name."""
    return {
        "baseUrl": connection.base,
        "api": "openai-completions",
        "apiKey": key,
        "models": [model],
    }


def _pi_settings(connection: Connection, places: Places) -> Settings:
    provider = _pi_provider(connection, connection.key_as("%s"), _pi_model(connection))
    file = ConfigFile(
        path=places.directory("PI_CODING_AGENT_DIR", ".pi", "agent") / "models.json",
        format=ConfigFormat.JSON,
        values={"providers": {PROVIDER: provider}},
        identity=("id",),
    )
    start = command("pi", "--provider", PROVIDER, "--model", connection.model)
    return config_settings(file, start=start)


def _pi_launch(connection: Connection, directory: Path) -> Launch:
    """Return an extension that registers the provider: the directory of the user's agent stays in use.

    An extension has to state what ``models.json`` has defaults for.
    """
    model = _pi_model(connection) | {
        "name": connection.model,
        "reasoning": False,
        "input": ["text"],
        "cost": dict.fromkeys(("input", "output", "cacheRead", "cacheWrite"), 0),
    }
    provider = _pi_provider(connection, KEY_VARIABLE, model)
    call = f"pi.registerProvider({json.dumps(PROVIDER)}, {json.dumps(provider)})"
    file = launch_file(directory, "pi", ".ts", f"export default (pi) => {call};\n")
    return Launch(
        key_variables=(KEY_VARIABLE,),
        arguments=("--extension", str(file.path), "--provider", PROVIDER, "--model", connection.model),
        files=(file,),
    )


_CLINE = "openai-compatible"
"""Cline's name of the provider."""
_CLINE_DEFAULTS: dict[str, object] = {
    "version": 1,
    "lastUsedProvider": _CLINE,
    "modes": {},
    "providers": {_CLINE: {"updatedAt": "2026-01-01T00:00:00.000Z", "tokenSource": "manual"}},
}
"""What Cline requires in the file; it ignores a provider without a time."""


def _cline_values(connection: Connection, *, key: str | None) -> dict[str, object]:
    settings: dict[str, object] = {
        "provider": _CLINE,
        "model": connection.model,
        "baseUrl": connection.base,
        "contextWindow": connection.context,
        "maxTokens": connection.max_output,
    }
    if key is not None:
        settings["apiKey"] = key
    return {"providers": {_CLINE: {"settings": settings}}}


def _cline_settings(connection: Connection, places: Places) -> Settings:
    named = places.environ.get("CLINE_PROVIDER_SETTINGS_PATH")
    data = places.directory("CLINE_DATA_DIR", ".cline", "data")
    file = ConfigFile(
        path=Path(named) if named else data / "settings" / "providers.json",
        format=ConfigFormat.JSON,
        values=_cline_values(connection, key=None if connection.key else connection.pasted_key),
        defaults=_CLINE_DEFAULTS,
    )
    start = command("cline", "-P", _CLINE, "-m", connection.model)
    if connection.key:
        start = f'OPENAI_API_KEY="${connection.key.variable}" {start}'
    return config_settings(file, start=start)


def _cline_launch(connection: Connection, directory: Path) -> Launch:
    """Return a file of providers in place of the user's; sessions, rules and MCP servers stay the user's."""
    values = with_defaults(_cline_values(connection, key=None), _CLINE_DEFAULTS)
    file = launch_file(directory, "cline", ".json", json.dumps(values))
    return Launch(
        environment={"CLINE_PROVIDER_SETTINGS_PATH": str(file.path)},
        key_variables=("OPENAI_API_KEY",),
        arguments=("-P", _CLINE, "-m", connection.model),
        files=(file,),
    )


AGENTS = (
    Client(
        name="claude",
        title="Claude Code",
        kind=Kind.PROGRAM,
        speaks=("anthropic",),
        how="environment, or settings.json",
        settings=_claude_settings,
        program=Program(
            executable="claude",
            install="npm install -g @anthropic-ai/claude-code",
            launch=_claude_launch,
            prompt_tokens=18_000,
        ),
        verified=Verified(version="2.1.197", date=RUN_ON),
    ),
    Client(
        name="codex",
        title="Codex",
        kind=Kind.PROGRAM,
        speaks=("responses",),
        how="arguments, or a profile",
        settings=_codex_settings,
        program=Program(
            executable="codex",
            install="npm install -g @openai/codex",
            launch=_codex_launch,
            prompt_tokens=8_500,
        ),
        verified=Verified(version="0.171.0", date=RUN_ON),
    ),
    Client(
        name="opencode",
        title="opencode",
        kind=Kind.PROGRAM,
        speaks=("openai",),
        how="environment, or opencode.json",
        settings=_opencode_settings,
        program=Program(
            executable="opencode",
            install="npm install -g opencode-ai",
            launch=_opencode_launch,
            prompt_tokens=6_500,
        ),
        verified=Verified(version="1.18.33", date=RUN_ON),
    ),
    Client(
        name="qwen",
        title="Qwen Code",
        kind=Kind.PROGRAM,
        speaks=("openai",),
        how="environment, or settings.json",
        settings=_qwen_settings,
        program=Program(
            executable="qwen",
            install="npm install -g @qwen-code/qwen-code",
            launch=_qwen_launch,
            prompt_tokens=14_000,
        ),
        verified=Verified(version="0.15.10", date=RUN_ON),
    ),
    Client(
        name="pi",
        title="pi",
        kind=Kind.PROGRAM,
        speaks=("openai",),
        how="an extension, or models.json",
        settings=_pi_settings,
        program=Program(
            executable="pi",
            install="npm install -g @mariozechner/pi-coding-agent",
            launch=_pi_launch,
            prompt_tokens=1_200,
        ),
        verified=Verified(version="0.73.1", date=RUN_ON),
    ),
    Client(
        name="cline",
        title="Cline CLI",
        kind=Kind.PROGRAM,
        speaks=("openai",),
        how="providers.json",
        settings=_cline_settings,
        program=Program(
            executable="cline",
            install="npm install -g cline",
            launch=_cline_launch,
            prompt_tokens=4_600,
        ),
        verified=Verified(version="3.0.65", date=RUN_ON),
    ),
)
