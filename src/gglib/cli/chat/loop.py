"""The interactive chat: reads prompts and prints streamed answers. Ctrl-C stops an answer, not the chat."""

import contextlib
import sys

import click

from gglib.cli.chat.conversation import ChatDelta, Conversation
from gglib.cli.chat.stream import stream_chat
from gglib.cli.server.wait_line import wait_line
from gglib.cli.views import render
from gglib.core.addresses import Endpoint
from gglib.core.errors import GglibError
from gglib.core.plain_text import StreamEscaper

EXIT_COMMAND = "/bye"
PROMPT = ">>> "


class Chat:
    """One conversation with one model."""

    def __init__(
        self, server: Endpoint, model: str, *, num_ctx: int | None = None, expected_model: str | None = None
    ) -> None:
        """``expected_model`` is the model in the catalogue whose load is shown; None: ``model``."""
        self._server = server
        self._conversation = Conversation(model)
        self._num_ctx = num_ctx
        self._expected_model = expected_model or model

    def send(self, prompt: str) -> None:
        """Send a prompt and stream the answer to stdout. A failed prompt is dropped. Raises ``GglibError``."""
        body = self._conversation.add_prompt(prompt, num_ctx=self._num_ctx)
        try:
            answer = self._print_answer(body)
        except BaseException:
            self._conversation.drop_prompt()
            raise
        self._conversation.add_answer(answer)

    def run(self) -> None:
        """Chat until ``/bye`` or Ctrl-D."""
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401 - gives input() a history and line editing
        render.echo(
            f"Chat with {self._conversation.model}. {EXIT_COMMAND} or Ctrl-D exits, Ctrl-C stops a response."
        )
        while (prompt := _read_prompt()) is not None:
            if not prompt:
                continue
            try:
                self.send(prompt)
            except KeyboardInterrupt:
                click.echo("\n(interrupted)")
            except GglibError as error:
                render.echo(f"Error: {error}", is_error=True)

    def _print_answer(self, body: dict[str, object]) -> str:
        answer: list[str] = []
        printer: _TerminalPrinter | _PipePrinter = (
            _TerminalPrinter() if sys.stdout.isatty() else _PipePrinter()
        )
        with contextlib.ExitStack() as waiting:
            waiting.enter_context(wait_line(self._server, self._expected_model))
            with stream_chat(self._server, body) as deltas:
                for delta in deltas:
                    waiting.close()
                    printer.write(delta)
                    if not delta.is_reasoning:
                        answer.append(delta.text)
        printer.finish()
        return "".join(answer)


class _TerminalPrinter:
    """Prints an answer to a terminal, with control characters escaped."""

    def __init__(self) -> None:
        self._escaper = StreamEscaper()

    def write(self, delta: ChatDelta) -> None:
        """Print a part, except what the escaper holds back."""
        text = self._escaper.feed(delta.text)
        click.echo(click.style(text, dim=True) if delta.is_reasoning else text, nl=False)

    def finish(self) -> None:
        """Print the rest, and end the line."""
        click.echo(self._escaper.finish())


class _PipePrinter:
    """Writes an answer to a pipe or a file unchanged."""

    def write(self, delta: ChatDelta) -> None:
        """Write a part and flush. Raises OSError."""
        sys.stdout.write(delta.text)
        sys.stdout.flush()

    def finish(self) -> None:
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
    return None if prompt == EXIT_COMMAND else prompt
