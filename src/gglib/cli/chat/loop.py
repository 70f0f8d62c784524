"""A chat with a person at a terminal: prompts in, answers out as they arrive. Ctrl-C ends an answer, not the chat."""

import contextlib
import sys

import click

from gglib.cli.chat.answer import answer_to
from gglib.cli.chat.conversation import Conversation, Piece
from gglib.cli.server.wait_line import wait_line
from gglib.cli.views import render
from gglib.core.addresses import Endpoint
from gglib.core.errors import GglibError
from gglib.core.plain_text import StreamEscaper

GOODBYE = "/bye"
PROMPT = ">>> "


class Talk:
    """One conversation with one model."""

    def __init__(self, server: Endpoint, model: str, *, num_ctx: int | None = None) -> None:
        self._server = server
        self._conversation = Conversation(model)
        self._num_ctx = num_ctx

    def say(self, prompt: str) -> None:
        """Send a prompt and print the answer as it arrives. What fails is not remembered. Raises ``GglibError``."""
        body = self._conversation.ask(prompt, num_ctx=self._num_ctx)
        try:
            answer = self._print_answer(body)
        except BaseException:
            self._conversation.withdraw()
            raise
        self._conversation.answered(answer)

    def converse(self) -> None:
        """Talk until ``/bye`` or Ctrl-D."""
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401 - gives input() a history and line editing
        render.say(
            f"Chat with {self._conversation.model}. {GOODBYE} or Ctrl-D ends it, Ctrl-C ends an answer."
        )
        while (prompt := _read_prompt()) is not None:
            if not prompt:
                continue
            try:
                self.say(prompt)
            except KeyboardInterrupt:
                click.echo("\n(interrupted)")
            except GglibError as error:
                render.say(f"Error: {error}", is_error=True)

    def _print_answer(self, body: dict[str, object]) -> str:
        answer: list[str] = []
        show: _TerminalWords | _PipedWords = _TerminalWords() if sys.stdout.isatty() else _PipedWords()
        with contextlib.ExitStack() as waiting:
            waiting.enter_context(wait_line(self._server, self._conversation.model))
            with answer_to(self._server, body) as pieces:
                for piece in pieces:
                    waiting.close()
                    show.piece(piece)
                    if not piece.is_thought:
                        answer.append(piece.text)
        show.end()
        return "".join(answer)


class _TerminalWords:
    """Shows an answer on a terminal: what a model writes is text there, and never a control sequence."""

    def __init__(self) -> None:
        self._escaper = StreamEscaper()

    def piece(self, piece: Piece) -> None:
        """Show what can be shown of it."""
        text = self._escaper.feed(piece.text)
        click.echo(click.style(text, dim=True) if piece.is_thought else text, nl=False)

    def end(self) -> None:
        """Show the rest, and end the line."""
        click.echo(self._escaper.finish())


class _PipedWords:
    """Hands an answer to a program or a file as the model wrote it."""

    def piece(self, piece: Piece) -> None:
        """Write it at once. Raises OSError."""
        sys.stdout.write(piece.text)
        sys.stdout.flush()

    def end(self) -> None:
        """End the line. Raises OSError."""
        sys.stdout.write("\n")
        sys.stdout.flush()


def _read_prompt() -> str | None:
    try:
        prompt = input(PROMPT).strip()
    except EOFError:
        click.echo()
        return None
    except KeyboardInterrupt:
        click.echo()
        return ""
    return None if prompt == GOODBYE else prompt
