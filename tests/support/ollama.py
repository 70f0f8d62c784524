"""The schemas of Ollama's responses, from its public API documentation (``docs/openapi.yaml`` of its repository).

A member that a client needs is required, and unknown members are refused. ``id`` and ``index`` of tool calls are not in
the documentation; its server sends them.
"""

import json
from pathlib import Path
from typing import Any

from tests.support.json_schemas import violations

SCHEMAS: dict[str, Any] = json.loads(
    Path(__file__).with_suffix("").with_name("ollama_schemas.json").read_text()
)


def checked(name: str, content: bytes) -> Any:
    """Return the parsed JSON of a response; it must hold the schema ``name``."""
    value = json.loads(content)
    assert list(violations(value, SCHEMAS[name])) == []
    return value


def checked_lines(kind: str, body: bytes) -> list[Any]:
    """Return the parsed lines of a stream: all of schema ``KIND_line``, the last of ``KIND_end``."""
    assert body.endswith(b"\n")
    *lines, last = body.splitlines()
    return [*(checked(f"{kind}_line", line) for line in lines), checked(f"{kind}_end", last)]
