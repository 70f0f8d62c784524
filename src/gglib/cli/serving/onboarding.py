"""The smoke test of ``gglib up``: a prompt to a model through the proxy; and what to type next."""

import asyncio
import time
from collections.abc import Iterable, Sequence

import click

from gglib.app.clients.client import Connection
from gglib.app.clients.keys import client_key
from gglib.cli import STARTED_S
from gglib.cli.chat.conversation import Conversation
from gglib.cli.chat.stream import stream_chat
from gglib.cli.clients.places import places
from gglib.cli.clients.target import context_of
from gglib.cli.server.client import reachable
from gglib.cli.server.wait_line import wait_line
from gglib.cli.views import first_start, render
from gglib.core.addresses import Endpoint
from gglib.core.errors import GglibError
from gglib.core.models import ModelSummary
from gglib.core.shell_quoting import quoted_command

PROMPT = "Say hello in one short sentence."
MAX_TOKENS = 40
"""Enough for a sentence, and quick even on a slow machine."""


MAX_ATTEMPTS = 3
"""One broken model must not hide that the others answer; three failures have a common cause."""


async def smoke_test_any(server: Endpoint, models: Sequence[ModelSummary]) -> ModelSummary | None:
    """Print the test answer of the first model that responds, and return the model; None if none does.

    Prints a warning for each model that does not respond: the server serves the others, and models added later.
    """
    tested = models[:MAX_ATTEMPTS]
    for model in tested:
        try:
            await smoke_test(server, model)
        except GglibError as error:
            _warn_of_failure(model, error, goes_on=model is not tested[-1])
        else:
            return model
    render.warn("No model has answered the test. gglib serves anyway; 'gglib doctor' checks this machine.")
    return None


def _warn_of_failure(model: ModelSummary, error: GglibError, *, goes_on: bool) -> None:
    # The engine, a setting or the memory may be the cause of a failed load: the message must not advise removing the
    # model.
    render.warn(
        f"{error}\n  {quoted_command('logs', model.name)} shows the engine's log, "
        f"{quoted_command('verify', model.name)} checks its file.{' Trying the next model.' if goes_on else ''}"
    )


async def smoke_test(server: Endpoint, model: ModelSummary) -> None:
    """Send a test prompt through the proxy, and print the answer and the times. Raises ``GglibError``."""
    if not model.capabilities.chat:
        render.echo(f"Test     skipped: {model.name} is not a chat model")
        return
    started_s = time.monotonic()
    with wait_line(server, model.name, initial_text=f"Loading '{model.name}' and sending a test prompt ..."):
        reply = await asyncio.to_thread(_chat_once, server, model.name)
    now_s = time.monotonic()
    click.echo(f"Prompt   {PROMPT}")
    render.show_line(f"Answer   {reply}")
    click.echo(
        f"Time     {now_s - started_s:.1f} s for load and response, "
        f"{now_s - STARTED_S:.1f} s since the command started"
    )


def show_next_steps(
    url: str, model: ModelSummary | None, *, default_ctx: int, key_names: Sequence[str] = ()
) -> None:
    """Print what to type next: a request to the model, if one has answered, and the commands that connect programs.

    ``key_names`` are the names of the access keys that may use the model.
    """
    click.echo()
    if model is not None:
        connection = Connection(
            url=reachable(url),
            model=model.name,
            context=context_of(model, default_ctx),
            key=client_key(key_names),
        )
        _show_lines(first_start.request_lines(connection, model, places(), key_names=key_names))
        click.echo()
    _show_lines(first_start.connect_lines())
    click.echo(f"\n{first_start.serving_line(url)}")


def _show_lines(lines: Iterable[str]) -> None:
    for line in lines:
        # A command stays whole, to be pasted.
        show = render.show_verbatim if line.startswith(" ") else render.show_line
        show(line)


def _chat_once(server: Endpoint, model_name: str) -> str:
    body = Conversation(model_name).add_prompt(PROMPT) | {"max_tokens": MAX_TOKENS}
    with stream_chat(server, body) as stream:
        deltas = list(stream)
    answer = "".join(delta.text for delta in deltas if not delta.is_reasoning)
    thoughts = "".join(delta.text for delta in deltas if delta.is_reasoning)
    return " ".join((answer or thoughts).split()) or "(nothing)"
