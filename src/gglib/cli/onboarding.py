"""The output of ``gglib up``: a smoke test of a model through the proxy, and the settings for clients."""

import asyncio
import time
from collections.abc import Sequence

import click

from gglib.app.clients.client import Client, Connection, Settings
from gglib.app.clients.table import CLIENTS, COMMON_CLIENTS
from gglib.cli import STARTED_S
from gglib.cli.chat.conversation import Conversation
from gglib.cli.chat.stream import stream_chat
from gglib.cli.clients.keys import client_key, key_hint
from gglib.cli.clients.places import places, shown_path
from gglib.cli.clients.target import context_of
from gglib.cli.server.client import reachable
from gglib.cli.server.wait_line import wait_line
from gglib.cli.views import render
from gglib.cli.views.clients import settings_lines
from gglib.core.addresses import Endpoint
from gglib.core.errors import GglibError
from gglib.core.models import ModelSummary
from gglib.core.plain_text import escape_line
from gglib.core.shell_quoting import quoted_command

PROMPT = "Say hello in one short sentence."
MAX_TOKENS = 40
"""Enough for a sentence, and quick even on a slow machine."""


MAX_ATTEMPTS = 3
"""One broken model must not prevent serving the others; three failures have a common cause."""


async def smoke_test_any(server: Endpoint, models: Sequence[ModelSummary]) -> ModelSummary:
    """Print the test answer of the first model that responds; return the model. Raises ``GglibError`` if none does."""
    for model in models[: MAX_ATTEMPTS - 1]:
        try:
            await smoke_test(server, model)
        except GglibError as error:
            if model is models[-1]:
                raise
            # The engine, a setting or the memory may be the cause of a failed load: the message must not advise
            # removing the model.
            render.echo(
                f"Warning: {error}\n         {quoted_command('logs', model.name)} shows the engine's log, "
                f"{quoted_command('verify', model.name)} checks its file. Trying the next model.",
                is_error=True,
            )
        else:
            return model
    last = models[min(MAX_ATTEMPTS, len(models)) - 1]
    await smoke_test(server, last)
    return last


async def smoke_test(server: Endpoint, model: ModelSummary) -> None:
    """Send a test prompt through the proxy, and print the answer and the times. Raises ``GglibError``."""
    if not model.capabilities.chat:
        render.echo(f"Model    {model.name} is not a chat model, so the test is skipped.")
        return
    started_s = time.monotonic()
    with wait_line(server, model.name, initial_text=f"Loading '{model.name}' and sending a test prompt ..."):
        reply = await asyncio.to_thread(_chat_once, server, model.name)
    now_s = time.monotonic()
    click.echo(f"Prompt   {PROMPT}")
    render.echo(f"Answer   {escape_line(reply)}")
    click.echo(
        f"Time     {now_s - started_s:.1f} s for load and response, "
        f"{now_s - STARTED_S:.1f} s since the command started"
    )


def show_client_settings(
    url: str, model: ModelSummary, *, default_ctx: int, key_names: Sequence[str] = ()
) -> None:
    """Print the settings for the most common clients, with the names of the access keys."""
    connection = Connection(
        url=reachable(url),
        model=model.name,
        context=context_of(model, default_ctx),
        key=client_key(key_names),
    )
    shown = {client: client.settings(connection, places()) for client in COMMON_CLIENTS}
    texts = "\n".join(f"{settings.text}\n{settings.note}" for settings in shown.values())
    if connection.key is not None and (hint := key_hint(connection.key, key_names, texts)) is not None:
        render.echo(f"\nKeys     {hint}")
    for client, settings in shown.items():
        _show_settings(client, settings)
    programs = ", ".join(client.name for client in CLIENTS if client.program is not None)
    click.echo(f"\n'gglib launch NAME' starts a program that uses this server: {programs}.")
    click.echo(f"'gglib connect' lists all {len(CLIENTS)} clients, 'gglib connect NAME' shows one.")
    click.echo(f"\nServing at {url}. Ctrl-C stops everything.")


def _show_settings(client: Client, settings: Settings) -> None:
    click.echo(f"\n{click.style(client.title, bold=True)}  ({escape_line(shown_path(settings.where))})")
    for line in (*settings.text.splitlines(), *settings_lines(settings)):
        render.echo(f"  {line}")


def _chat_once(server: Endpoint, model_name: str) -> str:
    body = Conversation(model_name).add_prompt(PROMPT) | {"max_tokens": MAX_TOKENS}
    with stream_chat(server, body) as stream:
        deltas = list(stream)
    answer = "".join(delta.text for delta in deltas if not delta.is_reasoning)
    thoughts = "".join(delta.text for delta in deltas if delta.is_reasoning)
    return " ".join((answer or thoughts).split()) or "(nothing)"
