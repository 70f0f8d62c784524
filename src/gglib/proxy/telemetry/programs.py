"""The name of a client program, from its user agent. Pure.

The user agents are those that the programs were observed to send. The name is the first product of RFC 9110 (10.1.5)
without its version, except for programs that are better known by another name, and for libraries of which a later
product names more than the first.
"""

import re

MAX_PROGRAM_CHARS = 40
MAX_PROGRAMS_PER_DAY = 256
"""Names that are recorded in a day, besides those of well-known programs: usage keeps a row for each name for good, and
clients choose their names."""
OTHER = "other"
_DAY_S = 86_400
_MAX_USER_AGENT_BYTES = 256
"""More than any product before the first comment; the rest is not read."""

_PRODUCT = re.compile(rb"([A-Za-z0-9@._-]+(?:/[A-Za-z][A-Za-z0-9._-]*)*)(?:/v?\d[^ ]*)?(?= |$)")
"""A product, which may have slashes itself (``ai-sdk/openai-compatible/2.0.92``), and its version."""
_SECRET = re.compile(
    r"^(?:sk|pk|ghp|gho|hf|xox.|glpat|bearer|basic|token|key)(?:[-_.]|$)|[0-9a-f]{16}|[^._-]{25}"
)
"""What keys look like: their usual beginnings, long hexadecimal numbers, and long pieces without a separator."""

_NAMES = {
    "openai/python": "openai-python",
    "asyncopenai/python": "openai-python",
    "openai/js": "openai-js",
    "anthropic/python": "anthropic-python",
    "asyncanthropic/python": "anthropic-python",
    "anthropic/js": "anthropic-js",
    "agents/python": "openai-agents-python",
    "agents/javascript": "openai-agents-js",
    "ls/js": "langchain-js",
    "claude-cli": "claude-code",
    "codex_cli_rs": "codex",
    "codex_exec": "codex",
    "codex_vscode": "codex",
    "qwencode": "qwen-code",
    "ai": "ai-sdk",
    "mozilla": "browser",
    "lm15/stdlib": "lm15",
    "go-http-client": "go",
}
"""By the product in lower case."""
_KINDS = (("ai-sdk/", "ai-sdk"), ("@ai-sdk/", "ai-sdk"))
"""By the beginning of the product."""
_WELL_KNOWN = frozenset((*_NAMES.values(), *(kind for _, kind in _KINDS)))


class ProgramNames:
    """Bounds the number of names in the history."""

    def __init__(self) -> None:
        self._day = -1
        self._seen: set[str] = set()
        """The names of the day, without the well-known ones."""

    def recorded(self, name: str | None, ended_at_s: float) -> str | None:
        """Return the name under which a request is recorded; ``other`` if the day has too many names already.

        ``ended_at_s``: end of the request in seconds since the epoch; days are those of UTC.
        """
        day = int(ended_at_s // _DAY_S)
        if day != self._day:
            self._day = day
            self._seen.clear()
        if name is None or name in self._seen or name in _WELL_KNOWN:
            return name
        if len(self._seen) >= MAX_PROGRAMS_PER_DAY:
            return OTHER
        self._seen.add(name)
        return name


def program_name(user_agent: bytes | None) -> str | None:
    """Return the name of a program: at most 40 of ``a-z0-9._-``. None without a user agent, or without a name in it.

    A text that looks like a key is no name, since some programs are configured with their key in the wrong place.
    """
    if not user_agent:
        return None
    product = _PRODUCT.match(user_agent[:_MAX_USER_AGENT_BYTES].lstrip())
    if product is None:
        return None
    name = product[1].decode("ascii").lower()
    known = _NAMES.get(name) or next((kind for start, kind in _KINDS if name.startswith(start)), None)
    if known is not None:
        return known
    if _SECRET.search(name):
        return None
    name = name.replace("/", "-").replace("@", "").strip("._-")
    return name[:MAX_PROGRAM_CHARS] or None
