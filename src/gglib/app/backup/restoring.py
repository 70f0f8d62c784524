"""Restores a backup: everything is checked before anything changes, and what is replaced is kept beside it."""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from gglib.app.backup.archive import extract, is_archive, read_manifest, read_settings
from gglib.app.backup.errors import BackupError
from gglib.app.backup.manifest import FILES, Part, chosen_parts
from gglib.app.backup.staging import staging
from gglib.app.serving.instance import lock_instance
from gglib.app.settings import Settings, config_reader
from gglib.app.settings.config_writer import replace_config
from gglib.core.errors import AlreadyRunningError, CatalogError, GglibError, HistoryError
from gglib.core.shell_quoting import quoted_command
from gglib.db.backup import check_backup, restore
from gglib.db.history.backup import check_history, restore_history

BEFORE = ".before-restore-"


@dataclass(frozen=True, slots=True)
class RestoredHome:
    """What a restore has replaced."""

    parts: tuple[Part, ...]
    before: dict[Part, Path]
    """The file with the previous content of each part that had one."""


def restore_home(settings: Settings, file: Path, wanted: Sequence[Part] = ()) -> RestoredHome:
    """Restore the ``wanted`` parts of the backup ``file``, or all of them, into the home.

    A running server uses the catalogue and the settings at once; it must not run if the history is restored. Raises
    ``BackupError``, ``CatalogError``, ``HistoryError``, ``InvalidSettingError``: before the first part nothing has
    changed, later the error says which parts are restored.
    """
    if not _is_archive(file):
        return _restore_catalogue_file(settings, file, wanted)
    manifest = read_manifest(file)
    try:
        parts = chosen_parts(manifest.parts, wanted)
    except ValueError as error:
        raise BackupError(f"{file} {error}.") from error
    try:
        with staging(settings.home, ".restore-") as directory, ExitStack() as stack:
            staged = _checked(settings, file, parts, directory)
            if Part.HISTORY in parts:
                _lock(settings, file, parts, stack)
            return _apply(settings, parts, staged)
    except OSError as error:
        raise BackupError(
            f"{file} cannot be restored ({error.strerror or error}): free some space in {settings.home}, or make it "
            "writable."
        ) from error


def _is_archive(file: Path) -> bool:
    """Whether it is an archive. What cannot be read is left to the restore of a catalogue, which says why."""
    try:
        return file.is_file() and is_archive(file)
    except OSError:
        return False


def _restore_catalogue_file(settings: Settings, file: Path, wanted: Sequence[Part]) -> RestoredHome:
    """Restore a backup that is the catalogue itself."""
    others = [part for part in wanted if part is not Part.CATALOG]
    if others and file.is_file():
        raise BackupError(f"{file} has no {others[0].value}: it has catalog.")
    restored = restore(settings.database, file)
    before = {} if restored.before is None else {Part.CATALOG: restored.before}
    return RestoredHome((Part.CATALOG,), before)


def _checked(settings: Settings, file: Path, parts: Sequence[Part], directory: Path) -> dict[Part, Path]:
    """Extract the parts, and raise if one of them cannot be restored."""
    staged = {part: directory / FILES[part] for part in parts}
    for part, path in staged.items():
        name = f"{FILES[part]} in {file}"
        try:
            if part is Part.SETTINGS:
                content = read_settings(file)
                problems = config_reader.check_content(Path(name), content)
                if problems:
                    raise BackupError(f"{problems[0].rstrip('.')}; {_without(file, parts, part)}.")
                path.write_bytes(content)
                continue
            extract(file, part, path)
            if part is Part.CATALOG:
                check_backup(path, settings.home)
            else:
                check_history(path)
        except HistoryError as error:
            raise BackupError(f"{name} {error}: {_without(file, parts, part)}.") from error
        except CatalogError as error:
            raise BackupError(str(error).replace(os.fspath(path), name)) from error
    return staged


def _lock(settings: Settings, file: Path, parts: Sequence[Part], stack: ExitStack) -> None:
    """Keep servers of this home from running: only one process may write the history."""
    try:
        stack.enter_context(lock_instance(settings.run_dir))
    except AlreadyRunningError as error:
        raise BackupError(
            "gglib runs, and writes the request history: stop it with 'gglib stop --server', or "
            f"{_without(file, parts, Part.HISTORY)}."
        ) from error


def _without(file: Path, parts: Sequence[Part], left_out: Part) -> str:
    """Return what restores the other parts."""
    others = [word for part in parts if part is not left_out for word in ("--only", part.value)]
    if not others:
        return "name another backup"
    return f"restore the rest: {quoted_command('restore', os.fspath(file), *others)}"


def _apply(settings: Settings, parts: Sequence[Part], staged: dict[Part, Path]) -> RestoredHome:
    """Restore the parts: the settings last, because a running server applies them at once."""
    before: dict[Part, Path] = {}
    done: list[Part] = []
    for part in (Part.HISTORY, Part.CATALOG, Part.SETTINGS):
        if part not in parts:
            continue
        try:
            kept = _restore_part(settings, part, staged[part])
        except (GglibError, OSError) as error:
            if not done:
                raise
            raise BackupError(f"{str(error).rstrip('.')}; {_restored_text(done, before)}.") from error
        done.append(part)
        if kept is not None:
            before[part] = kept
    return RestoredHome(tuple(parts), before)


def _restored_text(done: Sequence[Part], before: Mapping[Part, Path]) -> str:
    """Return which parts a restore that failed has replaced, and where their previous content is."""
    kept = " and ".join(str(path) for path in before.values())
    text = f"restored before that: {' and '.join(done)}"
    return f"{text} (the previous content is {kept})" if kept else text


def _restore_part(settings: Settings, part: Part, staged: Path) -> Path | None:
    if part is Part.HISTORY:
        return restore_history(settings.history_database, staged)
    if part is Part.CATALOG:
        return restore(settings.database, staged).before
    return replace_config(settings.config_path, staged.read_bytes(), BEFORE)
