"""Prepares stdin, stdout and stderr, so that a command works or ends with one sentence.

- Closed streams (``<&-``, ``>&-``) become ``/dev/null``. Otherwise the next opened file, such as the database, would
  get their descriptor, and output would be written to it.
- Characters that the encoding lacks (``LC_ALL=C``, an old locale) are escaped.
- A failed write (``/dev/full``, a full disk) raises ``OutputError``, which differs from the errors of other files.
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
    """Writes to a descriptor that it does not own."""

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - whatever has bytes
        """Write like ``FileIO``. Raises ``BrokenPipeError`` if the reader has closed the pipe, else ``OutputError``."""
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(error.errno, error.strerror) from error


def prepare_streams() -> None:
    """Make the three streams usable. Must be called before any file is opened."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
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
    """Report on stderr, if possible, that stdout failed; return the exit code."""
    with ignore_output_errors():
        sys.stderr.write(
            f"Error: the output cannot be written ({error.strerror}): redirect it, or free disk space.\n"
        )
        sys.stderr.flush()
    _discard_unwritten()
    return EXIT_OUTPUT_ERROR


@contextlib.contextmanager
def ignore_output_errors() -> Iterator[None]:
    """Ignore write errors of the block: a closed pipe, a full disk."""
    try:
        yield
    except OSError:
        _discard_unwritten()


def _discard_unwritten() -> None:
    """Discard unwritten output, which the interpreter would otherwise flush again at exit, with an error."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError, ValueError):  # a replaced stream without a descriptor
                os.dup2(null, stream.fileno())
    os.close(null)
