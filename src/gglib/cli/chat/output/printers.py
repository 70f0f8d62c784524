"""Writes answers to stdout while they arrive: formatted on a terminal, unchanged in a pipe or a file."""

import shutil
import sys
from collections.abc import Iterable
from typing import Protocol

import click

from gglib.cli.chat.output.markdown import MarkdownStream, PlainStream, TextStream
from gglib.cli.chat.output.styles import DIM, PLAIN, Span
from gglib.cli.chat.response import ChatDelta
from gglib.cli.terminal.colours import stream_has_colours
from gglib.core.plain_text import StreamEscaper

THINKING = "Thinking ..."
THOUGHT = "... done thinking."
"""Around the reasoning on a terminal without styles."""


class Printer(Protocol):
    """Writes one answer."""

    def write(self, delta: ChatDelta) -> None:
        """Write a part. Raises OSError."""

    def finish(self) -> None:
        """Write the rest, and end the line. Raises OSError."""


def has_styles() -> bool:
    """Whether stdout is a terminal, and text on it has styles (``terminal.colours``)."""
    return sys.stdout.isatty() and stream_has_colours(sys.stdout)


def answer_printer(*, markdown: bool) -> Printer:
    """Return the printer for one answer on stdout."""
    if not sys.stdout.isatty():
        return PipePrinter()
    return TerminalPrinter(markdown=markdown and has_styles(), styled=has_styles())


class TerminalPrinter:
    """Prints to a terminal, with control characters escaped; reasoning is dim."""

    def __init__(self, *, markdown: bool, styled: bool) -> None:
        self._is_markdown = markdown
        self._is_styled = styled
        self._is_reasoning: bool | None = None
        """Of the last part; None before the first."""
        self._has_text = False
        self._start_section()

    def write(self, delta: ChatDelta) -> None:
        """Print a part, except what may still change."""
        if delta.is_reasoning != self._is_reasoning:
            self._change_section(is_reasoning=delta.is_reasoning)
        self._feed(self._escaper.feed(delta.text))

    def finish(self) -> None:
        """Print the rest, and end the line."""
        self._end_section()
        if self._is_reasoning and not self._is_styled:
            click.echo(THOUGHT)

    def _change_section(self, *, is_reasoning: bool) -> None:
        """Go on with the reasoning after the answer, or with the answer after the reasoning."""
        if self._is_reasoning is not None:
            self._end_section()
            if self._is_reasoning and not self._is_styled:
                click.echo(THOUGHT)
            click.echo()
        if is_reasoning and not self._is_styled:
            click.echo(THINKING)
        self._is_reasoning = is_reasoning
        self._start_section()

    def _start_section(self) -> None:
        width = shutil.get_terminal_size().columns
        is_markdown = self._is_markdown and not self._is_reasoning
        style = DIM if self._is_reasoning else PLAIN
        self._stream: TextStream = MarkdownStream(width) if is_markdown else PlainStream(width, style)
        self._escaper = StreamEscaper()
        self._has_text = False
        self._line_ends = ""

    def _end_section(self) -> None:
        self._feed(self._escaper.finish())
        self._write(self._stream.finish())
        click.echo()

    def _feed(self, text: str) -> None:
        """Print a text without the empty lines at its start, and without the space before its first word."""
        if not self._has_text:
            text = text.lstrip("\n")
            text = text if text.startswith("  ") else text.removeprefix(" ")
        if text:
            self._has_text = True
            self._stream.width = shutil.get_terminal_size().columns
            self._write(self._stream.feed(text))

    def _write(self, spans: Iterable[Span]) -> None:
        """Write spans; line ends are held back until more text comes, so that no empty lines end a section."""
        for span in spans:
            body = span.text.rstrip("\n")
            if body:
                click.echo(self._line_ends + self._styled(Span(body, span.style)), nl=False)
                self._line_ends = ""
            self._line_ends += span.text[len(body) :]

    def _styled(self, span: Span) -> str:
        style = span.style
        if not self._is_styled or style == PLAIN:
            return span.text
        return click.style(
            span.text,
            fg=style.color,
            bold=style.bold or None,
            dim=style.dim or None,
            italic=style.italic or None,
            underline=style.underline or None,
            strikethrough=style.strike or None,
        )


class PipePrinter:
    """Writes the answer to a pipe or a file unchanged; the reasoning is left out."""

    def write(self, delta: ChatDelta) -> None:
        """Write a part and flush. Raises OSError."""
        if not delta.is_reasoning:
            sys.stdout.write(delta.text)
            sys.stdout.flush()

    def finish(self) -> None:
        """End the line. Raises OSError."""
        sys.stdout.write("\n")
        sys.stdout.flush()


class SilentPrinter:
    """Writes nothing, for an answer that is printed as JSON when it is complete."""

    def write(self, delta: ChatDelta) -> None:
        """Ignore a part."""

    def finish(self) -> None:
        """Do nothing."""
