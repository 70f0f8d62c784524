"""Names of client programs; the user agents are those that the programs were observed to send."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.proxy.telemetry.programs import MAX_PROGRAM_CHARS, MAX_PROGRAMS_PER_DAY, ProgramNames, program_name

USER_AGENTS = [
    ("OpenAI/Python 3.3.0", "openai-python"),
    ("AsyncOpenAI/Python 3.57.0", "openai-python"),
    ("OpenAI/JS 6.49.0", "openai-js"),
    ("Anthropic/Python 2.14.0", "anthropic-python"),
    ("Anthropic/JS 0.91.1", "anthropic-js"),
    ("claude-cli/2.1.197 (external, cli)", "claude-code"),
    ("ollama-python/0.6.3 (x86_64 linux) Python/3.11.2", "ollama-python"),
    ("ollama-js/0.6.4 (x64 linux) Node.js/v22.1.0", "ollama-js"),
    ("ollama/0.12.3 (amd64 linux) Go/go1.24", "ollama"),
    ("ai/6.0.326 ai-sdk/provider-utils/4.0.65 runtime/node.js/v22", "ai-sdk"),
    ("ai-sdk/openai-compatible/2.0.92 ai-sdk/provider-utils/4.0.3", "ai-sdk"),
    ("opencode/1.18.33 ai-sdk/provider-utils/4.0.1", "opencode"),
    ("codex_exec/0.171.0 (Debian 12.0.0; x86_64) unknown", "codex"),
    ("codex_cli_rs/0.50.0", "codex"),
    ("QwenCode/0.15.10 (linux; x64)", "qwen-code"),
    ("Agents/Python 0.24.0", "openai-agents-python"),
    ("agent-framework-python/1.23.0", "agent-framework-python"),
    ("ls/JS 5.23.2", "langchain-js"),
    ("litellm/1.110.2", "litellm"),
    ("pydantic-ai/2.38.0", "pydantic-ai"),
    ("lm15/stdlib", "lm15"),
    ("Python/3.11 aiohttp/3.14.5", "python"),
    ("python-requests/2.32.3", "python-requests"),
    ("Zed/0.210.4 (linux; x86_64)", "zed"),
    ("curl/7.88.1", "curl"),
    ("Bun/1.4.0", "bun"),
    ("node", "node"),
    ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "browser"),
    ("gglib/0.9.1", "gglib"),
    ("Cline/3.2.0", "cline"),
    ("aider/0.86", "aider"),
]


@pytest.mark.parametrize(("user_agent", "name"), USER_AGENTS)
def test_the_name_of_a_program(user_agent: str, name: str) -> None:
    """The first product, or the name that users know."""
    assert program_name(user_agent.encode()) == name


@pytest.mark.parametrize(
    "user_agent",
    [
        None,
        b"",
        b"   ",
        b"(only a comment)",
        "Ünicode/1.0".encode(),
        b"sk-proj-abcDEF",
        b"Bearer sk-abc",
        b"hf_abcdefgh",
        b"deadbeefdeadbeefdeadbeef/1.0",
        b"AbCdEfGhIjKlMnOpQrStUvWxYz0123",
        b"a\x00b/1.0",
        b'{"prompt":"x"}',
        b"---",
    ],
)
def test_what_is_no_name(user_agent: bytes | None) -> None:
    """Nothing that could be a secret is stored."""
    assert program_name(user_agent) is None


@given(st.binary(max_size=400))
def test_a_name_has_few_characters(user_agent: bytes) -> None:
    """Whatever a client sends: the name breaks no line, no table and no label."""
    name = program_name(user_agent)
    assert name is None or re.fullmatch(rf"[a-z0-9._-]{{1,{MAX_PROGRAM_CHARS}}}", name)


def test_the_names_of_a_day_are_bounded() -> None:
    """Further ones are recorded as ``other``, except those of well-known programs; the next day begins anew."""
    names, now_s = ProgramNames(), 1_795_503_871.0
    given = [f"program-{number}" for number in range(MAX_PROGRAMS_PER_DAY + 1)]
    assert [names.recorded(name, now_s) for name in given] == [*given[:-1], "other"]
    assert names.recorded(given[0], now_s) == given[0]
    assert names.recorded("openai-python", now_s) == "openai-python"
    assert names.recorded(None, now_s) is None
    assert names.recorded(given[-1], now_s + 86_400) == given[-1]
