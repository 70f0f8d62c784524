"""Backends of a model other than llama.cpp: a command that gglib runs, and a server that it only reaches. Pure values.

Both are set on the machine itself, by the command line or in files, and never over HTTP: a command is code, and the URL
of a server makes this machine send requests there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

StopSignal = Literal["TERM", "INT", "QUIT", "HUP", "KILL"]
"""The signal that asks a program to exit. SIGKILL follows if it does not."""

DEFAULT_HEALTH_PATH = "/health"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandBackend:
    """A program that serves one model over HTTP, launched and supervised like an engine."""

    argv: tuple[str, ...]
    """Its words, the program first. The launch replaces ``{port}``, ``{socket}``, ``{model}`` and so on in each of them
    (``core.command_templates``). No shell interprets them."""
    health_path: str = DEFAULT_HEALTH_PATH
    """Its response with status 200 means that the program is ready."""
    routes: tuple[str, ...] = ()
    """The paths that the program serves, such as ``/v1/audio/transcriptions``; ``/v1/images/*`` stands for all below.
    Empty: those of the model's kind."""
    stop_signal: StopSignal = "TERM"
    memory: tuple[tuple[str, int], ...] = ()
    """The memory that it takes, as device name (``ram``, ``gpu0``) and bytes; empty: unknown."""
    directory: Path | None = None
    """Its working directory, absolute; None: ``/``."""
    start_timeout_s: float | None = None
    """How long it may take to become ready, in seconds; None: ten minutes."""
    slots: int | None = None
    """How many requests it processes at a time; None: any number, or unknown."""
    model: str | None = None
    """The model's name in the program, which requests to it have; None: its name here."""

    @property
    def takes_context(self) -> bool:
        """Whether it is launched with a context; else it has the same one for all requests."""
        return any("{ctx}" in word for word in self.argv)


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlBackend:
    """A server that runs elsewhere: never launched, never evicted."""

    base_url: str
    """As OpenAI's libraries take it: scheme, authority and the path that stands for ``/v1``, without a slash at its
    end: ``http://box:8000/v1``, ``https://host/openai/v1``."""
    key_env: str | None = None
    """The environment variable with the server's key. The key itself is stored nowhere. None: the server needs none."""
    model: str | None = None
    """The model's name at that server; None: its name here."""
    routes: tuple[str, ...] = ()
    """As of ``CommandBackend.routes``."""
    ca_file: str | None = None
    """The file of the certificates that are trusted for an https server, absolute; None: those of the system."""


Backend = CommandBackend | UrlBackend


def key_of(backend: UrlBackend, environment: Mapping[str, str]) -> str | None:
    """Return the server's key, without white space around it; None if it needs none or its variable has none.

    Raises ``ValueError`` for a value that cannot stand in a header line. The key appears in no message.
    """
    key = "" if backend.key_env is None else environment.get(backend.key_env, "").strip()
    if not key.isascii() or not key.isprintable():
        raise ValueError(f"the value of {backend.key_env} cannot be a key")
    return key or None
