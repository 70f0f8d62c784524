"""Reads the prompts of a chat: with prompt-toolkit, or line by line on a dumb terminal and with a screen reader.

Imported when an interactive chat starts, because prompt-toolkit is slow to import.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import History
from prompt_toolkit.input.defaults import create_input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output.vt100 import Vt100_Output

from gglib.cli.chat.input.completion import Sources, suggestions
from gglib.cli.chat.slash_commands import is_open
from gglib.cli.chat.storage.history import HistoryFile

PROMPT = ">>> "
CONTINUATION = "... "
MAX_FILES = 1000
"""Entries of a directory that are offered."""


class Editor(Protocol):
    """Reads one prompt after another."""

    def read(self) -> str:
        """Return the next input. Raises ``EOFError``, and ``KeyboardInterrupt`` for Ctrl-C without any text."""


def open_editor(history: HistoryFile, sources: Sources) -> Editor:
    """Return the editor for this terminal."""
    if os.environ.get("TERM", "dumb") == "dumb" or not sys.stdout.isatty():
        return LineEditor(history)
    return FullEditor(history, sources)


class FullEditor:
    """Edits prompts of several lines, with a history, completion, and pastes as one text (bracketed paste)."""

    def __init__(self, history: HistoryFile, sources: Sources) -> None:
        self._session: PromptSession[str] = PromptSession(
            PROMPT,
            multiline=True,
            prompt_continuation=CONTINUATION,
            key_bindings=_key_bindings(),
            history=_StoredHistory(history),
            completer=_CommandCompleter(sources),
            complete_while_typing=False,
            complete_in_thread=True,  # names of models come from the server
            reserve_space_for_menu=4,
            enable_suspend=True,
            input=create_input(sys.stdin),
            output=_output(),
        )

    def read(self) -> str:
        """Return the next input."""
        return self._session.prompt()


class LineEditor:
    """Reads lines as the terminal delivers them; readline edits them, if Python has it."""

    def __init__(self, history: HistoryFile) -> None:
        self._history = history
        try:
            import readline
        except ImportError:
            self._readline = None
        else:
            self._readline = readline
            readline.set_auto_history(False)
            for prompt in history.read():
                readline.add_history(prompt.replace("\n", " "))

    def read(self) -> str:
        """Return the next input."""
        try:
            text = input(PROMPT)
            while is_open(text):
                text += "\n" + input(CONTINUATION)
        except KeyboardInterrupt:
            if self._readline is not None and self._readline.get_line_buffer():
                return ""
            raise
        self._history.append(text)
        if self._readline is not None and text.strip():
            self._readline.add_history(text.replace("\n", " "))
        return text


class _StoredHistory(History):
    """The history of prompt-toolkit, kept in a file."""

    def __init__(self, file: HistoryFile) -> None:
        super().__init__()
        self._file = file

    def load_history_strings(self) -> Iterable[str]:
        """Yield the prompts, the newest first."""
        return reversed(self._file.read())

    def store_string(self, string: str) -> None:
        """Keep a prompt."""
        self._file.append(string)


class _CommandCompleter(Completer):
    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Yield the completions at the cursor."""
        del complete_event
        for text, length in suggestions(document.text_before_cursor, self._sources):
            yield Completion(text, start_position=-length)


def directory_entries(folder: str) -> list[str]:
    """Return the entries of a directory, directories with a slash; empty if it cannot be read."""
    entries: list[str] = []
    try:
        with os.scandir(Path(folder or ".").expanduser()) as scanned:
            for entry in scanned:
                entries.append(f"{entry.name}/" if entry.is_dir() else entry.name)
                if len(entries) == MAX_FILES:
                    break
    except (OSError, RuntimeError, ValueError):  # no such directory, no such user, a NUL
        return []
    return entries


def _output() -> Vt100_Output:
    """Return the terminal on stdout.

    It is never asked for the cursor's position: over a slow connection the response would be input for the next
    program, and a terminal without one causes a warning.
    """
    output = Vt100_Output.from_pty(sys.stdout)
    output.enable_cpr = False
    return output


def _key_bindings() -> KeyBindings:
    bindings = KeyBindings()

    @bindings.add("enter")
    def _(event: KeyPressEvent) -> None:
        """Send the prompt, or go on after three quotes."""
        buffer = event.current_buffer
        if buffer.complete_state is not None and buffer.complete_state.current_completion is not None:
            buffer.complete_state = None  # the chosen completion stays
        elif is_open(buffer.text):
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @bindings.add("c-j")
    @bindings.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        """Start a new line."""
        event.current_buffer.insert_text("\n")

    @bindings.add("c-c")
    def _(event: KeyPressEvent) -> None:
        """Clear the prompt; if it is empty, end it."""
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt, style="class:aborting")

    return bindings
