"""Parses llama.cpp's log lines: level, if any, and message without prefixes. Pure.

Three formats occur. Builds of 2026 (wheel b9294 to b11549, binary b10434) start a line with a time and a level:
``0.00.056.277 E gguf_init_from_reader: invalid magic``. Older ones (wheels b6123 and 0.2.14) write the same lines
without them. Lines of the loader, the C++ runtime, ``GGML_ASSERT``, the command line parser and the embedded engine's
Python runner never have a level.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """The log level of a line."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    UNKNOWN = "unknown"
    """The line has no level."""


class Role(Enum):
    """How an error, or a line of unknown level, relates to the engine's exit."""

    CAUSE = "cause"
    CONSEQUENCE = "consequence"
    """Reports the failure of a step; another line explains it."""
    FIT = "fit"
    """From the device memory estimate, which test-loads the model; its failures do not end the engine."""
    RUNNER = "runner"
    """From the embedded engine's runner, less specific than the engine's own log."""
    CRASH = "crash"
    """The final line of an abort: an assertion with its source position, or an uncaught exception."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line. ``source`` is the function that wrote it, "" if not named."""

    level: Level
    role: Role
    source: str
    text: str


_COLOURS = re.compile(r"\x1b\[[\d;]*[A-Za-z]")
_PREFIX = re.compile(r"^(?:\d+\.\d\d\.\d{3}\.\d{3} |[\d.]+ )?(?:(?P<level>[DIWE]) (?=\S))?(?P<rest>.*)$")
_SOURCE = re.compile(r"^(?P<source>(?:[a-z]{2,4}\s+)?[\w:~]+(?:\(\))?): +(?=\S)")
_INNER_SOURCE = re.compile(r"^(?:error|error loading model|[a-z]\w*_\w+): +(?=\S)")
_LEVELS = {"D": Level.INFO, "I": Level.INFO, "W": Level.WARNING, "E": Level.ERROR}

_FIT_SOURCES = ("llama_params_fit", "common_fit_params", "common_params_fit", "mtmd_get_memory_usage")
_RUNNER = re.compile(r"engine: ")
_LISTENING = "listening on "
"""Printed once by the embedded engine's runner."""
_FILE = r"(?:,? (?:from |with model )?(?:'.*'|\S+))?(?:\. Does this file exist\?)?"
_CONSEQUENCE = re.compile(
    rf"(?:error: )?failed to (?:load|create)[ _](?:\w+ )?(?:model|context|llama_context){_FILE}$"
    r"|exiting due to [\w ]+$"
    r"|(?:operator\(\): )?cleaning up before exit"
    r"|\[mtmd\] failed to get memory usage"
    r"|Failed to init server, please check the input params",
    re.IGNORECASE,
)
_FAILED_WITH_REASON = re.compile(r"failed to load model '.*?': (?P<reason>.+)")

_ASSERTION = re.compile(r"^(?:\S*/)?(?P<text>[\w.+-]+\.(?:c|cc|cpp|cu|cuh|h|hpp|m|mm|metal|inc):\d+: .+)$")
_TRACEBACK = "Traceback (most recent call last):"
_UNCAUGHT = re.compile(r"^(?:terminate called|libc\+\+abi: terminating)\b")
_WHAT = re.compile(r"^\s*what\(\):\s*(?P<text>\S.*)$")
_PLAIN_ERROR = re.compile(
    # From the loaders of Linux and macOS, the command line parser, and the guard.
    r"^(?:\S+: )?(?P<loader>(?:error while loading shared libraries|symbol lookup error): .+)$"
    r"|^\S+: (?P<version>\S+: version `\S+' not found.*)$"
    r"|^dyld(?:\[\d+\])?: (?P<dyld>.+)$"
    r"|^error: (?P<error>.+)$"
    r"|^(?P<argument>error while .+)$",
)
_PLAIN_WARNING = re.compile(r"^warning: ", re.IGNORECASE)


def parse_lines(lines: Sequence[str]) -> list[LogLine]:
    """Return the parsed lines, without empty lines and continuations of an error."""
    has_levels = any(_prefixed(line)[0] is not Level.UNKNOWN for line in lines)
    found: list[LogLine] = []
    is_in_traceback = False
    for raw in lines:
        level, rest = _prefixed(raw)
        if level is Level.UNKNOWN and is_in_traceback:
            if raw.startswith((" ", "\t")):
                continue
            is_in_traceback = False
            found.append(LogLine(Level.ERROR, Role.CAUSE, "", rest))
            continue
        if rest == _TRACEBACK:
            is_in_traceback = True
            continue
        line = _parse_unlevelled(rest) if level is Level.UNKNOWN else _parse_levelled(level, rest)
        what = _WHAT.match(rest)
        if what is not None and found and found[-1].role is Role.CRASH:
            found[-1] = LogLine(Level.ERROR, Role.CRASH, "", what["text"])
        elif line.level is Level.UNKNOWN and has_levels and _is_continuation(found):
            continue
        elif line.text:
            found.append(line)
    return found


def _is_continuation(found: Sequence[LogLine]) -> bool:
    """Whether a line without a level continues the previous one: a multi-line error or a usage text."""
    return bool(found) and found[-1].level is Level.ERROR and found[-1].role is not Role.CONSEQUENCE


def _prefixed(line: str) -> tuple[Level, str]:
    match = _PREFIX.match(_COLOURS.sub("", line))
    if match is None:  # it contains another line separator
        return Level.UNKNOWN, line.strip()
    return _LEVELS.get(match["level"], Level.UNKNOWN), match["rest"].strip()


def _parse_levelled(level: Level, rest: str) -> LogLine:
    source, text = _split(rest)
    return LogLine(level, _role(source, text), source, text)


def _parse_unlevelled(rest: str) -> LogLine:
    if assertion := _ASSERTION.match(rest):
        return LogLine(Level.ERROR, Role.CRASH, "", assertion["text"])
    if _UNCAUGHT.match(rest):
        return LogLine(Level.ERROR, Role.CRASH, "", rest)
    if plain := _PLAIN_ERROR.match(rest):
        text = next(group for group in plain.groups() if group)
        role = Role.CRASH if plain["dyld"] else _role("", text)
        return LogLine(Level.ERROR, role, "", text)
    if rest.startswith(_LISTENING) or _PLAIN_WARNING.match(rest):
        level = Level.INFO if rest.startswith(_LISTENING) else Level.WARNING
        return LogLine(level, Role.CAUSE, "", rest)
    if _RUNNER.match(rest):
        return LogLine(Level.ERROR, Role.RUNNER, "", _RUNNER.sub("", rest, count=1))
    source, text = _split(rest)
    role = _role(source, text)
    # A prefix that is not a llama.cpp function is kept: "libgomp: Thread creation failed".
    return LogLine(Level.UNKNOWN, role, source, text if "_" in source or " " in source else rest)


def _role(source: str, text: str) -> Role:
    if source.rpartition(" ")[2].startswith(_FIT_SOURCES):
        return Role.FIT
    reason = _FAILED_WITH_REASON.match(text)
    if reason is not None:
        text = _split(reason["reason"])[1]
    return Role.CONSEQUENCE if _CONSEQUENCE.match(text) else Role.CAUSE


def _split(rest: str) -> tuple[str, str]:
    """Return the function that wrote a line, and the message."""
    match = _SOURCE.match(rest)
    if match is None or match["source"] in {"error", "engine"}:
        return "", rest
    text = rest[match.end() :]
    while inner := _INNER_SOURCE.match(text):
        text = text[inner.end() :]
    return match["source"], text
