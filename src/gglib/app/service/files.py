"""Writes and removes the files of a service; never one that gglib did not write, or that was changed since."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from gglib.app.service.marked_text import FileState, state_of, with_mark
from gglib.app.service.plan import ServiceFile
from gglib.core.errors import InvalidSettingError
from gglib.system.files.rewriting import replace_file
from gglib.system.files.small_files import read_small

MODE = 0o644
"""As those of packages: service managers and other users read them. They have no secrets."""


def installed_names(directory: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Return which of the files exist, written by gglib or not."""
    return tuple(name for name in names if _exists(directory / name))


def write_files(directory: Path, files: Sequence[ServiceFile], names: Iterable[str]) -> tuple[str, ...]:
    """Write the files, remove those of ``names`` that are not among them, and return the names of what changed.

    Raises ``InvalidSettingError``, and changes nothing, if one of ``names`` is there and not as gglib wrote it; OSError
    if the directory cannot be written.
    """
    wanted = {file.name: with_mark(file.text) for file in files}
    found = {name: _own_text(directory / name) for name in names}
    changed = [name for name, text in found.items() if text != wanted.get(name)]
    directory.mkdir(parents=True, exist_ok=True)
    for name in changed:
        path = directory / name
        if name in wanted:
            replace_file(path, wanted[name].encode(), None)
            path.chmod(MODE)
        else:
            path.unlink(missing_ok=True)  # another installation may run
    return tuple(changed)


def require_own(directory: Path, names: Iterable[str]) -> None:
    """Raise ``InvalidSettingError`` if one of the files is not as gglib wrote it."""
    for name in names:
        _own_text(directory / name)


def remove_files(directory: Path, names: Iterable[str]) -> None:
    """Remove files that ``require_own`` has checked."""
    for name in names:
        (directory / name).unlink(missing_ok=True)


def _exists(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _own_text(path: Path) -> str | None:
    """Return the content of a file of gglib's own; None if there is no file."""
    if not _exists(path):
        return None
    state, text = FileState.FOREIGN, ""
    if not path.is_symlink():
        try:
            text = read_small(path).decode()
        except (OSError, ValueError):
            text = ""
        state = state_of(text)
    if state is not FileState.OURS:
        advice = {
            FileState.CHANGED: "move it away and put your changes into a drop-in ('systemctl edit' makes one)",
            FileState.FOREIGN: "move it away",
        }[state]
        raise InvalidSettingError(f"{path} was {state.value}: {advice}, and run this command again.")
    return text
