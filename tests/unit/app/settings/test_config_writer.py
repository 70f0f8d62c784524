"""Settings that gglib adds to ``config.toml``."""

import errno
import os
import stat
import tomllib
from pathlib import Path

import pytest

from gglib.app.settings.config_writer import add_setting, insert_setting, remove_alias, set_alias
from gglib.core.errors import InvalidSettingError

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


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also on a full disk, and nothing beside it."""
    path = tmp_path / "config.toml"
    path.write_text("port = 1\n")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InvalidSettingError, match="No space left on device"):
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
