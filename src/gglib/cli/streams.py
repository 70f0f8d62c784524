"""The border to stdin, stdout and stderr: whatever they are, a command works or ends with one sentence.

- Closed (``<&-``, ``>&-``): they become ``/dev/null``. Else the next file that is opened, the database for one, would
  get their number, and what is printed would go there.
- An encoding that lacks a character (``LC_ALL=C`` and an old locale): the character is escaped.
- Full (``/dev/full``, a full disk): ``OutputError``, which nothing takes for the failure of another file.
"""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

EXIT_OUTPUT_ERROR = 1


class OutputError(OSError):
    """Stdout or stderr cannot be written."""


class _OutputFile(io.FileIO):
    """Writes to a descriptor of another owner."""

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - whatever has bytes
        """Write, as ``FileIO`` does. Raises ``BrokenPipeError`` where the reader is gone, else ``OutputError``."""
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(error.errno, error.strerror) from error


def prepare_streams() -> None:
    """Make the three streams usable. Call it before anything is opened."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115 - for as long as the process
    elif isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # a prompt from a file in another encoding
    sys.stdout = _text_stream(1, sys.stdout)
    sys.stderr = _text_stream(2, sys.stderr)


def _text_stream(descriptor: int, before: TextIO | None) -> TextIO:
    if before is not None:
        with contextlib.suppress(OSError, ValueError):
            before.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_OutputFile(descriptor, "wb", closefd=False)),
        encoding="utf-8" if before is None else before.encoding,
        errors="backslashreplace",
        line_buffering=descriptor == 2 or before is None or bool(before.line_buffering),
    )


def report_output_error(error: OutputError) -> int:
    """Say on stderr, as far as that is possible, that stdout failed; return the exit code."""
    with ignore_output_errors():
        sys.stderr.write(
            f"Error: the output cannot be written ({error.strerror}): redirect it, or free disk space.\n"
        )
        sys.stderr.flush()
    _discard_unwritten()
    return EXIT_OUTPUT_ERROR


@contextlib.contextmanager
def ignore_output_errors() -> Iterator[None]:
    """Go on where the block cannot print: the reader is gone, or there is no room."""
    try:
        yield
    except OSError:
        _discard_unwritten()


def _discard_unwritten() -> None:
    """Forget what could not be written: at its end the interpreter would try again, and complain."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError, ValueError):  # it is none of ours, and has no descriptor
                os.dup2(null, stream.fileno())
    os.close(null)
