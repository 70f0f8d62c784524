"""The output of ``gglib up``: a smoke test of a model through the proxy, and the settings for clients."""

import asyncio
import time
from collections.abc import Sequence

import click

from gglib.cli import STARTED_S
from gglib.cli.chat.conversation import Conversation
from gglib.cli.chat.stream import stream_chat
from gglib.cli.client_settings import client_settings, key_hint
from gglib.cli.server.client import reachable
from gglib.cli.server.wait_line import wait_line
from gglib.cli.views import render
from gglib.core.addresses import Endpoint
from gglib.core.context import ContextRequest
from gglib.core.errors import GglibError
from gglib.core.kinds import max_context
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
    """Print the settings for each client, with the names of the access keys."""
    context = ContextRequest(
        requested=None,
        model_setting=model.settings.context,
        default=default_ctx,
        trained=max_context(model),
    )
    if key_names:
        render.echo(f"\nKeys     {key_hint(key_names)}")
    for setting in client_settings(reachable(url), model.name, context.needed, key_names=key_names):
        click.echo(f"\n{click.style(setting.client, bold=True)}  ({setting.where})")
        for line in setting.text.splitlines():
            render.echo(f"  {line}")
    click.echo(f"\nServing at {url}. Ctrl-C stops everything.")


def _chat_once(server: Endpoint, model_name: str) -> str:
    body = Conversation(model_name).add_prompt(PROMPT) | {"max_tokens": MAX_TOKENS}
    with stream_chat(server, body) as stream:
        deltas = list(stream)
    answer = "".join(delta.text for delta in deltas if not delta.is_reasoning)
    thoughts = "".join(delta.text for delta in deltas if delta.is_reasoning)
    return " ".join((answer or thoughts).split()) or "(nothing)"
