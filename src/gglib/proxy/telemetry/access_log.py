"""The access log: one line per finished request, without bodies, queries, keys or prompts.

Paths, models and request ids are client input: control characters are escaped and ambiguous model names are quoted, so
that no request can forge a line or a field.

A ``LogRecord`` and its file handlers cost 23 us (CPython 3.11), a third of a short request. So one ``LogRecord`` holds
several lines, each with its own timestamp (``core.log_lines``).
"""

import logging
from functools import lru_cache

import msgspec

from gglib.core.addresses import is_loopback
from gglib.core.history.records import CLIENT_CLOSED_REQUEST, RequestRecord
from gglib.core.log_lines import JSON, TEXT, Timestamps, text_line
from gglib.core.plain_text import escape_line
from gglib.proxy.access.public_paths import PAGE_FILES, is_odd_path
from gglib.proxy.telemetry.outcome import Refusal

log = logging.getLogger("gglib.access")

MAX_BUFFERED_LINES = 1_000
"""Maximum number of buffered lines; beyond it they are written without waiting for ``flush``, to save memory."""
READY_PATH = "/ready"
QUIET_PATHS = frozenset(
    (
        *("/health", "/v1/health", READY_PATH, "/metrics", "/slots", "/props"),
        *(
            "/gglib/status",
            "/gglib/requests",
            "/gglib/usage",
        ),  # by ``gglib top`` and ``requests -f``, each second
        *("/gglib/models", "/gglib/fits", "/gglib/downloads", "/gglib/swaps", "/gglib/logs"),  # by the page
        "/gglib/nodes",
    )
)
"""Polled paths; only changes and failures there are logged, and all requests at the level debug."""
_OWN_API = "/gglib/"
_EVENTS = "/events"
"""The end of the path of a stream of events: it has no end but that its client leaves."""
_READS = frozenset(("GET", "HEAD"))
_LOGGER = log.name
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO}
_PADDED = {level: f"{level.upper():<7}" for level in _LEVELS}
"""As in ``core.log_lines.text_line``; formatting it for each line would cost 0.2 us."""


class AccessLog:
    """Buffers lines for the logger ``gglib.access`` until the buffer is full or ``flush`` is called."""

    def __init__(self, log_format: str = TEXT) -> None:
        """``log_format`` is one of ``core.log_lines``."""
        self._is_json = log_format == JSON
        self._lines: list[str] = []
        self._timestamps = Timestamps()

    def record(self, record: RequestRecord, at_s: float) -> None:
        """Log a request that ended at ``at_s``, in seconds since the epoch."""
        level = "debug" if is_quiet(record) else "info"
        if not log.isEnabledFor(_LEVELS[level]):
            return
        time = self._timestamps.format(at_s)
        if self._is_json:
            self._add(json_line(record, time, level))
        else:
            self._add(f"{time} {_PADDED[level]} {format_line(record)}")

    def record_refusal(self, refusal: Refusal, at_s: float) -> None:
        """Log a connection or malformed request that the HTTP server refused."""
        if not log.isEnabledFor(logging.INFO):
            return
        time, reason = self._timestamps.format(at_s), escape_line(refusal.reason)
        if self._is_json:
            fields = {"status": refusal.status, "request_id": escape_line(refusal.request_id)}
            self._add(_encode(_head(time, "info", f"refused: {reason}") | fields))
        else:
            request_id = escape_line(refusal.request_id)
            text = f"- - status={refusal.status} refused: {reason} request_id={request_id}"
            self._add(text_line(time, "info", text))

    def flush(self) -> None:
        """Write the buffered lines."""
        if self._lines:
            lines, self._lines = self._lines, []
            log.info("%s", "\n".join(lines))

    def _add(self, line: str) -> None:
        self._lines.append(line)
        if len(self._lines) >= MAX_BUFFERED_LINES:
            self.flush()


def is_quiet(record: RequestRecord) -> bool:
    """Whether a request is not logged: a successful poll, or what clients request on their own. Pure."""
    is_page_file = record.path.startswith(PAGE_FILES)  # of these a browser requests dozens at once
    if record.status == 200:
        is_poll = record.path in QUIET_PATHS and record.method in _READS
        return record.cut is None and (is_page_file or is_poll)
    if record.status == CLIENT_CLOSED_REQUEST:
        return record.path.startswith(_OWN_API) and record.path.endswith(_EVENTS)
    if record.status == 304:
        return is_page_file
    if record.status == 404:
        return is_page_file or is_odd_path(record.path)
    return record.status == 503 and record.path == READY_PATH  # polled, and no failure


def format_line(record: RequestRecord) -> str:
    """Return the line of a request, without its timestamp. Pure."""
    failure = ""
    if record.cut or record.error_code:
        failure = f" cut={record.cut}" if record.cut else f" error={record.error_code}"
    waited_s, first_byte_s = record.waited_s, record.first_byte_s
    prompt, completion = record.prompt_tokens, record.completion_tokens
    model = _value(record.model or record.requested_model)
    # Each client value is escaped by itself; escaping the whole line would cost three times as much.
    return (
        f"{record.method} {_escaped(record.path)} model={model} status={record.status or '-'}{failure}"
        f"{'' if waited_s is None else f' waited_ms={waited_s * 1000:.1f}'}"
        f"{'' if first_byte_s is None else f' first_byte_ms={first_byte_s * 1000:.1f}'}"
        f" duration_ms={record.duration_s * 1000:.1f} chunks={record.chunks}"
        f"{'' if prompt is None else f' prompt_tokens={prompt}'}"
        f"{'' if completion is None else f' completion_tokens={completion}'}"
        f"{'' if record.key_name is None else f' key={_value(record.key_name)}'}"
        f"{'' if record.client is None else _client(record.client)}"
        f" request_id={escape_line(record.request_id)}"
    )


def json_line(record: RequestRecord, time: str, level: str) -> str:
    """Return the line of a request as JSON, with the fields of the text that have a value. Pure."""
    method, path = record.method, _escaped(record.path)
    line = _head(time, level, f"{method} {path}") | {"method": method, "path": path}
    if (model := record.model or record.requested_model) is not None:
        line["model"] = _escaped(model)
    line["status"] = record.status
    if record.cut or record.error_code:
        line["cut" if record.cut else "error"] = record.cut or record.error_code
    for name, seconds in (("waited_ms", record.waited_s), ("first_byte_ms", record.first_byte_s)):
        if seconds is not None:
            line[name] = round(seconds * 1000, 1)
    line["duration_ms"] = round(record.duration_s * 1000, 1)
    line["chunks"] = record.chunks
    for name, value in (
        ("prompt_tokens", record.prompt_tokens),
        ("completion_tokens", record.completion_tokens),
        ("key", record.key_name and _escaped(record.key_name)),
        ("client", record.client),
    ):
        if value is not None:
            line[name] = value
    line["request_id"] = escape_line(record.request_id)
    return _encode(line)


def _head(time: str, level: str, message: str) -> dict[str, object]:
    return {"time": time, "level": level, "logger": _LOGGER, "message": message}


def _encode(line: dict[str, object]) -> str:
    return _ENCODER.encode(line).decode()


_ENCODER = msgspec.json.Encoder()


@lru_cache(maxsize=256)
def _client(address: str) -> str:
    """Return the field for a client; nothing for this machine, from which most requests come."""
    return "" if is_loopback(address) else f" client={escape_line(address)}"


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
