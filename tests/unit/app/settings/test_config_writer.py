"""Settings that gglib adds to ``config.toml``."""

import errno
import fcntl
import os
import stat
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gglib.app.settings import config_writer
from gglib.app.settings.config_writer import (
    add_key,
    add_setting,
    change_config,
    change_key,
    insert_setting,
    remove_alias,
    remove_key,
    set_alias,
)
from gglib.core.errors import InvalidSettingError
from gglib.system.files.locks import lock_path

LINE = 'max_models = "auto"\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", LINE),
        ("port = 1\n", "port = 1\n" + LINE),
        ("port = 1", "port = 1\n" + LINE),
        ("port = 1\n\n\n", "port = 1\n" + LINE + "\n\n"),
        ("# port = 1\n", "# port = 1\n" + LINE),
        ("port = 1\r\n", "port = 1\r\n" + LINE.replace("\n", "\r\n")),
        ("\ufeffport = 1\n", "\ufeffport = 1\n" + LINE),
        ("[api_keys]\na = 'key'\n", LINE + "\n[api_keys]\na = 'key'\n"),
        ("port = 1\n[api_keys]\n", "port = 1\n" + LINE + "\n[api_keys]\n"),
        ("port = 1\n\n\n[api_keys]\n", "port = 1\n" + LINE + "\n\n[api_keys]\n"),
        ("port = 1\n\n# ours\n# only\n[api_keys]\n", "port = 1\n" + LINE + "\n# ours\n# only\n[api_keys]\n"),
        ("port = 1\r\n[api_keys]\r\n", 'port = 1\r\nmax_models = "auto"\r\n\r\n[api_keys]\r\n'),
        ("hosts = [\n  'a',\n]\n[t]\n", "hosts = [\n  'a',\n]\n" + LINE + "\n[t]\n"),
        ("x = '''\n[no]\n'''\n[t]\n", "x = '''\n[no]\n'''\n" + LINE + "\n[t]\n"),
        ("x = [\n[1],\n[2],\n]\n", "x = [\n[1],\n[2],\n]\n" + LINE),
        (" [[a]]\nb = 1\n[[a]]\n", LINE + "\n [[a]]\nb = 1\n[[a]]\n"),
        ("# a\u2028[b]\nport = 1\n", "# a\u2028[b]\nport = 1\n" + LINE),
    ],
)
def test_key_is_added_before_the_first_table(before: str, after: str) -> None:
    """Above its comments; everything else stays, and the meaning of the rest too."""
    assert insert_setting(before, "max_models", "auto") == after


def test_number_is_added_as_a_number() -> None:
    """Without quotes."""
    assert insert_setting("", "max_models", 1) == "max_models = 1\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("max_models = 2\n", "it sets 'max_models' already"),
        ("[max_models]\n", "it sets 'max_models' already"),
        ("port = = 1\n", "Invalid value"),
        ("heartbeat_s = nan\n", "its form is unusual"),
    ],
)
def test_text_that_cannot_be_extended_is_refused(text: str, reason: str) -> None:
    """A key is never changed; a text whose meaning cannot be compared is left alone."""
    with pytest.raises(ValueError, match=reason):
        insert_setting(text, "max_models", "auto")


def test_new_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """It may get access keys later."""
    path = tmp_path / "config.toml"
    add_setting(path, "max_models", "auto")
    assert path.read_text() == LINE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_file_keeps_its_mode_and_its_place_behind_a_link(tmp_path: Path) -> None:
    """A link stays a link: the file may be under version control elsewhere."""
    elsewhere = tmp_path / "dotfiles"
    elsewhere.mkdir()
    target, path = elsewhere / "gglib.toml", tmp_path / "config.toml"
    target.write_text("port = 1\n")
    target.chmod(0o640)
    path.symlink_to(target)
    add_setting(path, "max_models", 1)
    assert path.is_symlink()
    assert tomllib.loads(target.read_text()) == {"port": 1, "max_models": 1}
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


@pytest.mark.parametrize("mode", [0o444, 0o400])
def test_read_only_file_is_not_replaced(tmp_path: Path, mode: int) -> None:
    """The error has the line to add by hand."""
    path = tmp_path / "config.toml"
    path.write_text("port = 1\n")
    path.chmod(mode)
    with pytest.raises(InvalidSettingError) as refused:
        add_setting(path, "max_models", "auto")
    assert str(refused.value) == (
        f"{path} cannot be changed (it is read-only): add the line 'max_models = \"auto\"' to it."
    )
    assert path.read_text() == "port = 1\n"


