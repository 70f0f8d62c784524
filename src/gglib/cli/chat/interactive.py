"""Starts an interactive chat on this terminal. Imports the editor, which is slow to import."""

from collections.abc import Callable
from pathlib import Path

from gglib.cli.chat.command_actions import CommandActions
from gglib.cli.chat.input.completion import Sources
from gglib.cli.chat.input.editor import directory_entries, open_editor
from gglib.cli.chat.loop import ChatLoop
from gglib.cli.chat.options import ChatOptions
from gglib.cli.chat.session import ChatSession
from gglib.cli.chat.storage.history import HistoryFile
from gglib.cli.chat.storage.saved import SavedChats
from gglib.cli.server.models import served_models
from gglib.cli.views import render
from gglib.core.errors import GglibError
from gglib.core.kinds import models_of_kind


def chat_interactively(
    session: ChatSession, options: ChatOptions, home: Path, *, on_ready: Callable[[], None]
) -> None:
    """Chat until the user leaves. History and saved conversations are in ``home``.

    ``on_ready`` is called before the first prompt.
    """
    saved = SavedChats(home)
    sources = Sources(
        models=lambda: _model_names(session),
        chats=lambda: [chat.name for chat in saved.names()],
        files=directory_entries,
    )
    editor = open_editor(HistoryFile(home), sources)
    render.show_line(f"Chat with {session.model.name}. /? lists the commands, /bye or Ctrl-D leaves.")
    if session.images:
        count = len(session.images)
        render.echo(
            "The first prompt has the image." if count == 1 else f"The first prompt has {count} images."
        )
    on_ready()
    ChatLoop(session, editor, CommandActions(session, options, saved), options).run()


def _model_names(session: ChatSession) -> list[str]:
    """Return the names for completion; empty if the server does not answer."""
    try:
        return [model.name for model in models_of_kind(served_models(session.server), "chat")]
    except GglibError:
        return []
