"""The access log: one line per finished request, without bodies, queries, keys or prompts.

Paths, models and request ids are client input: control characters are escaped and ambiguous model names are quoted, so
that no request can forge a line or a field.

A ``LogRecord`` and its file handlers cost 23 us (CPython 3.11), a third of a short request. So one ``LogRecord`` holds
several lines, each with its own timestamp.
"""

import logging
import time
from functools import lru_cache

from gglib.core.plain_text import escape_line
from gglib.proxy.access.public_paths import is_odd_path
from gglib.proxy.telemetry.records import Refusal, RequestRecord

log = logging.getLogger("gglib.access")

MAX_BUFFERED_LINES = 1_000
"""Maximum number of buffered lines; beyond it they are written without waiting for ``flush``, to save memory."""
QUIET_PATHS = frozenset(("/health", "/v1/health", "/gglib/status", "/metrics", "/slots", "/props"))
"""Polled paths; only failures there are logged."""


class AccessLog:
    """Buffers lines for the logger ``gglib.access`` until the buffer is full or ``flush`` is called."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._second = -1
        self._timestamp = ""

    def record(self, record: RequestRecord, at_s: float) -> None:
        """Log a request that ended at ``at_s``, in seconds since the epoch."""
        if record.status == 200:
            if record.cut is None and record.path in QUIET_PATHS:
                return
        elif record.status == 404 and is_odd_path(record.path):
            return
        if log.isEnabledFor(logging.INFO):
            self._add(format_line(record), at_s)

    def record_refusal(self, refusal: Refusal, at_s: float) -> None:
        """Log a connection or malformed request that the HTTP server refused."""
        if log.isEnabledFor(logging.INFO):
            self._add(
                escape_line(
                    f"- - status={refusal.status} refused: {refusal.reason} request_id={refusal.request_id}"
                ),
                at_s,
            )

    def flush(self) -> None:
        """Write the buffered lines."""
        if self._lines:
            lines, self._lines = self._lines, []
            log.info("%s", "\n".join(lines))

    def _add(self, text: str, at_s: float) -> None:
        second = int(at_s)
        if second != self._second:
            self._second, self._timestamp = second, time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
        self._lines.append(f"{self._timestamp},{int((at_s - second) * 1000):03} INFO    {text}")
        if len(self._lines) >= MAX_BUFFERED_LINES:
            self.flush()


def format_line(record: RequestRecord) -> str:
    """Return the line of a request, without its timestamp. Pure."""
    failure = ""
    if record.cut or record.error_code:
        failure = f" cut={record.cut}" if record.cut else f" error={record.error_code}"
    waited_s, first_byte_s = record.waited_s, record.first_byte_s
    prompt, completion = record.prompt_tokens, record.completion_tokens
    # Each client value is escaped by itself; escaping the whole line would cost three times as much.
    return (
        f"{record.method} {_escaped(record.path)} model={_value(record.model)} status={record.status or '-'}{failure}"
        f"{'' if waited_s is None else f' waited_ms={waited_s * 1000:.1f}'}"
        f"{'' if first_byte_s is None else f' first_byte_ms={first_byte_s * 1000:.1f}'}"
        f" duration_ms={record.duration_s * 1000:.1f} chunks={record.chunks}"
        f"{'' if prompt is None else f' prompt_tokens={prompt}'}"
        f"{'' if completion is None else f' completion_tokens={completion}'}"
        f"{'' if record.key_name is None else f' key={_value(record.key_name)}'}"
        f" request_id={escape_line(record.request_id)}"
    )


_escaped = lru_cache(maxsize=256)(escape_line)
"""Cached, because nearly all requests use the same few paths."""


@lru_cache(maxsize=256)
def _value(text: str | None) -> str:
    """Return client input as a field value, quoted if it has a space or a quote."""
    if not text:
        return "-"
    if not text.isprintable():
        text = escape_line(text)
    if " " in text or '"' in text:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return text
