"""Command-line agents, each run once with a prompt in a home of its own: ``VARIANT`` names the agent.

Runs with the interpreter of the tests: standard library only. An agent streams and sends its own tools, so that one run
covers both.
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cases import CHAT, HELLO, SMALL, UNKNOWN, URL, VARIANT, check, run, two_at_once

LONG = os.environ.get("LONG", "")
LONG_CONTEXT, SMALL_CONTEXT = 200_000, 2048
BINARIES = Path(os.environ.get("BINARIES", ""))
RUN_S = float(os.environ.get("AGENT_LIMIT_S", "75"))
V1 = f"{URL}/v1"
AIDER_OFFLINE = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
AIDER_CACHE = {".aider/caches/model_prices_and_context_window.json": {"none": {}}}
"""Aider and its library fetch a list of prices at each start, and wait for it where there is no network."""
OVERFLOW_WORDS = ("context", "too long", "too large", "exceed", "token limit", "maximum")


@dataclass(frozen=True, slots=True)
class Agent:
    """How an agent is run with a model: argv, variables and files by their path in the home."""

    command: Callable[[str], list[str]]
    variables: Callable[[str], Mapping[str, str]] = field(default=lambda _: {})
    files: Callable[[str], Mapping[str, object]] = field(default=lambda _: {})
    success: str = ""
    """In the output of a run that worked, beside exit code 0."""
    own_error: str = ""
    """What the agent says of an unknown model in place of the server's message."""
    own_overflow: str = ""
    """What the agent says when it has understood that the context is full, and compacts the conversation."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A finished run; ``code`` is None if the agent did not end in time."""

    code: int | None
    output: str

    def __str__(self) -> str:
        """Return the exit code and the end of the output."""
        return f"exit code {self.code}: …{self.output[-400:]}"


def context_of(model: str) -> int:
    return SMALL_CONTEXT if model == SMALL else LONG_CONTEXT


def pi(api: str) -> Agent:
    return Agent(
        command=pi_command,
        files=pi_config(api),
        success='"stopReason":"stop"',
        own_overflow='"reason":"overflow"',
    )


def claude_variables(model: str) -> Mapping[str, str]:
    roles = ("ANTHROPIC_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL", "ANTHROPIC_SMALL_FAST_MODEL")
    return {
        "ANTHROPIC_BASE_URL": URL,
        "ANTHROPIC_AUTH_TOKEN": "none",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "1024",
        **dict.fromkeys(roles, model),
    }


def codex_config(model: str) -> str:
    return f"""\
model = "{model}"
model_provider = "gglib"
model_context_window = {context_of(model)}

[model_providers.gglib]
name = "gglib"
base_url = "{V1}"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
"""


def opencode_config(model: str) -> str:
    limits = {"context": context_of(model), "output": 1024}
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "gglib",
        "options": {"baseURL": V1, "apiKey": "none"},
        "models": {model: {"name": model, "limit": limits}},
    }
    name = f"gglib/{model}"
    return json.dumps(
        {
            "provider": {"gglib": provider},
            "model": name,
            "small_model": name,
            "share": "disabled",
            "autoupdate": False,
        }
    )


def pi_config(api: str) -> Callable[[str], Mapping[str, object]]:
    def files(model: str) -> Mapping[str, object]:
        entry = {"id": model, "contextWindow": context_of(model), "maxTokens": 1024}
        base = URL if api == "anthropic-messages" else V1
        provider = {"baseUrl": base, "api": api, "apiKey": "none", "models": [entry]}
        return {".pi/agent/models.json": {"providers": {"gglib": provider}}}

    return files


def cline_config(model: str) -> Mapping[str, object]:
    settings = {
        "provider": "openai-compatible",
        "model": model,
        "baseUrl": V1,
        "apiKey": "none",
        "contextWindow": context_of(model),
        "maxTokens": 1024,
    }
    entry = {"settings": settings, "updatedAt": "2026-01-01T00:00:00.000Z", "tokenSource": "manual"}
    return {
        ".cline/data/settings/providers.json": {
            "version": 1,
            "lastUsedProvider": "openai-compatible",
            "modes": {},
            "providers": {"openai-compatible": entry},
        }
    }


def continue_config(provider: str, base: str) -> Callable[[str], Mapping[str, object]]:
    def files(model: str) -> Mapping[str, object]:
        entry = {
            "name": model,
            "provider": provider,
            "model": model,
            "apiBase": base,
            "apiKey": "none",
            "roles": ["chat"],
            "defaultCompletionOptions": {"contextLength": context_of(model), "maxTokens": 1024},
        }
        # JSON is YAML.
        return {"config.yaml": {"name": "gglib", "version": "1.0.0", "schema": "v1", "models": [entry]}}

    return files


