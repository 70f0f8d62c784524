"""What all commands share: the global options, and the settings that follow from them."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from gglib.app.settings import Settings

Command = TypeVar("Command", bound=Callable[..., object])

CTX_HELP = "Context in tokens where neither request nor model says; 'max' is what the model was trained for."

MMPROJ_HELP = "The projector (mmproj) that lets the model see images"

IDLE_TTL_HELP = "Leave the memory after so long without a request: 30s, 10m, 2h; 'off': never."


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of the root command."""

    home: str | None = None
    is_debug: bool = False

    def settings(self, **overrides: object) -> "Settings":
        """Return the settings that hold for a command with these options of its own."""
        from gglib.app.settings import load_settings

        return load_settings({"home": self.home, **overrides}, os.environ)


def kind_options(command: Command) -> Command:
    """Add the switches that say what a model is served as, whatever its header says."""
    for decorate in (
        click.option("--chat", is_flag=True, help="Serve it as a chat model, whatever its header says."),
        click.option("--rerank", is_flag=True, help="Serve it as a reranker, whatever its header says."),
        click.option(
            "--embedding", is_flag=True, help="Serve it as an embedding model, whatever its header says."
        ),
    ):
        command = decorate(command)
    return command


def server_options(command: Command) -> Command:
    """Add the options that every command has which starts a server. Texts: the settings' table checks them."""
    for decorate in (
        click.option(
            "--insecure", is_flag=True, default=None, help="Serve other machines also without a key."
        ),
        click.option("--engine", metavar="FILE", help="The llama-server program to use, or 'embedded'."),
        click.option("--ctx", metavar="N|max", help=CTX_HELP),
        click.option("--port", metavar="N", help="Port to listen on; 0 takes a free one. Default: 8080."),
        click.option("--host", metavar="HOST", help="Address to listen on. Default: 127.0.0.1."),
    ):
        command = decorate(command)
    return command
