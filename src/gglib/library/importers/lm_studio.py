"""Finds the models of LM Studio: ``HOME/models/PUBLISHER/MODEL/FILE.gguf``, as on the Hugging Face hub.

(https://lmstudio.ai/docs/basics/import-model. Its home is the path in ``~/.lmstudio-home-pointer``, else
``~/.cache/lm-studio`` of older versions, else ``~/.lmstudio``: lmstudio.js, ``findLMStudioHome``.)
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from gglib.library.importers.candidates import Candidate
from gglib.library.importers.folder import find_in_folder
from gglib.system.files.small_files import read_small

ORIGIN = "lm-studio"
_POINTER = ".lmstudio-home-pointer"
_MAX_POINTER_BYTES = 4096


def models_directories(home: Path) -> tuple[Path, ...]:
    """Return the directories that may have models."""
    homes = (*_pointed_at(home), home / ".lmstudio", home / ".cache" / "lm-studio")
    return tuple(dict.fromkeys(path / "models" for path in homes))


def find_in_lm_studio(root: Path) -> Iterator[Candidate]:
    """Yield the models; the two folders above a file name its repository."""
    return find_in_folder(root, partial(_described, root=root))


def _described(path: Path, *, root: Path) -> Candidate:
    parts = path.relative_to(root).parts
    if len(parts) < 3:
        return Candidate(path=path, origin=ORIGIN)
    return Candidate(path=path, origin=ORIGIN, repo="/".join(parts[:2]), file="/".join(parts[2:]))


def _pointed_at(home: Path) -> tuple[Path, ...]:
    try:
        text = read_small(home / _POINTER, max_bytes=_MAX_POINTER_BYTES, follows_links=True).decode().strip()
    except (OSError, UnicodeDecodeError):
        return ()
    return (Path(text),) if text and "\0" not in text else ()
