"""The sources of an import: the one that the user named, or all known ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gglib.core.errors import InvalidSettingError
from gglib.library.file_state import is_directory
from gglib.library.importers import hf_cache, lm_studio, ollama
from gglib.library.importers.candidates import Finder
from gglib.library.importers.folder import find_in_folder

HF, OLLAMA, LM_STUDIO = "hf", "ollama", "lm-studio"
NAMES = (HF, OLLAMA, LM_STUDIO)
FOLDER = "folder"
"""The name of a source that is an ordinary folder."""
TITLES = {HF: "the Hugging Face cache", OLLAMA: "Ollama", LM_STUDIO: "LM Studio"}


@dataclass(frozen=True, slots=True)
class ImportSource:
    """A directory, and the function that finds models in it."""

    name: str
    path: Path
    find: Finder


def known_sources(environ: Mapping[str, str], home: Path) -> tuple[ImportSource, ...]:
    """Return all known sources, existing or not."""
    return (
        ImportSource(HF, hf_cache.hub_cache(environ, home), hf_cache.find_in_hub_cache),
        *(
            ImportSource(OLLAMA, path, ollama.find_in_ollama)
            for path in ollama.models_directories(environ, home)
        ),
        *(
            ImportSource(LM_STUDIO, path, lm_studio.find_in_lm_studio)
            for path in lm_studio.models_directories(home)
        ),
    )


def sources_of(where: str | None, environ: Mapping[str, str], home: Path) -> tuple[ImportSource, ...]:
    """Return the existing sources to scan; ``where`` is None (all), one of ``NAMES``, or a folder.

    Raises ``InvalidSettingError`` for anything else.
    """
    known = known_sources(environ, home)
    if where is None:
        return tuple(source for source in known if is_directory(source.path))
    if where not in NAMES:
        return (_folder(where),)
    wanted = tuple(source for source in known if source.name == where)
    there = tuple(source for source in wanted if is_directory(source.path))
    if not there:
        looked = ", ".join(str(source.path) for source in wanted)
        raise InvalidSettingError(
            f"{TITLES[where]} has no models on this machine (searched {looked}): name its directory instead."
        )
    return there


def _folder(where: str) -> ImportSource:
    path = Path(where).expanduser().absolute()
    if not is_directory(path):
        raise InvalidSettingError(
            f"'{where}' is not a readable directory: name a directory, or one of {', '.join(NAMES)}."
        )
    if hf_cache.is_hub_cache(path):
        return ImportSource(HF, path, hf_cache.find_in_hub_cache)
    if ollama.is_ollama(path):
        return ImportSource(OLLAMA, path, ollama.find_in_ollama)
    return ImportSource(FOLDER, path, find_in_folder)
