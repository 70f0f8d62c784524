"""Runs the slash commands of a chat. Each action prints its result; errors are ``GglibError``."""

from typing import TYPE_CHECKING

import click

from gglib.cli.chat.input.images import read_image
from gglib.cli.chat.model_choice import chat_models
from gglib.cli.chat.models import find_served_model
from gglib.cli.chat.options import ChatOptions
from gglib.cli.chat.session import ChatSession
from gglib.cli.chat.settings import find_setting, parse_setting, shown_settings
from gglib.cli.chat.slash_commands import SlashCommand, help_lines, unquoted
from gglib.cli.chat.statistics import Answer
from gglib.cli.chat.storage.saved import SavedChats, new_name
from gglib.cli.server.models import served_models
from gglib.cli.views import render
from gglib.core.errors import GglibError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FORCE = "-f"
"""Before the name of ``/save``: replaces another conversation of this name."""
_SWITCHES = {"on": True, "off": False}


class CommandActions:
    """The commands that change or show something; those that send a request return its answer."""

    def __init__(self, session: ChatSession, options: ChatOptions, saved: SavedChats) -> None:
        self._session = session
        self._options = options
        self._saved = saved
        self._name: str | None = None
        """The name of the conversation, once it is saved or loaded."""
        self._actions: Mapping[str, Callable[[str], Answer | None]] = {
            "?": self._help,
            "clear": self._clear,
            "set": self._set,
            "show": self._show,
            "model": self._model,
            "image": self._image,
            "retry": lambda _: session.ask_again(),
            "more": lambda _: session.go_on(),
            "save": self._save,
            "load": self._load,
        }

    def do(self, command: SlashCommand) -> Answer | None:
        """Run a command; return the answer of one that sends a request. Raises ``GglibError``."""
        return self._actions[command.name](command.argument)

    def _help(self, _: str) -> None:
        for line in help_lines():
            render.show_line(line)

    def _clear(self, _: str) -> None:
        self._session.clear()
        self._name = None
        click.echo("The conversation is cleared.")

    def _set(self, argument: str) -> None:
        settings = self._session.conversation.settings
        if not argument:
            self._show_settings()
            return
        given, text = [*argument.split(None, 1), ""][:2]
        if given.casefold() in self._options.switches:
            self._set_switch(given.casefold(), text)
            return
        name = find_setting(given)
        if text.strip():
            value = parse_setting(name, unquoted(text))
            if value is None:
                settings.pop(name, None)
            else:
                settings[name] = value
        self._show_settings(name)

    def _set_switch(self, name: str, text: str) -> None:
        value = _SWITCHES.get(text.strip().casefold())
        if value is None and text.strip():
            raise GglibError(f"'{name}' must be on or off.")
        if value is not None:
            self._options.set_switch(name, is_on=value)
        click.echo(f"{name}: {_on_or_off(self._options.switches[name])}")

    def _show_settings(self, only: str | None = None) -> None:
        conversation = self._session.conversation
        shown = shown_settings(conversation.settings, default_max_tokens=conversation.default_max_tokens)
        width = max(len(name) for name, _ in shown) + 2 if only is None else 0
        for name, value in shown:
            if only is None:
                render.echo(f"{name:<{width}}{value}")
            elif name == only:
                render.echo(f"{name}: {value}")
        if only is None:
            for name, is_on in self._options.switches.items():
                render.echo(f"{name:<{width}}{_on_or_off(is_on)}")

    def _show(self, _: str) -> None:
        session = self._session
        prompts = sum(message.role == "user" for message in session.conversation.messages)
        rows = [("model", session.model.name), ("prompts", f"{prompts:,}")]
        if self._name is not None:
            rows.append(("saved as", self._name))
        if session.images:
            rows.append(("images", f"{len(session.images)} for the next prompt"))
        end = None if session.last_answer is None else session.last_answer.end
        if end is not None and (used := end.count("total_tokens")) is not None:
            rows.append(("tokens", f"{used:,} of the context used by the last request"))
        for name, value in rows:
            render.echo(f"{name:<13}{value}")
        self._show_settings()

    def _model(self, name: str) -> None:
        session = self._session
        if not name:
            for model in chat_models(served_models(session.server)):
                mark = "*" if model.name == session.model.expected else " "
                render.echo(f"{mark} {model.name}")
            return
        session.use(find_served_model(session.server, name))
        render.echo(f"The model is {session.model.name}. The conversation goes on; /clear forgets it.")

    def _image(self, name: str) -> None:
        if not name:
            raise GglibError("Name the file: /image FILE.")
        self._session.add_image(read_image(unescaped(name)))
        count = len(self._session.images)
        click.echo("The next prompt has the image." if count == 1 else f"The next prompt has {count} images.")

    def _save(self, argument: str) -> None:
        if not self._session.conversation.messages:
            raise GglibError("There is nothing to save yet.")
        is_forced = argument.split(" ", maxsplit=1)[0] == FORCE
        name = argument.removeprefix(FORCE).strip() if is_forced else argument
        name = name or self._name or new_name()
        if name != self._name and not is_forced and self._saved.exists(name):
            raise GglibError(f"There is a conversation '{name}': '/save {FORCE} {name}' replaces it.")
        self._saved.save(name, self._session.conversation)
        self._name = name
        render.echo(f"Saved as '{name}': '/load {name}' loads it.")

    def _load(self, name: str) -> None:
        if not name:
            self._list_saved()
            return
        loaded = self._saved.load(name)
        wanted = loaded.model
        self._session.resume(loaded)
        self._name = name
        render.echo(f"Loaded '{name}': {_count(len(loaded.messages), 'message')}.")
        if wanted != self._session.model.name:
            self._change_model(wanted)

    def _change_model(self, wanted: str) -> None:
        """Use the model of a loaded conversation, if it is still there."""
        try:
            self._session.use(find_served_model(self._session.server, wanted))
        except GglibError as error:
            render.warn(f"{error} The model stays {self._session.model.name}.")
        else:
            render.echo(f"The model is {wanted}.")

    def _list_saved(self) -> None:
        import time

        chats = self._saved.names()
        if not chats:
            click.echo("No conversation is saved: /save saves this one.")
        width = max((len(chat.name) for chat in chats), default=0) + 2
        for chat in chats:
            render.echo(f"{chat.name:<{width}}{render.ago(max(0.0, time.time() - chat.changed_s))}")


def _on_or_off(is_on: bool) -> str:  # noqa: FBT001 - private
    return "on" if is_on else "off"


def unescaped(name: str) -> str:
    r"""Return a file name without the quotes or backslashes that terminals add to a dragged file: ``a\ b.png``."""
    for quote in "'\"":
        if len(name) > 1 and name[0] == name[-1] == quote:
            return name[1:-1]
    return name.replace("\\ ", " ")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