def test_missing_directory_is_one_sentence(tmp_path: Path) -> None:
    """With the system's reason."""
    with pytest.raises(InvalidSettingError, match=r"cannot be changed \(No such file"):
        add_setting(tmp_path / "missing" / "config.toml", "max_models", 1)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Also on a full disk, and nothing beside it. An editor could not write it either, so that is not the advice."""
    path = tmp_path / "config.toml"
    path.write_text("port = 1\n")

    def full(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        InvalidSettingError,
        match=r"cannot be changed because (the disk is full|its file system is read-only): ",
    ):
        add_setting(path, "max_models", "auto")
    assert (path.read_text(), list(tmp_path.iterdir())) == ("port = 1\n", [path])


def test_aliases_are_set_and_removed(tmp_path: Path) -> None:
    """One model is a text, several are a list; the rest of the file stays."""
    path = tmp_path / "config.toml"
    path.write_text("# mine\nport = 1\n")
    set_alias(path, "gpt-*", ["chat"])
    set_alias(path, "fast", ["a", "b"])
    text = '# mine\nport = 1\n\n[aliases]\n"gpt-*" = "chat"\nfast = ["a", "b"]\n'
    assert path.read_text() == text
    remove_alias(path, "fast")
    set_alias(path, "gpt-*", ["a"])
    assert path.read_text() == '# mine\nport = 1\n\n[aliases]\n"gpt-*" = "a"\n'


def test_the_error_says_what_to_write_by_hand(tmp_path: Path) -> None:
    """The file stays as it is."""
    path = tmp_path / "config.toml"
    path.write_text('aliases = "fast=a"\n')
    with pytest.raises(InvalidSettingError) as error:
        set_alias(path, "gpt-*", ["chat"])
    assert str(error.value) == (
        f'{path} cannot be changed (its \'aliases\' is not a table): write "gpt-*" = "chat" below [aliases] in it.'
    )
    with pytest.raises(InvalidSettingError, match=r"remove 'fast' from \[aliases\] in it"):
        remove_alias(path, "fast")
    assert path.read_text() == 'aliases = "fast=a"\n'


def test_no_change_is_lost_between_reading_and_replacing(tmp_path: Path) -> None:
    """Other writers wait from before the file is read."""
    path = tmp_path / "config.toml"

    def edit(text: str) -> str:
        with pytest.raises(BlockingIOError):
            lock_path(tmp_path, fcntl.LOCK_EX)
        return f"{text}port = 1\n"

    change_config(path, edit, advice="")
    assert path.read_text() == "port = 1\n"
    os.close(lock_path(tmp_path, fcntl.LOCK_EX))


def test_writers_at_once_all_succeed(tmp_path: Path) -> None:
    """Also through a link: the lock is that of the file's own directory."""
    (tmp_path / "dotfiles").mkdir()
    target, link = tmp_path / "dotfiles" / "gglib.toml", tmp_path / "config.toml"
    target.touch()
    link.symlink_to(target)
    names = [f"a{number}" for number in range(16)]
    with ThreadPoolExecutor(len(names)) as threads:
        list(threads.map(lambda name: set_alias(link if name < "a2" else target, name, [name]), names))
    assert sorted(tomllib.loads(target.read_text())["aliases"]) == sorted(names)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_not_answered_with_work_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """An editor could not write the file either."""

    def full(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(config_writer, "replace_file", full)
    path = tmp_path / "config.toml"
    path.write_text("[api_keys.bob]\nkey = 'a-long-key'\n")
    with pytest.raises(InvalidSettingError) as refused:
        remove_key(path, "bob")
    assert str(refused.value) == (
        f"{path} cannot be changed because the disk is full: free some space and try again."
    )


@pytest.mark.parametrize(
    "text", ["[api_keys.ci]\nkey = 'first-key'\n", "\ufeff[api_keys]\nci = 'first-key'\n"]
)
def test_a_key_never_replaces_one_of_its_name(tmp_path: Path, text: str) -> None:
    """It may have been added since the caller looked, and was printed there."""
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(InvalidSettingError, match="There is a key 'ci' already: 'gglib key revoke ci'"):
        add_key(path, "ci", {"key": "second-key"})
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "[api_keys]\nci = 'first-key'  # ours\nbob = 'other-key'\n",
            "[api_keys]\nci = {key = \"first-key\", admin = true, rpm = 5}  # ours\nbob = 'other-key'\n",
        ),
        (
            "# a\n[api_keys.ci]\nkey = 'first-key'\nrpm = 9  # slow\ntpm = 1\n\n[aliases]\n",
            "# a\n[api_keys.ci]\nkey = 'first-key'\nrpm = 5  # slow\n\n[aliases]\n",
        ),
        (
            "[api_keys]\nci = {key = 'first-key', tpm = 3}\n",
            '[api_keys]\nci = {key = "first-key", rpm = 5}\n',
        ),
        ("[api_keys.ci]\nkey = 'first-key'\n", "[api_keys.ci]\nkey = 'first-key'\nrpm = 5\n"),
    ],
)
def test_limits_of_a_key_are_changed_in_place(tmp_path: Path, before: str, after: str) -> None:
    """Whatever the form of its entry; comments and other keys stay."""
    path = tmp_path / "config.toml"
    path.write_text(before)
    change_key(path, "ci", {"rpm": 5, "tpm": None})
    assert path.read_text() == after


def test_the_key_to_change_has_to_exist(tmp_path: Path) -> None:
    """It may have been revoked since the caller looked."""
    path = tmp_path / "config.toml"
    path.write_text("[api_keys.bob]\nkey = 'a-long-key'\n")
    with pytest.raises(InvalidSettingError, match="There is no key 'ci': 'gglib key list' lists the keys"):
        change_key(path, "ci", {"rpm": 5})
