"""Changes ``config.toml``: single settings and entries of its tables; comments, order and line ends stay."""

import errno
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gglib.app.settings.new_keys import changed_entry, key_exists_error
from gglib.app.toml_editing import BYTE_ORDER_MARK, entry_line, parsed, remove_value, set_value
from gglib.core.errors import InvalidSettingError
from gglib.system.files.kept_files import unused_path
from gglib.system.files.rewriting import exclusive_change, read_writable, replace_file

ALIASES = "aliases"
"""The table of alias lists."""
API_KEYS = "api_keys"
"""The table of access keys."""
_DISK_FULL = "because the disk is full: free some space and try again"
_NOTHING_CAN_WRITE = {
    errno.ENOSPC: _DISK_FULL,
    errno.EDQUOT: _DISK_FULL,
    errno.EROFS: "because its file system is read-only: use another --home",
}
"""Errors that an editor would meet, too."""


def add_setting(path: Path, key: str, value: str | int) -> None:
    """Add a setting to the file, or create the file with access for the owner only.

    The file is replaced atomically and keeps its mode and owner; a link stays a link. Raises ``InvalidSettingError``,
    which says what to do by hand, if the file cannot be written, is not valid TOML, or sets ``key`` already.
    """
    change_config(
        path,
        lambda text: insert_setting(text, key, value),
        advice=f"add the line '{entry_line(key, value)}' to it",
    )


def set_setting(path: Path, names: Sequence[str], value: object) -> None:
    """Set a setting, or an entry of its table, in place of the old one; otherwise as ``add_setting``."""
    *tables, key = names
    where = f" below [{'.'.join(tables)}]" if tables else " above the first table"
    change_config(
        path,
        lambda text: set_value(text, tuple(names), value),
        advice=f"write {entry_line(key, value)}{where} in it",
    )


def unset_setting(path: Path, names: Sequence[str]) -> None:
    """Remove a setting, or an entry of its table; otherwise as ``add_setting``."""
    *tables, key = names
    where = f"[{'.'.join(tables)}] in it" if tables else "it"
    change_config(path, lambda text: remove_value(text, tuple(names)), advice=f"remove '{key}' from {where}")


def set_alias(path: Path, alias: str, models: Sequence[str]) -> None:
    """Set an entry of the table ``aliases``, or add it; otherwise as ``add_setting``."""
    # A text is split at commas, and the items of a list are not.
    value = models[0] if len(models) == 1 and "," not in models[0] else models
    set_setting(path, (ALIASES, alias), value)


def remove_alias(path: Path, alias: str) -> None:
    """Remove an entry of the table ``aliases``; otherwise as ``add_setting``."""
    unset_setting(path, (ALIASES, alias))


def add_key(path: Path, name: str, entry: Mapping[str, object]) -> None:
    """Add the table of an access key to the end of the file; otherwise as ``add_setting``.

    ``entry`` has the fields of the table. Raises for a name that the file has by now. The error's advice does not have
    the key.
    """

    def edit(text: str) -> str:
        keys = parsed(text.removeprefix(BYTE_ORDER_MARK)).get(API_KEYS)
        if isinstance(keys, Mapping) and name in keys:
            raise key_exists_error(name)
        for field, value in entry.items():
            text = set_value(text, (API_KEYS, name, field), value)
        return text

    change_config(path, edit, advice=f"add the table [{API_KEYS}.{name}] to it by hand")


def change_key(path: Path, name: str, changes: Mapping[str, object]) -> None:
    """Set fields in the entry of an access key, or remove them (None); otherwise as ``add_setting``.

    A key that is a string becomes an inline table with all rights, which a string has. Raises ``InvalidSettingError``
    if the file has no such key, or it would not be valid.
    """

    def edit(text: str) -> str:
        existing = parsed(text.removeprefix(BYTE_ORDER_MARK)).get(API_KEYS)
        if not isinstance(existing, Mapping) or name not in existing:
            raise InvalidSettingError(f"There is no key '{name}': 'gglib key list' lists the keys.")
        entry, before = changed_entry(name, existing[name], changes)
        if not isinstance(existing[name], Mapping):
            return set_value(text, (API_KEYS, name), entry)
        for field in changes:
            at = (API_KEYS, name, field)
            if field in entry:
                text = set_value(text, at, entry[field])
            elif field in before:
                text = remove_value(text, at)
        return text

    change_config(path, edit, advice=f"change the table [{API_KEYS}.{name}] in it by hand")


def remove_key(path: Path, name: str) -> None:
    """Remove an access key in either form; otherwise as ``add_setting``."""
    unset_setting(path, (API_KEYS, name))


def change_config(path: Path, edit: Callable[[str], str], *, advice: str) -> None:
    """Replace the file's text. Raises ``InvalidSettingError`` with the reason and the advice.

    Changes by several processes at once are made one after the other: each ``edit`` gets the result of the last.
    """
    target = path.resolve()
    try:
        with exclusive_change(target):
            content, found = read_writable(target)
            replace_file(target, edit(content.decode()).encode(), found)
    except (OSError, ValueError) as error:
        cause = _NOTHING_CAN_WRITE.get(getattr(error, "errno", None) or 0)
        if cause is not None:
            raise InvalidSettingError(f"{path} cannot be changed {cause}.") from error
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidSettingError(f"{path} cannot be changed ({reason}): {advice}.") from error


def replace_config(path: Path, content: bytes, between: str) -> Path | None:
    """Replace the whole file by ``content``, which may have access keys: users outside its group cannot read it.

    Returns the file with the previous content, whose name has ``between`` and the date and which only its owner can
    read; None if there was no file, or the same one. Raises ``InvalidSettingError``.
    """
    target = path.resolve()
    try:
        with exclusive_change(target):
            before, found = read_writable(target)
            if found is not None and before == content:
                return None
            keep_as = unused_path(target, between)  # in the lock: a change at the same time gets another name
            if found is not None:
                replace_file(keep_as, before, None)
            replace_file(target, content, found, forbidden_mode=stat.S_IRWXO)
    except OSError as error:
        cause = _NOTHING_CAN_WRITE.get(error.errno or 0) or f"({error.strerror}): make it writable"
        raise InvalidSettingError(f"{path} cannot be changed {cause}.") from error
    return None if found is None else keep_as


def insert_setting(text: str, key: str, value: str | int) -> str:
    """Return the text of a TOML file with one more setting, above its first table. Pure.

    Raises ValueError if the text is not valid TOML, has an unusual form, or sets ``key`` already.
    """
    if key in parsed(text.removeprefix(BYTE_ORDER_MARK)):
        raise ValueError(f"it sets '{key}' already")
    return set_value(text, (key,), value)
