"""The text on stdin, which follows the prompt of the command line: ``seq 200 | gglib run M "Sum:"``.

A file and a pipe of a shell are read to their end. A socket (of ssh without a terminal, or of a parent process) may
stay open without ever sending anything: beside a prompt it is read only if text or its end comes at once. A terminal,
and other devices such as ``/dev/null``, are not read beside a prompt.
"""

import codecs
import os
import select
import stat
import time

import click

from gglib.cli.chat.input.images import image_type
from gglib.cli.terminal.streams import ignore_output_errors
from gglib.core.errors import GglibError
from gglib.core.sizes import format_size

MAX_PIPED_BYTES = 4_000_000
"""Several times the largest contexts of models, which have about four bytes a token."""
SOCKET_WAIT_S = 0.5
"""For the first bytes of a socket."""
NOTE_AFTER_S = 2.0
"""After this time without text, a note on stderr says what the command waits for."""
_STDIN = 0
_CHUNK_BYTES = 65_536


def read_piped_text(*, has_prompt: bool) -> str:
    """Return the text on stdin; empty if there is none, or if it is a terminal. Raises ``GglibError``."""
    if os.isatty(_STDIN):
        return ""
    kind = os.fstat(_STDIN).st_mode
    is_stream = stat.S_ISREG(kind) or stat.S_ISFIFO(kind)
    if has_prompt and not is_stream and not (stat.S_ISSOCK(kind) and _is_readable(SOCKET_WAIT_S)):
        return ""
    return decode_piped(_read_bounded(has_prompt=has_prompt))


def decode_piped(content: bytes) -> str:
    """Return the text of bytes; those that are not UTF-8 are replaced. Raises ``GglibError`` for binary data."""
    if len(content) > MAX_PIPED_BYTES:
        raise GglibError(
            f"The text on stdin is larger than {format_size(MAX_PIPED_BYTES)}, more than a model can read: "
            "send a part of it, such as with 'head -c 100000'."
        )
    if len(content) > len(codecs.BOM_UTF16) and content.startswith(
        (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    ):
        return content.decode("utf-16", errors="replace")
    if image_type(content) is not None:
        raise GglibError("The data on stdin is an image: pass its file with --image FILE.")
    if b"\0" in content:
        raise GglibError("The data on stdin is binary, not text: convert it to text first.")
    return content.removeprefix(codecs.BOM_UTF8).decode(errors="replace").replace("\r\n", "\n")


def joined_prompt(prompt: str, piped: str) -> str:
    """Return the prompt, a blank line, and the piped text; only what is there."""
    prompt = prompt.encode(errors="replace").decode()  # bytes of an argument that are not UTF-8
    return "\n\n".join(part for part in (prompt.strip(), piped.strip("\n")) if part.strip())


def _read_bounded(*, has_prompt: bool) -> bytes:
    """Read to the end, or until it is too much. Says on stderr if nothing comes for a while."""
    content = bytearray()
    note_s: float | None = time.monotonic() + NOTE_AFTER_S
    while len(content) <= MAX_PIPED_BYTES:
        if note_s is not None and not _is_readable(max(0.0, note_s - time.monotonic())):
            _report_wait(has_prompt=has_prompt)
            note_s = None
        chunk = os.read(_STDIN, _CHUNK_BYTES)
        if not chunk:
            break
        content += chunk
        note_s = None
    return bytes(content)


def _report_wait(*, has_prompt: bool) -> None:
    hint = ": '</dev/null' sends the prompt alone" if has_prompt else ""
    with ignore_output_errors():
        click.echo(f"Waiting for the end of the text on stdin{hint} ...", err=True)


def _is_readable(limit_s: float) -> bool:
    try:
        return bool(select.select([_STDIN], [], [], limit_s)[0])
    except (OSError, ValueError):  # a descriptor that cannot be polled: the read decides
        return True