def aider_command(route: str) -> Callable[[str], list[str]]:
    def command(model: str) -> list[str]:
        quiet = (
            "--no-git",
            "--yes-always",
            "--no-check-update",
            "--no-show-model-warnings",
            "--analytics-disable",
        )
        calm = (
            "--no-auto-commits",
            "--map-tokens",
            "0",
            "--no-pretty",
            "--no-detect-urls",
            "--no-show-release-notes",
        )
        return ["aider", *quiet, *calm, "--model", f"{route}/{model}", "--message", HELLO]

    return command


def continue_command(model: str) -> list[str]:
    del model
    return ["cn", "-p", "--config", "config.yaml", HELLO]


def pi_command(model: str) -> list[str]:
    # In its text mode it ends with code 0 and says nothing, whatever happens.
    return [
        "pi",
        "-p",
        "--mode",
        "json",
        "--offline",
        "--no-session",
        "--provider",
        "gglib",
        "--model",
        model,
        HELLO,
    ]


AGENTS = {
    "claude-code": Agent(
        command=lambda model: ["claude", "-p", "--model", model, HELLO],
        variables=claude_variables,
        own_error="issue with the selected model",
    ),
    "codex": Agent(
        command=lambda model: [
            "codex",
            "exec",
            "--skip-git-repo-check",
            "-s",
            "read-only",
            "-m",
            model,
            HELLO,
        ],
        files=lambda model: {".codex/config.toml": codex_config(model)},
    ),
    "opencode": Agent(
        command=lambda model: ["opencode", "run", "--pure", "-m", f"gglib/{model}", HELLO],
        variables=lambda model: {"OPENCODE_CONFIG_CONTENT": opencode_config(model)},
    ),
    "qwen-code": Agent(
        command=lambda model: ["qwen", "--auth-type", "openai", "--model", model, "-p", HELLO],
        variables=lambda model: {
            "OPENAI_BASE_URL": V1,
            "OPENAI_API_KEY": "none",
            "OPENAI_MODEL": model,
            "QWEN_CODE_MAX_OUTPUT_TOKENS": "1024",
        },
    ),
    "pi-chat": pi("openai-completions"),
    "pi-responses": pi("openai-responses"),
    "pi-anthropic": pi("anthropic-messages"),
    "cline": Agent(
        command=lambda model: ["cline", "-P", "openai-compatible", "-m", model, "--retries", "1", HELLO],
        files=cline_config,
    ),
    "continue-openai": Agent(command=continue_command, files=continue_config("openai", V1)),
    "continue-ollama": Agent(command=continue_command, files=continue_config("ollama", URL)),
    "aider-openai": Agent(
        command=aider_command("openai"),
        variables=lambda _: {"OPENAI_API_BASE": V1, "OPENAI_API_KEY": "none", **AIDER_OFFLINE},
        files=lambda _: AIDER_CACHE,
    ),
    "aider-ollama": Agent(
        command=aider_command("ollama_chat"),
        variables=lambda _: {"OLLAMA_API_BASE": URL, **AIDER_OFFLINE},
        files=lambda _: AIDER_CACHE,
    ),
}


def run_agent(model: str) -> Ended:
    """Run the agent in a fresh home and a fresh folder; its whole process group ends with it."""
    agent = AGENTS[VARIANT]
    home = Path(tempfile.mkdtemp(prefix="agent-"))
    for name, content in agent.files(model).items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    name, *arguments = agent.command(model)
    environment = {
        "PATH": f"{BINARIES}:{os.environ['PATH']}",
        "HOME": str(home),
        "TERM": "dumb",
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        "CI": "1",
        **agent.variables(model),
    }
    try:
        return ended([str(BINARIES / name), *arguments], environment, home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def ended(command: list[str], environment: Mapping[str, str], home: Path) -> Ended:
    output = home / "output.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code: int | None = process.wait(RUN_S)
        except subprocess.TimeoutExpired:
            code = None
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return Ended(code, output.read_text(errors="replace"))


def plain() -> None:
    check_success(run_agent(LONG))


def check_success(result: Ended) -> None:
    check(result.code == 0 and result.output.strip(), result)
    check(AGENTS[VARIANT].success in result.output, result)


def error() -> None:
    result = run_agent(UNKNOWN)
    check(result.code is not None, f"does not end: {result}")
    said = AGENTS[VARIANT].own_error or CHAT
    check(said in result.output, f"without {said!r}: {result}")


def overflow() -> None:
    result = run_agent(SMALL)
    check(result.code is not None, f"does not end: {result}")
    own = AGENTS[VARIANT].own_overflow
    words = (own,) if own else OVERFLOW_WORDS
    check(any(word in result.output.lower() for word in words), f"silent: {result}")


def parallel() -> None:
    def ask() -> str:
        result = run_agent(LONG)
        check_success(result)
        return result.output.strip()

    two_at_once(ask)


run({"plain": plain, "error": error, "overflow": overflow, "parallel": parallel})
