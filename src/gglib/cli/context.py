"""The global options, shared decorators for options, and the settings of a command."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gglib.app.settings import Settings
    from gglib.core.addresses import Endpoint

Command = TypeVar("Command", bound=Callable[..., object])

CTX_HELP = (
    "Default context size in tokens, used when neither the request nor the model sets one; 'max': as trained."
)

_DEFAULTS_USED = "The defaults are used here."

MMPROJ_HELP = "Projector (mmproj) file for image input"

IDLE_TTL_HELP = "Unload the model after this time without requests: 30s, 10m, 2h; 'off': never."


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of the root command."""

    home: str | None = None
    is_debug: bool = False
    remote: "Endpoint | None" = None
    """The server of ``--url`` or ``GGLIB_HOST``; None: the one of this home."""
    key_variable: str | None = None
    """The value of ``--key-env``: the variable with the key of the remote server."""
    _warned: set[str] = field(default_factory=set, repr=False, compare=False)
    """Warnings of the settings that have been printed."""

    def settings(self, **overrides: object) -> "Settings":
        """Return the settings, and print their warnings once; ``overrides`` are the command's own options."""
        settings = self.load(**overrides)
        self._warn(settings.warnings)
        return settings

    def load(self, **overrides: object) -> "Settings":
        """Return the settings without printing their warnings, for a server that loads them again."""
        from gglib.app.settings import load_settings

        return load_settings({"home": self.home, **overrides}, os.environ)

    def tolerant_settings(self, *, is_quiet: bool = False) -> "Settings":
        """Return the settings for a command that inspects or controls: a typo must not prevent ``stop``.

        Values that are not used are in ``Settings.ignored``; they and the warnings are printed once unless
        ``is_quiet``.
        """
        from gglib.app.settings import load_settings

        settings = load_settings({"home": self.home}, os.environ, is_tolerant=True)
        if not is_quiet:
            self._warn((*settings.warnings, *(f"{reason} {_DEFAULTS_USED}" for reason in settings.ignored)))
        return settings

    def mark_reported(self, reason: str) -> None:
        """Print no warning of a value that is not used: the command has printed the reason (``Settings.ignored``)."""
        self._warned.add(f"{reason} {_DEFAULTS_USED}")

    def _warn(self, warnings: "Iterable[str]") -> None:
        from gglib.cli.views import render

        for warning in warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                render.warn(warning)


def kind_options(command: Command) -> Command:
    """Add the flags that override the model kind in the header."""
    for decorate in (
        click.option("--chat", is_flag=True, help="Serve it as a chat model, regardless of its header."),
        click.option("--rerank", is_flag=True, help="Serve it as a reranker, regardless of its header."),
        click.option(
            "--embedding", is_flag=True, help="Serve it as an embedding model, regardless of its header."
        ),
    ):
        command = decorate(command)
    return command


def absolute_path(text: str) -> str:
    """Return a typed path as an absolute one, with links as they are."""
    return os.path.abspath(os.path.expanduser(text))  # noqa: PTH100, PTH111 - keeps links


def _typed_path(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Return an absolute path: paths in ``config.toml`` are relative to the home, typed ones are not."""
    return None if value is None else absolute_path(value)


def server_options(command: Command) -> Command:
    """Add the options of commands that start a server. Values are texts, which ``load_settings`` validates."""
    for decorate in (
        click.option(
            "--tls-key", metavar="FILE", callback=_typed_path, help="PEM file with the key of --tls-cert."
        ),
        click.option(
            "--tls-cert",
            metavar="FILE",
            callback=_typed_path,
            help="Serve HTTPS, with the certificate in this PEM file.",
        ),
        click.option(
            "--insecure", is_flag=True, default=None, help="Serve other machines without an access key."
        ),
        click.option(
            "--log-format", metavar="FORMAT", help="Format of the log: text or json. Default: text."
        ),
        click.option(
            "--log-level",
            metavar="LEVEL",
            help="Lowest level of records in the log: debug, info, warning or error. Default: info.",
        ),
        click.option("--engine", metavar="FILE", help="Path of llama-server, or 'embedded'."),
        click.option(
            "--memory",
            metavar="SIZE",
            help="Memory budget of all models together, of the RAM or by device: ram=20G,gpu0=8G.",
        ),
        click.option(
            "--max-models",
            metavar="N|auto",
            help="Maximum number of models in memory; 'auto': as many as fit. Default: 1.",
        ),
        click.option("--ctx", metavar="N|max", help=CTX_HELP),
        click.option(
            "--ollama-port", metavar="N|off", help="Second port, for clients of Ollama: 11434. Default: off."
        ),
        click.option("--port", metavar="N", help="Port to listen on; 0 selects a free port. Default: 8080."),
        click.option("--host", metavar="HOST", help="Address to listen on. Default: 127.0.0.1."),
    ):
        command = decorate(command)
    return command
