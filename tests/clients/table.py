"""The clients: which packages, which program of ``programs/``, which cases. Data only."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.clients.environments import Environment

BASIC = ("plain", "stream", "tools", "error", "overflow", "parallel")
"""What every library is asked for."""
MORE = ("more",)
"""The rest of a library's API: lists of models, embeddings, structured output, counts of tokens."""
FAULTS = ("died", "torn", "stalled", "late_load", "shutdown")
"""Faults in the middle of a response: the official clients have to raise. The last one ends the server."""
AGENT = ("plain", "error", "overflow", "parallel")
"""What every command-line agent is asked for: it streams and offers tools by itself."""
CASES = (*BASIC, *MORE, *FAULTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One row: a client that speaks one dialect."""

    name: str
    dialect: str
    """The API that it speaks: chat, responses, anthropic or ollama."""
    environment: str
    program: str
    """A file of ``programs/``."""
    package: str = ""
    """The package of the environment whose version the row shows; empty: the first one."""
    variant: str = ""
    cases: tuple[str, ...] = BASIC
    not_applicable: Mapping[str, str] = field(default_factory=dict)
    """Cases that the client cannot do, with the reason."""

    @property
    def is_agent(self) -> bool:
        """Whether it is a command-line agent, which runs once for each case."""
        return self.program == "terminal_agents.py"


ENVIRONMENTS = (
    Environment(name="openai-python", installer="pip", packages=("openai==3.57.0",)),
    Environment(name="openai-node", installer="npm", packages=("openai@6.49.0",)),
    Environment(name="anthropic-python", installer="pip", packages=("anthropic==2.14.0",)),
    Environment(name="anthropic-node", installer="npm", packages=("@anthropic-ai/sdk@1.14.0",)),
    Environment(name="ollama-python", installer="pip", packages=("ollama==0.6.3",)),
    Environment(name="ollama-node", installer="npm", packages=("ollama@0.6.4",)),
    Environment(name="claude-code", installer="npm", packages=("@anthropic-ai/claude-code@2.1.197",)),
    Environment(name="codex", installer="npm", packages=("@openai/codex@0.171.0",)),
    Environment(
        name="langchain",
        installer="pip",
        packages=(
            "langchain-openai==1.7.4",
            "langchain-anthropic==1.7.10",
            "langchain-ollama==1.1.0",
        ),
    ),
    Environment(
        name="ai-sdk",
        installer="npm",
        packages=(
            "ai@6.0.326",
            "@ai-sdk/openai@3.0.141",
            "@ai-sdk/openai-compatible@2.0.92",
            "@ai-sdk/anthropic@3.0.140",
            "ollama-ai-provider-v2@3.6.0",
            "zod@4.6.7",
        ),
    ),
    Environment(name="litellm", installer="pip", packages=("litellm==1.110.2",)),
    Environment(
        name="llama-index",
        installer="pip",
        packages=("llama-index-llms-openai-like==0.8.1", "llama-index-llms-ollama==0.11.0"),
    ),
    Environment(
        name="pydantic-ai",
        installer="pip",
        packages=("pydantic-ai-slim[openai,anthropic]==2.38.0", "anthropic==1.10.0"),
    ),
    Environment(name="openai-agents", installer="pip", packages=("openai-agents==0.24.0",)),
    Environment(
        name="agent-framework",
        installer="pip",
        packages=("agent-framework-openai==1.17.0", "agent-framework-ollama==1.0.0b261022"),
    ),
    Environment(name="haystack", installer="pip", packages=("haystack-ai==3.4.1", "ollama-haystack==7.0.2")),
    Environment(
        name="autogen",
        installer="pip",
        packages=("autogen-ext[openai,ollama]==0.7.5", "autogen-agentchat==0.7.5"),
    ),
    Environment(name="llm", installer="pip", packages=("llm==0.36", "llm-ollama==0.19.1")),
    Environment(name="opencode", installer="npm", packages=("opencode-ai@1.18.33",)),
    Environment(name="qwen-code", installer="npm", packages=("@qwen-code/qwen-code@0.15.10",)),
    Environment(name="pi", installer="npm", packages=("@mariozechner/pi-coding-agent@0.73.1",)),
    Environment(name="cline", installer="npm", packages=("cline@3.0.65",)),
    Environment(name="continue", installer="npm", packages=("@continuedev/cli@1.5.47",)),
    Environment(name="aider", installer="pip", packages=("aider-chat==0.86.2",)),
)


def _official(name: str, dialect: str, program: str, variant: str = "") -> Client:
    """Return a row for an official client, which also has to notice faults in the middle of a response."""
    environment = name.removesuffix("-responses")
    return Client(
        name=name,
        dialect=dialect,
        environment=environment,
        program=program,
        variant=variant,
        cases=(*BASIC, *MORE, *FAULTS),
    )


def _library(
    name: str,
    dialect: str,
    environment: str,
    program: str,
    *,
    variant: str = "",
    package: str = "",
    has_more: bool = False,
) -> Client:
    return Client(
        name=name,
        dialect=dialect,
        environment=environment,
        program=program,
        variant=variant,
        package=package,
        cases=(*BASIC, *(MORE if has_more else ())),
    )


def _agent(name: str, dialect: str, environment: str, **not_applicable: str) -> Client:
    return Client(
        name=name,
        dialect=dialect,
        environment=environment,
        program="terminal_agents.py",
        variant=name,
        cases=AGENT,
        not_applicable=not_applicable,
    )


CLIENTS = (
    _official("openai-python", "chat", "openai_python.py"),
    _official("openai-python-responses", "responses", "openai_python.py", "responses"),
    _official("openai-node", "chat", "openai_node.mjs"),
    _official("openai-node-responses", "responses", "openai_node.mjs", "responses"),
    _official("anthropic-python", "anthropic", "anthropic_python.py"),
    _official("anthropic-node", "anthropic", "anthropic_node.mjs"),
    _official("ollama-python", "ollama", "ollama_python.py"),
    _official("ollama-node", "ollama", "ollama_node.mjs"),
    _library(
        "langchain-openai", "chat", "langchain", "langchain_clients.py", variant="openai", has_more=True
    ),
    _library(
        "langchain-anthropic",
        "anthropic",
        "langchain",
        "langchain_clients.py",
        variant="anthropic",
        package="langchain-anthropic",
    ),
    _library(
        "langchain-ollama",
        "ollama",
        "langchain",
        "langchain_clients.py",
        variant="ollama",
        package="langchain-ollama",
        has_more=True,
    ),
    _library(
        "ai-sdk-compatible",
        "chat",
        "ai-sdk",
        "ai_sdk.mjs",
        variant="compatible",
        package="@ai-sdk/openai-compatible",
        has_more=True,
    ),
    _library(
        "ai-sdk-openai",
        "responses",
        "ai-sdk",
        "ai_sdk.mjs",
        variant="responses",
        package="@ai-sdk/openai",
        has_more=True,
    ),
    _library(
        "ai-sdk-anthropic",
        "anthropic",
        "ai-sdk",
        "ai_sdk.mjs",
        variant="anthropic",
        package="@ai-sdk/anthropic",
        has_more=True,
    ),
    _library(
        "ai-sdk-ollama",
        "ollama",
        "ai-sdk",
        "ai_sdk.mjs",
        variant="ollama",
        package="ollama-ai-provider-v2",
        has_more=True,
    ),
    _library("litellm-openai", "chat", "litellm", "litellm_routes.py", variant="openai", has_more=True),
    _library("litellm-anthropic", "anthropic", "litellm", "litellm_routes.py", variant="anthropic"),
    _library(
        "litellm-ollama", "ollama", "litellm", "litellm_routes.py", variant="ollama_chat", has_more=True
    ),
    _library("llama-index-openai", "chat", "llama-index", "llama_index_clients.py", variant="openai"),
    _library(
        "llama-index-ollama",
        "ollama",
        "llama-index",
        "llama_index_clients.py",
        variant="ollama",
        package="llama-index-llms-ollama",
    ),
    _library("pydantic-ai-chat", "chat", "pydantic-ai", "pydantic_ai_agents.py", variant="chat"),
    _library(
        "pydantic-ai-responses", "responses", "pydantic-ai", "pydantic_ai_agents.py", variant="responses"
    ),
    _library(
        "pydantic-ai-anthropic", "anthropic", "pydantic-ai", "pydantic_ai_agents.py", variant="anthropic"
    ),
    _library("openai-agents-chat", "chat", "openai-agents", "openai_agents.py", variant="chat"),
    _library(
        "openai-agents-responses", "responses", "openai-agents", "openai_agents.py", variant="responses"
    ),
    _library("agent-framework-chat", "chat", "agent-framework", "agent_framework_clients.py", variant="chat"),
    _library(
        "agent-framework-responses",
        "responses",
        "agent-framework",
        "agent_framework_clients.py",
        variant="responses",
    ),
    _library(
        "agent-framework-ollama",
        "ollama",
        "agent-framework",
        "agent_framework_clients.py",
        variant="ollama",
        package="agent-framework-ollama",
    ),
    _library("haystack-openai", "chat", "haystack", "haystack_generators.py", variant="openai"),
    _library(
        "haystack-ollama",
        "ollama",
        "haystack",
        "haystack_generators.py",
        variant="ollama",
        package="ollama-haystack",
    ),
    _library("autogen-openai", "chat", "autogen", "autogen_clients.py", variant="openai"),
    _library("autogen-ollama", "ollama", "autogen", "autogen_clients.py", variant="ollama"),
    _library("llm-openai", "chat", "llm", "llm_models.py", variant="openai"),
    _library("llm-ollama", "ollama", "llm", "llm_models.py", variant="ollama", package="llm-ollama"),
    _agent("claude-code", "anthropic", "claude-code"),
    _agent("codex", "responses", "codex"),
    _agent("opencode", "chat", "opencode"),
    _agent("qwen-code", "chat", "qwen-code"),
    _agent("pi-chat", "chat", "pi"),
    _agent("pi-responses", "responses", "pi"),
    _agent("pi-anthropic", "anthropic", "pi"),
    _agent("cline", "chat", "cline"),
    _agent("continue-openai", "chat", "continue"),
    _agent("continue-ollama", "chat", "continue"),
    _agent("aider-openai", "chat", "aider"),
    _agent("aider-ollama", "ollama", "aider"),
)
