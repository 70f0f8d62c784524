"""What completes which parameter of which command.

One table instead of an argument of each decorator: a new command gets the names of models for a parameter that is
called ``model`` without knowing of completion.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from gglib.cli.app import LazyGroup, cli
from gglib.cli.commands.models.tune import KINDS
from gglib.cli.completion import candidates
from gglib.cli.completion.candidates import HomeNames, matching

FILE, DIRECTORY = "file", "dir"
"""Types of an item that stands for the names of files."""
Completer = Callable[[click.Context, str], Sequence[str | CompletionItem]]


def home_names(ctx: click.Context) -> HomeNames:
    """Return the names of the home that the command line means."""
    from gglib.cli.completion.home_names import read_home_names

    return read_home_names(ctx.find_root().params)


def models(ctx: click.Context, incomplete: str) -> list[str]:
    """Complete a model."""
    return candidates.model_names(home_names(ctx), incomplete)


def aliases(ctx: click.Context, incomplete: str) -> list[str]:
    """Complete an alias."""
    return matching(home_names(ctx).aliases, incomplete)


def profiles(ctx: click.Context, incomplete: str) -> list[str]:
    """Complete a profile."""
    return matching((name for name, _ in home_names(ctx).profiles), incomplete)


def keys(ctx: click.Context, incomplete: str) -> list[str]:
    """Complete the name of an access key."""
    return matching(home_names(ctx).keys, incomplete)


def nodes(ctx: click.Context, incomplete: str) -> list[str]:
    """Complete the name of a node."""
    return matching(home_names(ctx).nodes, incomplete)


def engines(ctx: click.Context, incomplete: str) -> Sequence[str | CompletionItem]:
    """Complete an installed engine; for ``use`` also the other choices, else a file."""
    installed = home_names(ctx).engines
    if ctx.info_name == "remove":
        return matching(installed, incomplete)
    return words(*installed, "embedded", "auto", otherwise=files)(ctx, incomplete)


def pull_targets(ctx: click.Context, incomplete: str) -> list[str]:
    """Complete what is pulled: ``REPO[:QUANT]``."""
    return candidates.pull_targets(home_names(ctx), incomplete)


def clients(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Complete a client; for ``launch`` only those that are programs."""
    from gglib.app.clients.table import CLIENTS

    known = {
        client.name: client.title
        for client in CLIENTS
        if client.program is not None or ctx.info_name != "launch"
    }
    return [CompletionItem(name, help=known[name]) for name in matching(known, incomplete)]


