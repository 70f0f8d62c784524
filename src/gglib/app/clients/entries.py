"""What the entries of the table share. Pure."""

import hashlib
import shlex
from pathlib import Path

from gglib.app.clients.client import ConfigFile, LaunchFile, Settings
from gglib.app.clients.merged_values import with_defaults
from gglib.app.clients.snippets import config_text

PROVIDER = "gglib"
"""The name of gglib among the providers of a client."""
KEY_VARIABLE = "GGLIB_CLIENT_KEY"
"""The variable in which clients find the key.

Not ``GGLIB_API_KEY``: it has the keys that a server accepts, and a server that such a client starts would take it over.
"""
RUN_ON = "2026-11-29"
"""The day on which the versions in the table were run."""


def command(*words: str) -> str:
    """Return a line for a shell."""
    return shlex.join(words)


def config_settings(file: ConfigFile, *, start: str = "", note: str = "") -> Settings:
    """Return settings that are the content of a file; the text is what a new file has."""
    text = config_text(with_defaults(file.values, file.defaults), file.format)
    return Settings(where=str(file.path), text=text, file=file, start=start, note=note)


def launch_file(directory: Path, stem: str, suffix: str, content: str) -> LaunchFile:
    """Return a file whose name follows from its content: a launch of another model at the same time has another."""
    digest = hashlib.sha256(content.encode()).hexdigest()[:12]
    return LaunchFile(path=directory / f"{stem}-{digest}{suffix}", content=content)
