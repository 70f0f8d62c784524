"""How paths are stored: relative to the home if they are below it, so that the rows stay valid when the home moves.

Knows nothing of tables. A stored path is TEXT, or a BLOB if it is not valid Unicode: POSIX paths are arbitrary bytes.
"""

import os
from pathlib import Path

StoredPath = str | bytes


class HomePaths:
    """Converts paths between memory, where they are absolute, and the database.

    A home that is reached through a symbolic link has two spellings; paths below either are below the home. Paths are
    compared by spelling only; ``core.versions`` decides which files belong to gglib.
    """

    def __init__(self, home: Path) -> None:
        """``home`` need not exist yet; resolving its links blocks."""
        own = os.fspath(home.absolute())
        # With the separator, so that /home-2 is not below /home. Path would drop it.
        roots = (os.path.join(root, "") for root in (own, os.path.realpath(own)))  # noqa: PTH118
        self._roots = tuple(dict.fromkeys(roots))

    def stored(self, path: Path) -> StoredPath:
        """Return the form in which a path is written."""
        text = os.fspath(path.absolute())
        below = self._below(text)
        return encoded(text if below is None else below)

    def spellings(self, path: Path) -> tuple[StoredPath, ...]:
        """Return every form in which a row may have the path, including forms from before the home was moved."""
        text = os.fspath(path.absolute())
        below = self._below(text)
        if below is None:
            return (encoded(text),)
        return tuple(map(encoded, (below, *(root + below for root in self._roots))))

    def path(self, stored: StoredPath) -> Path:
        """Return the absolute path of a stored one."""
        text = stored if isinstance(stored, str) else os.fsdecode(stored)
        return Path(text if text.startswith(os.sep) else self._roots[0] + text)  # 500 models are read at once

    def optional_path(self, stored: StoredPath | None) -> Path | None:
        """Return the absolute path of a stored one, None for NULL."""
        return None if stored is None else self.path(stored)

    def converted(self, stored: StoredPath | None) -> StoredPath | None:
        """Return the stored form of a path of formats 1 to 3, which had no relative paths."""
        if stored is None:
            return None
        path = Path(os.fsdecode(stored))
        return self.stored(path) if path.is_absolute() else stored

    def _below(self, text: str) -> str | None:
        """Return the part of an absolute path after the home; None for a path outside the home."""
        for root in self._roots:
            below = text[len(root) :]
            if below and text.startswith(root) and os.pardir not in Path(below).parts:
                return below
        return None


def encoded(text: str) -> StoredPath:
    """Return text as it is stored: as bytes if it is not valid Unicode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text)
    return text
