"""The interactive chat: reads prompts and commands until the user leaves. Ctrl-C stops an answer, not the chat."""

import click

from gglib.cli.chat.command_actions import CommandActions
from gglib.cli.chat.input.editor import Editor
from gglib.cli.chat.options import ChatOptions
from gglib.cli.chat.session import ChatSession
from gglib.cli.chat.slash_commands import Prompt, SlashCommand, UnknownCommand, read_input
from gglib.cli.chat.statistics import Answer, end_note, verbose_line
from gglib.cli.views import render
from gglib.core.errors import GglibError

LEAVE_NOTE = "(Ctrl-C again or /bye leaves)"
CANCELLED = "(cancelled; /retry sends the prompt again)"
CANCELLED_COMMAND = "(cancelled)"
LEAVING_COMMAND = "bye"


class ChatLoop:
    """Reads inputs with an editor, and does what they say."""

    def __init__(
        self, session: ChatSession, editor: Editor, actions: CommandActions, options: ChatOptions
    ) -> None:
        self._session = session
        self._editor = editor
        self._actions = actions
        self._options = options

    def run(self) -> None:
        """Chat until ``/bye``, Ctrl-D, or two Ctrl-C at an empty prompt.

        A Ctrl-C between an answer and the next prompt, while the editor does not run, counts as one at the prompt.
        """
        was_interrupted = False
        while True:
            try:
                text = self._editor.read()
                was_interrupted = False
                if text.strip() and not self._do(text):
                    return
            except EOFError:
                click.echo()
                return
            except KeyboardInterrupt:
                if was_interrupted or not _show_leave_note():
                    return
                was_interrupted = True

    def _do(self, text: str) -> bool:
        """Do what an input says; return False to leave."""
        match read_input(text):
            case SlashCommand(name) if name == LEAVING_COMMAND:
                return False
            case UnknownCommand() as unknown:
                render.echo(unknown.message)
            case SlashCommand() as command:
                self._attempt(command)
            case Prompt() as prompt:
                self._attempt(prompt)
        return True

    def _attempt(self, meant: Prompt | SlashCommand) -> None:
        """Send a prompt, or run a command; errors do not end the chat."""
        try:
            if isinstance(meant, Prompt):
                answer: Answer | None = self._session.ask(meant.text)
            else:
                answer = self._actions.do(meant)
            if answer is not None:
                self._show_notes(answer)
        except KeyboardInterrupt:
            click.echo(CANCELLED if self._session.has_unanswered_prompt else CANCELLED_COMMAND)
        except GglibError as error:
            render.echo(f"Error: {error}", is_error=True)

    def _show_notes(self, answer: Answer) -> None:
        note = end_note(answer, self._session.limit, is_chat=True)
        for line in (note, verbose_line(answer) if self._options.is_verbose else None):
            if line is not None:
                render.echo(line)
        click.echo()


def _show_leave_note() -> bool:
    """Print how to leave; return False if another Ctrl-C arrives meanwhile."""
    try:
        click.echo(LEAVE_NOTE)
    except KeyboardInterrupt:
        return False
    return True
