"""The options for models that a command or a server elsewhere serves."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from gglib.core.backends import StopSignal

if TYPE_CHECKING:
    from gglib.core.backends import Backend, CommandBackend, UrlBackend
    from gglib.core.models import ModelCapabilities, ModelSummary

_CAPABILITIES = ("tools", "vision", "reasoning")
_CAPABILITY = click.option(
    "--capability",
    "capabilities",
    metavar="WHAT",
    type=click.Choice(_CAPABILITIES),
    multiple=True,
    help="What its chats can do: tools, vision or reasoning; may be repeated.",
)
_OPTIONS = (
    click.option(
        "--command", metavar="COMMAND", help="Serve it by this command, which has {port} or {socket}."
    ),
    click.option(
        "--url", "server_url", metavar="URL", help="Serve it by the server at URL, which runs elsewhere."
    ),
    click.option("--key-env", metavar="NAME", help="Environment variable with that server's key."),
    click.option(
        "--ca", "ca_file", metavar="FILE", help="Certificates that are trusted for its https URL, in PEM."
    ),
    click.option("--served-name", metavar="NAME", help="The model's name in that program or at that server."),
    click.option(
        "--route", "routes", metavar="PATH", multiple=True, help="A path that it serves; may be repeated."
    ),
    click.option(
        "--health", "health_path", metavar="PATH", help="Path that responds with 200 when it is ready."
    ),
    click.option("--start-timeout", metavar="TIME", help="How long it may take to start. Default: 10m."),
    click.option(
        "--stop-signal",
        metavar="NAME",
        type=click.Choice(get_args(StopSignal)),
        help="Signal that ends it: TERM, INT, QUIT, HUP or KILL. Default: TERM.",
    ),
    click.option(
        "--memory",
        metavar="SIZE",
        multiple=True,
        help="Memory that it takes: 8G of RAM, or gpu0=8G; may be repeated.",
    ),
    click.option("--slots", type=int, metavar="N", help="How many requests it processes at a time."),
    click.option("--directory", metavar="DIR", help="Its working directory. Default: where it was added."),
)
_URL_FLAGS = {"server_url": "--url", "key_env": "--key-env", "ca_file": "--ca"}
_COMMAND_FLAGS = {
    "command": "--command",
    "health_path": "--health",
    "start_timeout": "--start-timeout",
    "stop_signal": "--stop-signal",
    "memory": "--memory",
    "slots": "--slots",
    "directory": "--directory",
}
"""The options of one kind of backend alone, by the names of their values."""
_TIME = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)([smh]?)", re.ASCII)
_UNIT_S = {"": 1, "s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendOptions:
    """The values of the options; None and empty: not given."""

    command: str | None = None
    server_url: str | None = None
    key_env: str | None = None
    ca_file: str | None = None
    served_name: str | None = None
    routes: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    health_path: str | None = None
    start_timeout: str | None = None
    stop_signal: str | None = None
    memory: tuple[str, ...] = ()
    slots: int | None = None
    directory: str | None = None

    @property
    def is_given(self) -> bool:
        """Whether any of them is given."""
        return any(getattr(self, name) not in {None, ()} for name in self.__slots__)

    @property
    def makes_backend(self) -> bool:
        """Whether they describe a backend by themselves."""
        return self.command is not None or self.server_url is not None

    def made(self, *, has_file: bool) -> "Backend":
        """Return the backend; a command runs in the current directory unless another is given.

        Raises ``click.UsageError`` and ``InvalidSettingError``.
        """
        from gglib.core.backends import CommandBackend, UrlBackend

        if self.command is not None and self.server_url is not None:
            raise click.UsageError("A model is served by --command or by --url, not by both.")
        empty = (
            UrlBackend(base_url="") if self.command is None else CommandBackend(argv=(), directory=Path.cwd())
        )
        return self.applied_to(empty, has_file=has_file)

    def applied_to(self, backend: "Backend", *, has_file: bool) -> "Backend":
        """Return a backend with the given values replaced. Raises as ``made``."""
        from gglib.core.backends import UrlBackend

        if isinstance(backend, UrlBackend):
            return self._url(backend)
        return self._command(backend, has_file=has_file)

    def _url(self, backend: "UrlBackend") -> "Backend":
        from gglib.library.backend_rules import checked_url

        self._refuse(_COMMAND_FLAGS, "a model that is served by a command")
        return checked_url(
            replace(
                backend,
                base_url=self.server_url or backend.base_url,
                key_env=backend.key_env if self.key_env is None else self.key_env or None,
                model=backend.model if self.served_name is None else self.served_name or None,
                routes=self.routes or backend.routes,
                ca_file=backend.ca_file if self.ca_file is None else _checked_ca(self.ca_file),
            )
        )

    def _command(self, backend: "CommandBackend", *, has_file: bool) -> "Backend":
        import socket

        from gglib.library.backend_rules import checked_command, parse_memory, split_command

        self._refuse(_URL_FLAGS, "a model that is served by a server elsewhere")
        changes: dict[str, Any] = {
            "argv": None if self.command is None else split_command(self.command),
            "health_path": self.health_path,
            "routes": self.routes or None,
            "stop_signal": self.stop_signal,
            "memory": parse_memory(self.memory) or None,
            "directory": None if self.directory is None else _directory(self.directory),
            "start_timeout_s": None if self.start_timeout is None else _seconds(self.start_timeout),
            "slots": self.slots,
            "model": self.served_name,
        }
        changed = replace(backend, **{name: value for name, value in changes.items() if value is not None})
        return checked_command(changed, has_file=has_file, has_unix_sockets=hasattr(socket, "AF_UNIX"))

    def model_capabilities(self, *, embedding: bool, rerank: bool, chat: bool) -> "ModelCapabilities":
        """Return the capabilities of the options, and of the flags for the kind."""
        from gglib.core.models import ModelCapabilities

        chats = chat or bool(self.capabilities)
        extra = dict.fromkeys(self.capabilities, True)
        return ModelCapabilities(chat=chats, embedding=embedding, rerank=rerank, **extra)

    def _refuse(self, flags: Mapping[str, str], what: str) -> None:
        """Raise ``click.UsageError`` if an option for another kind of backend is given."""
        for name, flag in flags.items():
            if getattr(self, name) not in {None, ()}:
                raise click.UsageError(f"{flag} is for {what}.")


def backend_options(command: "click.decorators.FC") -> "click.decorators.FC":
    """Add the options to a command, which receives them as keyword arguments."""
    return backend_edit_options(_CAPABILITY(command))


def backend_edit_options(command: "click.decorators.FC") -> "click.decorators.FC":
    """Add the options of what can be changed later: the capabilities of a model are those that it was added with."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def take_backend_options(arguments: dict[str, Any]) -> BackendOptions:
    """Remove the options from the arguments of a command and return them."""
    given = {name: arguments.pop(name) for name in BackendOptions.__slots__ if name in arguments}
    return BackendOptions(**given)


