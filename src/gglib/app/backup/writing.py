"""Writes a backup of a home, also while a server uses it. Each part is one state of its own file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from gglib.app.backup.archive import is_backup, write_archive
from gglib.app.backup.errors import BackupError
from gglib.app.backup.manifest import FILES, Manifest, Part
from gglib.app.backup.staging import staging
from gglib.app.settings import Settings
from gglib.core.version import __version__
from gglib.db.backup import back_up, writable_target
from gglib.db.history.backup import HistoryCounts, back_up_history
from gglib.system.files.durable import sync
from gglib.system.files.small_files import read_small


@dataclass(slots=True)
class HomeBackup:
    """A written backup."""

    path: Path
    size_bytes: int = 0
    models: tuple[str, ...] | None = None
    """The names of its models; None: it has no catalogue."""
    has_settings: bool = False
    history: HistoryCounts | None = None
    """None: it has no history."""
    manifest_counts: dict[Part, dict[str, int]] = field(default_factory=dict)

    @property
    def parts(self) -> tuple[Part, ...]:
        """Its parts."""
        return tuple(self.manifest_counts)


def back_up_home(
    settings: Settings, target: Path, parts: Sequence[Part], *, is_forced: bool = False
) -> HomeBackup:
    """Write ``parts`` of the home to the file ``target``, atomically and readable by its owner only.

    The catalogue alone is written as it is, an SQLite file; other parts become an archive. Parts that the home does not
    have are left out. Replaces an older backup; any other file only if ``is_forced``. Raises ``BackupError``,
    ``CatalogError``, ``HistoryError``.
    """
    _refuse_own_file(settings, target)
    if set(parts) == {Part.CATALOG}:
        backup = back_up(settings.database, target, is_forced=is_forced)
        counts = {Part.CATALOG: {"models": len(backup.models)}}
        return HomeBackup(backup.path, backup.size_bytes, backup.models, manifest_counts=counts)
    target = writable_target(settings.database, target, is_forced=is_forced, is_backup=is_backup)
    try:
        with staging(target.parent, f".{target.name[:200]}.part-") as directory:
            return _write(settings, target, parts, directory)
    except OSError as error:
        raise BackupError(
            f"{target} cannot be written ({error.strerror or error}): name another file."
        ) from error


def _refuse_own_file(settings: Settings, target: Path) -> None:
    """Refuse the other files that a backup consists of; the catalogue's own are refused with its errors."""
    try:
        real = target.resolve()
    except (OSError, RuntimeError, ValueError):  # no valid name, which the check of the target says
        return
    for own in (settings.history_database.resolve(), settings.config_path.resolve()):
        if real in {own.with_name(own.name + end) for end in ("", "-wal", "-shm")}:
            raise BackupError(f"{target} is a file of gglib itself: name another file.")


def _write(settings: Settings, target: Path, parts: Sequence[Part], directory: Path) -> HomeBackup:
    backup = HomeBackup(target)
    staged = {part: directory / FILES[part] for part in Part if part in parts}
    if Part.CATALOG in staged and settings.database.exists():
        backup.models = back_up(settings.database, staged[Part.CATALOG]).models
        backup.manifest_counts[Part.CATALOG] = {"models": len(backup.models)}
    if Part.SETTINGS in staged:
        backup.has_settings = _copy_settings(settings.config_path, staged[Part.SETTINGS])
        if backup.has_settings:
            backup.manifest_counts[Part.SETTINGS] = {}
    if Part.HISTORY in staged:
        backup.history = back_up_history(settings.history_database, staged[Part.HISTORY])
        if backup.history is not None:
            counts = {"requests": backup.history.requests, "recorded_bodies": backup.history.bodies}
            backup.manifest_counts[Part.HISTORY] = counts
    if not backup.manifest_counts:
        names = " and no ".join(part.value for part in staged)
        raise BackupError(f"{settings.home} has no {names} to back up: name the --home that you mean.")
    _publish(backup, target, {part: staged[part] for part in backup.parts}, directory)
    return backup


def _publish(backup: HomeBackup, target: Path, staged: dict[Part, Path], directory: Path) -> None:
    created_at = datetime.now().astimezone().isoformat(timespec="seconds")
    archive = directory / "archive"
    archive.touch(mode=0o600)
    write_archive(archive, Manifest(__version__, created_at, backup.manifest_counts), staged)
    backup.size_bytes = archive.stat().st_size
    sync(archive)
    archive.replace(target)
    sync(target.parent)


def _copy_settings(path: Path, target: Path) -> bool:
    """Copy the settings; return False if there are none."""
    try:
        content = read_small(path, follows_links=True)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise BackupError(f"{path} cannot be read ({error.strerror}): make it readable.") from error
    target.touch(mode=0o600)
    target.write_bytes(content)
    return True
