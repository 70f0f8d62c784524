"""``gglib run``: chats with a model in the terminal."""

from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

import click

from gglib.cli.context import Options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gglib.app.settings import Settings
    from gglib.core.addresses import Endpoint
    from gglib.core.errors import ModelNotFoundError
    from gglib.core.models import ModelSummary
    from gglib.core.ports.store import HomeStorePort


@click.command("run")
@click.argument("model")
@click.argument("prompt", nargs=-1)
@click.option("--ctx", metavar="N", type=click.IntRange(min=1), help="Context size in tokens to request.")
@click.pass_obj
def command(options: Options, model: str, prompt: tuple[str, ...], ctx: int | None) -> None:
    """Chat with a model in the terminal.

    With PROMPT, or a prompt on stdin, prints one answer; without, starts an interactive chat.
    Uses the gglib server of this home if it runs, else starts one for the duration of the chat.
    """
    import sys

    from gglib.cli.chat.loop import Chat
    from gglib.cli.runner import with_catalog
    from gglib.cli.views.model_list import usage_hint
    from gglib.core.errors import ModelNotFoundError
    from gglib.core.plain_text import escape_block

    if options.remote is None:
        settings = options.settings()
        try:
            name, found = with_catalog(settings, lambda store: _find_model(store, model, settings))
        except ModelNotFoundError as error:
            raise click.ClickException(escape_block(_not_found_message(model, error))) from error
        running: AbstractContextManager[Endpoint] = _running_or_private_server(settings)
    else:
        name, found = _find_remote_model(options.remote, model)
        running = nullcontext(options.remote)
    if found.capabilities.embedding or found.capabilities.rerank:
        raise click.ClickException(f"Model '{name}' does not chat. {usage_hint(found)}")
    text = " ".join(prompt)
    if not sys.stdin.isatty() and not text:
        text = sys.stdin.read()
    text = text.encode(errors="replace").decode()  # bytes of an argument that are not UTF-8
    with running as server:
        chat = Chat(server, name, num_ctx=ctx, expected_model=found.name)
        if text.strip():
            chat.send(text)
        elif sys.stdin.isatty():
            chat.run()
        else:
            raise click.UsageError("No prompt: pass PROMPT as an argument or on stdin.")


async def _find_model(store: "HomeStorePort", name: str, settings: "Settings") -> "tuple[str, ModelSummary]":
    """Return the name for requests, and the model of the catalogue that is expected to serve them.

    They differ for an alias, of which the server chooses a model, and for ``MODEL:PROFILE``. Raises
    ``ModelNotFoundError``.
    """
    from gglib.core.kinds import models_of_kind
    from gglib.proxy.names.aliases import AliasLists
    from gglib.proxy.names.resolution import require_name

    found = await require_name(name, store, AliasLists(settings.aliases), store)
    fitting = found.models if found.alias is None else models_of_kind(found.models, "chat")
    return found.name, next(iter(fitting), found.models[0])


def _find_remote_model(server: "Endpoint", name: str) -> "tuple[str, ModelSummary]":
    """Return what ``_find_model`` returns; of an alias list the first model, without its capabilities.

    For a chat the server skips the models of the list that cannot chat.
    """
    from dataclasses import replace

    from gglib.cli.remote.commands import show_model
    from gglib.cli.remote.decode import model_of
    from gglib.core.models import ModelCapabilities
    from gglib.core.names import find_model

    found = model_of(show_model(server, name))
    if find_model(name, [found]) is None:  # an alias list, or MODEL:PROFILE
        return name, replace(found, capabilities=ModelCapabilities())
    return found.name, found


def _not_found_message(model: str, error: "ModelNotFoundError") -> str:
    """Return the error's message; for a possible repository, with the command that downloads it."""
    from gglib.core.errors import HubError
    from gglib.core.shell_quoting import quoted_command
    from gglib.library.variants.pull_target import read_target

    if error.is_ambiguous or "/" not in model:
        return str(error)
    try:
        read_target(model)
    except HubError:
        return str(error)
    if error.candidates:
        return f"{error} Otherwise, {quoted_command('pull', model)} downloads it."
    return f"Model '{model}' is not in the catalogue: {quoted_command('pull', model)} downloads it."


@contextmanager
def _running_or_private_server(settings: "Settings") -> "Iterator[Endpoint]":
    import logging

    from gglib.app.server import private_server
    from gglib.cli.engine_choice import choose_engine
    from gglib.cli.log_files import start_logging
    from gglib.cli.server.instance import find_instance

    instance = find_instance(settings)
    if instance is not None and instance.endpoint is not None:
        yield instance.endpoint
        return
    start_logging(settings.log_dir, stderr_level=logging.CRITICAL)
    with private_server(settings, choose_engine(settings)) as server:
        yield server
