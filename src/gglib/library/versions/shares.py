"""The incoming directory of a home that shares the ``models/`` of another home: each home has its own."""

import contextlib
import os
from pathlib import Path

from gglib.library.versions.layout import INCOMING_NAME
from gglib.system.files.durable import sync
from gglib.system.files.small_files import open_regular, read_small

SHARED_NAME = "models.shared"
"""File inside such a home with the name of its incoming directory below ``models/``."""
_MAX_BYTES = 256
_ID_DIGITS = 8


def incoming_directory(models_dir: Path) -> Path:
    """Return the incoming directory of the home that contains ``models_dir``."""
    try:
        name = read_small(models_dir.parent / SHARED_NAME, max_bytes=_MAX_BYTES).decode("ascii").strip()
    except (OSError, ValueError):
        return models_dir / INCOMING_NAME
    is_name = name.startswith(INCOMING_NAME) and "/" not in name
    return models_dir / (name if is_name else INCOMING_NAME)


def is_shared(models_dir: Path) -> bool:
    """Whether ``models/`` is recorded as another home's."""
    return os.path.lexists(models_dir.parent / SHARED_NAME)


def write_share(home: Path, home_id: str) -> None:
    """Record that a home shares another home's ``models/`` and has its own incoming directory. Raises OSError."""
    path = home / SHARED_NAME
    content = f"{INCOMING_NAME}-{home_id[:_ID_DIGITS]}\n".encode()
    with contextlib.suppress(OSError):
        if read_small(path, max_bytes=_MAX_BYTES) == content:
            return
    draft = path.with_name(f"{SHARED_NAME}.draft")
    draft.unlink(missing_ok=True)
    write_durably(draft, content)
    draft.rename(path)
    sync(home)


def remove_share(home: Path) -> None:
    """Record that a home does not share its ``models/``. Raises OSError."""
    (home / SHARED_NAME).unlink(missing_ok=True)


def write_durably(path: Path, content: bytes) -> None:
    """Write a new file durably, readable by its owner only. Raises OSError; ``FileExistsError`` if it exists."""
    descriptor = open_regular(path, flags=os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