def edited_backend(model: "ModelSummary", options: BackendOptions) -> "Backend | None":
    """Return the changed backend of a model; None if it is unchanged. Raises as ``BackendOptions.made``."""
    from gglib.core.errors import InvalidSettingError

    if not options.is_given:
        return None
    if model.backend is None:
        raise InvalidSettingError(
            f"Model '{model.name}' is served by llama.cpp: these options are for models that were added with "
            "'gglib add --command' or '--url'."
        )
    return options.applied_to(model.backend, has_file=bool(model.paths))


def _checked_ca(text: str) -> str | None:
    """Return the absolute path of a file with certificates; None for an empty text."""
    from gglib.cli.remote.ca_files import checked_ca_file

    return checked_ca_file(text, source="--ca") if text else None


def _directory(text: str) -> Path:
    from gglib.core.errors import InvalidSettingError

    path = Path(os.path.abspath(os.path.expanduser(text)))  # noqa: PTH100, PTH111 - keeps links, as the shell does
    if not path.is_dir():
        raise InvalidSettingError(f"--directory is '{path}', which is not a directory.")
    return path


def _seconds(text: str) -> float:
    from gglib.core.errors import InvalidSettingError

    match = _TIME.fullmatch(text.strip().lower())
    if match is None:
        raise InvalidSettingError(f"--start-timeout is '{text}', but it must be a time like 90s or 20m.")
    return float(match[1]) * _UNIT_S[match[2]]
