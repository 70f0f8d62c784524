"""Where files come in of a home whose ``models/`` is another home's: nothing in that one's place is this home's."""

import contextlib
import os
from pathlib import Path

from gglib.library.versions.layout import INCOMING_NAME
from gglib.system.files.durable import sync
from gglib.system.files.small_files import open_regular, read_small

SHARED_NAME = "models.shared"
"""Inside such a home: a file with the name of the directory below ``models/`` in which this home's files come in."""
_MAX_BYTES = 256
_ID_DIGITS = 8


def incoming_directory(models_dir: Path) -> Path:
    """Return where files come in, for the home in which ``models_dir`` is."""
    try:
        name = read_small(models_dir.parent / SHARED_NAME, max_bytes=_MAX_BYTES).decode("ascii").strip()
    except (OSError, ValueError):
        return models_dir / INCOMING_NAME
    is_name = name.startswith(INCOMING_NAME) and "/" not in name
    return models_dir / (name if is_name else INCOMING_NAME)


def is_shared(models_dir: Path) -> bool:
    """Whether ``models/`` was found to be another home's."""
    return os.path.lexists(models_dir.parent / SHARED_NAME)


def write_share(home: Path, home_id: str) -> None:
    """Have the files of a home come in apart from those of the home that has its ``models/``. Raises OSError."""
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
    """Have the files of a home come in where they do as a rule. Raises OSError."""
    (home / SHARED_NAME).unlink(missing_ok=True)


def write_durably(path: Path, content: bytes) -> None:
    """Write a new file that only its owner may read. Raises OSError; ``FileExistsError`` where there is one."""
    descriptor = open_regular(path, flags=os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
