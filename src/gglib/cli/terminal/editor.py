"""Opens a file in the user's editor."""

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from gglib.core.errors import GglibError

OWNER_ONLY = 0o600
FALLBACK = "vi"
"""The editor that POSIX requires of every system."""


def editor_command(environ: Mapping[str, str]) -> list[str]:
    """Return the words of ``$VISUAL``, else of ``$EDITOR``, which may have arguments. Raises ``GglibError``. Pure."""
    text = environ.get("VISUAL", "").strip() or environ.get("EDITOR", "").strip() or FALLBACK
    try:
        return shlex.split(text)
    except ValueError as error:
        raise GglibError(
            f"The editor {text!r} cannot be started ({error}): set EDITOR to a program."
        ) from None


def edit_file(path: Path) -> bool:
    """Open the file in the editor, wait for it, and return whether the content changed.

    A missing file is created with access for its owner only, and removed again if it stays empty. Raises
    ``GglibError`` if the editor cannot be started or fails, and OSError if the file cannot be used.
    """
    is_new = not path.exists()
    if is_new:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, OWNER_ONLY))
    before = path.read_bytes()
    command = editor_command(os.environ)
    try:
        status = subprocess.run([*command, str(path)], check=False).returncode
    except OSError as error:
        raise GglibError(
            f"The editor '{command[0]}' cannot be started ({error.strerror}): set EDITOR."
        ) from error
    finally:
        if is_new and path.exists() and not path.stat().st_size:
            path.unlink()
    if status:
        raise GglibError(
            f"The editor '{command[0]}' ended with exit code {status}: config.toml may be unchanged."
        )
    return path.exists() and path.read_bytes() != before