def settings(ctx: click.Context, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001 - a completer
    """Complete a setting of ``config.toml``."""
    from gglib.app.settings import SETTINGS

    known = {spec.key: spec.help for spec in SETTINGS}
    return [CompletionItem(key, help=known[key]) for key in matching(known, incomplete)]


def files(ctx: click.Context, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001 - a completer
    """Complete a file."""
    return [CompletionItem(incomplete, type=FILE)]


def directories(ctx: click.Context, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001 - a completer
    """Complete a directory."""
    return [CompletionItem(incomplete, type=DIRECTORY)]


def words(*values: str, otherwise: Completer | None = None) -> Completer:
    """Return a completer of fixed words, and of something else if none of them matches."""

    def complete(ctx: click.Context, incomplete: str) -> Sequence[str | CompletionItem]:
        found = matching(values, incomplete)
        return found or ([] if otherwise is None else otherwise(ctx, incomplete))

    return complete


def words_of_list(*values: str) -> Completer:
    """Return a completer of fixed words that may be separated by commas, each used once."""

    def complete(ctx: click.Context, incomplete: str) -> Sequence[str | CompletionItem]:  # noqa: ARG001
        before, separator, last = incomplete.rpartition(",")
        used = before.split(",")
        return [f"{before}{separator}{value}" for value in matching(values, last) if value not in used]

    return complete


def import_sources(ctx: click.Context, incomplete: str) -> Sequence[str | CompletionItem]:
    """Complete what is imported: a program, else a directory or a file."""
    from gglib.library.importers.configurations.programs import PROGRAMS
    from gglib.library.importers.sources import NAMES

    return words(*NAMES, *PROGRAMS, otherwise=files)(ctx, incomplete)


def setting_values(ctx: click.Context, incomplete: str) -> Sequence[str | CompletionItem]:
    """Complete the value of the setting before it; nothing for numbers and free texts."""
    from gglib.core.log_lines import LOG_FORMATS, LOG_LEVELS

    key = ctx.params.get("key") or ""
    if key in ("default_model", "preload") or key.startswith("aliases."):
        return models(ctx, incomplete)
    if key in {"engine", "tls_cert", "tls_key"}:
        return COMPLETERS[key](ctx, incomplete)
    fixed = {
        "log_level": LOG_LEVELS,
        "log_format": LOG_FORMATS,
        "insecure": ("true", "false"),
        "history": ("true", "false"),
        "max_models": ("auto",),
        "ctx": ("max",),
    }
    return matching(fixed.get(key, ()), incomplete)


COMPLETERS: dict[str, Completer] = {
    "model": models,
    "models": models,
    "default_model": models,
    "node": nodes,
    "client": clients,
    "target": pull_targets,
    "where": import_sources,
    "remove_alias": aliases,
    "home": directories,
    "image": files,
    "images": files,
    "file": files,
    "files": files,
    "mmproj": words("none", otherwise=files),
    "engine": words("embedded", otherwise=files),
    **dict.fromkeys(("ca", "ca_file", "tls_cert", "tls_key"), files),
    "device": words("none", "default"),
    "gpu_layers": words("all", "auto"),
    "draft": words("auto", "off", otherwise=files),
    "lora": words("none", otherwise=files),
    "template": words("default", "chatml", otherwise=files),
    "env": words("CUDA_VISIBLE_DEVICES=", "HIP_VISIBLE_DEVICES="),
    "alias.name": aliases,
    "engine.name": engines,
    "engine.source": words("cpu", "cuda", "metal", "rocm", "sycl", "vulkan", otherwise=files),
    "profile.name": profiles,
    "config.key": settings,
    "config.value": setting_values,
    "key.name": keys,
    "node.name": nodes,
    "pull.node": nodes,
    "set.nodes": nodes,
    "node.ca": files,
    "node.token_file": files,
    "requests.status": words("2xx", "4xx", "5xx", "failed"),
    "usage.by": words_of_list("day", "hour", "key", "model", "client"),
    **{f"{command}.key": keys for command in ("requests", "usage")},
    # Names of client programs are not completed: they are known to the server only.
    **{f"{command}.client": words() for command in ("requests", "usage")},
    "requests.profile": profiles,
    "tune.only": words_of_list(*KINDS),
    "tune.svg": files,
    "key.rpm": words("none"),
    "key.tpm": words("none"),
    "key.parallel": words("none"),
}
"""Completers by the name of a parameter, or by ``COMMAND.PARAMETER`` for all commands of a group."""


def completer_of(command: str, parameter: str) -> Completer | None:
    """Return what completes a parameter of a command of the root, or of one of its commands; None: nothing."""
    return COMPLETERS.get(f"{command}.{parameter}") or COMPLETERS.get(parameter)


class _CompletedType(click.ParamType[Any]):
    """A type that behaves like another one, with other candidates."""

    name = "completed"

    def __init__(self, real: click.ParamType[Any], completer: Completer) -> None:
        self._real = real
        self._completer = completer

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """Convert as the real type does."""
        return self._real.convert(value, param, ctx)

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        """Return the candidates."""
        found = self._completer(ctx, incomplete)
        return [item if isinstance(item, CompletionItem) else CompletionItem(item) for item in found]


def completed(command: click.Command, name: str) -> click.Command:
    """Return a copy of a command whose parameters have their completers; ``name`` is that of the root's command."""
    command = copy.copy(command)
    command.params = [_completed_parameter(parameter, name) for parameter in command.params]
    if isinstance(command, click.Group):
        command.commands = {key: completed(each, name) for key, each in command.commands.items()}
    return command


def _completed_parameter(parameter: click.Parameter, command: str) -> click.Parameter:
    completer = completer_of(command, parameter.name or "")
    is_flag = isinstance(parameter, click.Option) and (parameter.is_flag or parameter.count)
    if completer is None or is_flag:
        return parameter
    parameter = copy.copy(parameter)
    parameter.type = _CompletedType(parameter.type, completer)
    return parameter


class CompletedRoot(LazyGroup):
    """The root command, for completion only."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, with completers."""
        command = super().get_command(ctx, cmd_name)
        return None if command is None else completed(command, cmd_name)


def completed_root() -> click.Command:
    """Return the root command with completers for every parameter."""
    root = CompletedRoot(**{key: getattr(cli, key) for key in ("name", "callback", "params")})
    root.invoke_without_command = cli.invoke_without_command
    return completed(root, "gglib")
