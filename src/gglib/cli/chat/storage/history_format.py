"""The file of earlier prompts: one JSON text a line, oldest first, so that prompts of several lines survive. Pure."""

import json

MAX_ENTRIES = 1000
MAX_BYTES = 2_000_000
"""Both are those of a shortened file, which may grow to twice of it before it is shortened again."""
MAX_ENTRY_CHARS = 20_000
"""Longer prompts, such as pasted files, are not kept."""


def history_line(prompt: str) -> bytes | None:
    """Return the line of a prompt; None for one that is not kept: empty, or too long."""
    if not prompt.strip() or len(prompt) > MAX_ENTRY_CHARS:
        return None
    return json.dumps(prompt).encode() + b"\n"  # ASCII: a surrogate has an escape


def read_history(content: bytes) -> list[str]:
    """Return the prompts, oldest first; damaged lines are skipped."""
    prompts: list[str] = []
    for line in content.splitlines():
        try:
            prompt = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(prompt, str) and prompt.strip():
            prompts.append(prompt)
    return prompts[-MAX_ENTRIES:]


def shortened(content: bytes) -> bytes | None:
    """Return the content with the last prompts only; None while the file may stay as it is."""
    if content.count(b"\n") <= 2 * MAX_ENTRIES and len(content) <= 2 * MAX_BYTES:
        return None
    kept: list[bytes] = []
    for prompt in reversed(read_history(content)):
        line = history_line(prompt) or b""
        if sum(map(len, kept)) + len(line) > MAX_BYTES:
            break
        kept.append(line)
    return b"".join(reversed(kept))
