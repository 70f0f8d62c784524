"""Finds the projector (mmproj) in a model's directory, and checks that a file is a projector.

Reads directories and headers, so it blocks. The header reader is passed in.
"""

import os
from collections.abc import Callable
from pathlib import Path

from gglib.core.errors import InvalidGgufError
from gglib.core.file_names import is_unicode
from gglib.core.gguf_names import shard_of
from gglib.core.models import GgufFacts
from gglib.core.plain_text import escape_line
from gglib.library.importers.candidates import Candidate
from gglib.library.importers.folder import candidates_of
from gglib.library.importers.walk import SUFFIX

PROJECTOR_ARCHITECTURE = "clip"
"""The architecture in the header of llama.cpp's image encoder files."""

FactsReader = Callable[[Path], GgufFacts]
"""Raises ``InvalidGgufError`` with the reason as a phrase, without the path."""


def projector_beside(path: Path) -> Path | None:
    """Return the projector in a model's directory that belongs to it by name, as an import does.

    ``path`` may be any shard. Returns None if there is none, if the choice is ambiguous, or if the directory cannot be
    read.
    """
    try:
        files = sorted(file for file in path.parent.iterdir() if file.name.lower().endswith(SUFFIX))
    except OSError:
        return None
    shard = shard_of(path.name)
    first = path if shard is None else path.with_name(f"{shard.stem}-00001-of-{shard.count:05}.gguf")
    candidates = candidates_of(files, lambda file: Candidate(path=file))
    return next((candidate.projector for candidate in candidates if candidate.path == first), None)


def checked_projector(path: Path, read_facts: FactsReader) -> Path:
    """Return the absolute path of a projector. Raises ``InvalidGgufError`` with the reason if the file is none."""
    path = Path(os.path.normpath(path.expanduser().absolute()))
    if not is_unicode(str(path)):
        raise _refused(path, "its name is not UTF-8")
    try:
        path.stat()
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from error
    except ValueError as error:  # a NUL
        raise _refused(path, "no file can have this name") from error
    if not path.is_file():
        raise _refused(path, "it is a directory" if path.is_dir() else "it is not a regular file")
    try:
        facts = read_facts(path)
    except InvalidGgufError as error:
        raise _refused(path, str(error)) from error
    if not is_projector(facts):
        raise _refused(path, f"it is a complete model ({facts.architecture})")
    return path


def is_projector(facts: GgufFacts) -> bool:
    """Whether a header is that of a projector (``general.type`` in ggml's ``docs/gguf.md``; older files lack it)."""
    return facts.kind == "mmproj" or facts.architecture == PROJECTOR_ARCHITECTURE


def _refused(path: Path, reason: str) -> InvalidGgufError:
    return InvalidGgufError(
        f"{escape_line(path.name)} cannot be a model's projector: {reason}; name its mmproj file, or 'none'."
    )
