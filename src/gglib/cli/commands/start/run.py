"""``gglib run``: chats with a model in the terminal."""

import os
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from gglib.cli.context import Options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gglib.app.settings import Settings
    from gglib.cli.chat.models import ChatModel
    from gglib.core.addresses import Endpoint
    from gglib.core.errors import ModelNotFoundError
    from gglib.core.models import ModelSummary

_SETTINGS = {"system": "system", "max_tokens": "max_tokens", "ctx": "num_ctx"}
"""The settings of a chat by the names of the options, where they differ or are not numbers."""


@click.command("run")
@click.argument("model", required=False)
@click.argument("prompt", nargs=-1)
@click.option("--system", metavar="TEXT", help="System prompt.")
@click.option("--image", metavar="FILE", multiple=True, help="Add an image to the prompt; may be repeated.")
@click.option("--max-tokens", metavar="N|off", help="Limit on the tokens of an answer. Default: 2048.")
@click.option("--temperature", metavar="X", help="0 always takes the most probable token.")
@click.option("--top-p", metavar="X", help="Take tokens of this total probability only.")
@click.option("--top-k", metavar="N", help="Take the N most probable tokens only.")
@click.option("--min-p", metavar="X", help="Leave out tokens below this share of the best one.")
@click.option("--seed", metavar="N", help="Seed of the random choice of tokens.")
@click.option("--think", metavar="VALUE", help="on, off, low, medium or high, for models that reason.")
@click.option("--ctx", metavar="N", help="Context size in tokens to request.")
@click.option("--verbose", is_flag=True, help="Print tokens, speeds and times after an answer.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as a JSON object.")
@click.option(
    "--markdown/--no-markdown", default=True, help="Format Markdown on a terminal. Default: --markdown."
)
@click.pass_obj
def command(  # noqa: PLR0913 - one for each option
    options: Options,
    /,
    model: str | None,
    prompt: tuple[str, ...],
    image: tuple[str, ...],
    *,
    verbose: bool,
    as_json: bool,
    markdown: bool,
    **given: str | None,
) -> None:
    """Chat with a model in the terminal.

    With PROMPT, or a prompt on stdin, prints one answer; text on stdin follows PROMPT. Without, starts an
    interactive chat. Without MODEL, uses 'default_model' or the only model, else asks for one.

    Uses the gglib server of this home if it runs, else starts one for the duration of the chat.
    """
    import sys

    from gglib.cli.chat.conversation import Conversation
    from gglib.cli.chat.input.images import read_image
    from gglib.cli.chat.input.piped_input import joined_prompt, read_piped_text
    from gglib.cli.chat.input.terminal_modes import hidden_typing
    from gglib.cli.chat.options import ChatOptions
    from gglib.cli.chat.single import chat_once, new_session

    chat_settings = _chat_settings(given)
    images = [read_image(name) for name in image]
    words = " ".join(prompt).strip()
    is_interactive = not words and not as_json and sys.stdin.isatty()
    with ExitStack() as typing:
        if is_interactive and model is not None and os.environ.get("TERM", "dumb") != "dumb":
            typing.enter_context(hidden_typing())  # what is typed before the first prompt is for that prompt
        found, running = _model_and_server(options, model, words, can_ask=is_interactive)
        text = joined_prompt(words, read_piped_text(has_prompt=bool(words)))
        if not text and not is_interactive:
            raise click.UsageError("No prompt: pass PROMPT as an argument or on stdin.")
        shown = ChatOptions(is_verbose=verbose, has_markdown=markdown)
        conversation = Conversation(found.name, settings=chat_settings)
        with running as server:
            session = new_session(server, found, conversation, shown, as_json=as_json)
            for url in images:
                session.add_image(url)
            if text:
                chat_once(session, text, shown, as_json=as_json)
            else:
                from gglib.cli.chat.interactive import chat_interactively

                home = options.tolerant_settings(is_quiet=True).home
                chat_interactively(session, shown, home, on_ready=typing.close)


def _chat_settings(given: dict[str, str | None]) -> dict[str, Any]:
    """Return the settings of the chat. Raises ``InvalidSettingError``."""
    from gglib.cli.chat.settings import parse_setting

    parsed = {
        _SETTINGS.get(name, name): parse_setting(_SETTINGS.get(name, name), text)
        for name, text in given.items()
        if text is not None
    }
    return {name: value for name, value in parsed.items() if value is not None}


def _model_and_server(
    options: Options, model: str | None, words: str, *, can_ask: bool
) -> "tuple[ChatModel, AbstractContextManager[Endpoint]]":
    """Return the model of the chat, and the server, which is started with the block if none runs."""
    from gglib.cli.chat.models import find_local_model, find_served_model, local_models
    from gglib.cli.server.models import served_models
    from gglib.core.errors import GglibError, ModelNotFoundError
    from gglib.core.plain_text import escape_block

    remote = options.remote
    if remote is not None:
        name = model or _pick(served_models(remote), None, can_ask=can_ask)
        try:
            return find_served_model(remote, name), nullcontext(remote)
        except GglibError as error:
            raise _with_hint(f"{error}", name, (), words) from error
    settings = options.settings()
    name = model or _pick(local_models(settings), settings.default_model, can_ask=can_ask)
    try:
        found = find_local_model(settings, name)
    except ModelNotFoundError as error:
        known = error.candidates or error.others
        message = _not_found_message(name, error)
        if model is None:
            raise click.ClickException(escape_block(f"Setting 'default_model': {message}")) from error
        raise _with_hint(message, name, known, words) from error
    return found, _running_or_private_server(settings)


def _with_hint(message: str, name: str, known: "Sequence[str]", words: str) -> click.ClickException:
    """Return the error for a missing model; with the right command if the name is rather a prompt."""
    from gglib.cli.chat.model_choice import looks_like_prompt, model_first_hint
    from gglib.core.plain_text import escape_block

    if looks_like_prompt(name, has_prompt=bool(words)):
        message = f"{message} {model_first_hint(next(iter(known), 'MODEL'), f'{name} {words}'.strip())}"
    return click.ClickException(escape_block(message))


def _pick(models: "Sequence[ModelSummary]", default: str | None, *, can_ask: bool) -> str:
    """Return the name of the default model or of the only one that can chat, else that which the user picks."""
    from gglib.cli.chat.model_choice import chat_models
    from gglib.cli.chat.models import ask_for_model
    from gglib.cli.models.chat_models import several_models_error
    from gglib.cli.terminal.console import is_interactive
    from gglib.core.shell_quoting import quoted_command

    if default is not None:
        return default
    choices = chat_models(models)
    if len(choices) == 1:
        return choices[0].name
    if not (can_ask and is_interactive()):
        advice = f"name one, as in {quoted_command('run', choices[0].name)}, or set 'default_model'"
        raise several_models_error(choices, advice)
    return ask_for_model(choices)


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
    from gglib.app.serving.private_server import private_server
    from gglib.cli.server.instance import find_instance
    from gglib.cli.serving.engine_choice import choose_engine
    from gglib.cli.serving.log_files import start_quiet_logging

    instance = find_instance(settings)
    if instance is not None and instance.endpoint is not None:
        yield instance.endpoint
        return
    start_quiet_logging(settings)
    with private_server(settings, choose_engine(settings)) as server:
        yield server
