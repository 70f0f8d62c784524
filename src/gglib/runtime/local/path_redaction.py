"""Redacts the paths of a launch to file names, in texts for clients. Pure.

Engines log absolute paths of model files, sockets and their own sources. Clients need the file names to understand a
message; the directories are not disclosed.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

_SCHEME = r"(?:[a-z][a-z+.-]*://(?:localhost)?)?"


class PathRedactor:
    """Replaces paths in known directories by their file names, and the home directory elsewhere by ``~``."""

    def __init__(self, directories: Iterable[Path], home: Path | None) -> None:
        spellings = {
            spelling
            for directory in directories
            if directory.is_absolute() and directory != Path(directory.anchor)
            for spelling in _spellings(directory, home)
        }
        longest_first = sorted(spellings, key=lambda spelling: (-len(spelling[0]), spelling))
        # Within a known directory: also drop subdirectories up to the last part. The directory itself keeps its name.
        known = "|".join(
            rf"{re.escape(path)}{re.escape(slash)}(?:[^\s'\"`,;:()/\\]+{re.escape(slash)})*"
            for path, slash in longest_first
        )
        self._inside = re.compile(rf"(?<![\w.%~/\\-]){_SCHEME}(?:{known})", re.IGNORECASE) if known else None
        bare = "|".join(
            rf"{re.escape(path[: -len(name)])}(?={re.escape(name)}(?![\w/\\%-]|\.\w))"
            for path, slash in longest_first
            if (name := path.rpartition(slash)[2]) and len(name) < len(path)
        )
        self._bare = re.compile(rf"(?<![\w.%~/\\-])(?:{bare})", re.IGNORECASE) if bare else None
        self._home = home

    def redact(self, text: str) -> str:
        """Return the text for clients."""
        if self._inside is not None:
            text = self._inside.sub("", text)
        if self._bare is not None:
            text = self._bare.sub("", text)
        return shorten_home(text, self._home)


def shorten_home(text: str, home: Path | None) -> str:
    """Replace the home directory by ``~``."""
    if home is None or home == Path("/"):
        return text
    return re.sub(re.escape(str(home)) + r"(?![\w.-])", "~", text)


def _spellings(directory: Path, home: Path | None) -> Iterator[tuple[str, str]]:
    """Yield the spellings in which programs print a directory, each with its path separator."""
    plain = str(directory)
    yield plain, "/"
    for escaped in (
        quote(plain, errors="surrogateescape"),
        json.dumps(plain)[1:-1],
        repr(plain)[1:-1],
        plain.encode("unicode_escape", "surrogatepass").decode("ascii"),
        # Bytes of a path that are not UTF-8 were decoded from the log as replacement characters.
        plain.encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
    ):
        yield escaped, "/"
    yield quote(plain, safe="", errors="surrogateescape"), "%2F"
    yield json.dumps(plain)[1:-1].replace("/", "\\/"), "\\/"
    shortened = shorten_home(plain, home)
    if shortened not in {plain, "~"}:
        yield shortened, "/"
        yield quote(shortened, errors="surrogateescape"), "/"
