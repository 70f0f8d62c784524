"""The source of a server's settings, and the detection of changes of config.toml."""

import os
from contextlib import aclosing
from pathlib import Path

import pytest

from gglib.app.settings import Settings
from gglib.app.settings_source import SettingsSource, read_state

POLLED_S = 0.0


def source_of(home: Path, *, fails: bool = False) -> SettingsSource:
    """Return the source of a home."""
    settings = Settings(home=home)

    def load() -> Settings:
        if fails:
            raise ValueError
        return Settings(home=home, slots=9)

    return SettingsSource(load, settings)


async def test_a_change_is_yielded_once_and_a_removal_too(tmp_path: Path) -> None:
    """After the load of the change, the file has to change again."""
    config = tmp_path / "config.toml"
    source = source_of(tmp_path)
    async with aclosing(source.config_changes(POLLED_S)) as changes:
        config.write_text("slots = 9")
        await anext(changes)
        assert source.load().slots == 9
        assert source.latest.slots == 9
        config.unlink()
        await anext(changes)


async def test_an_invalid_file_is_yielded_once(tmp_path: Path) -> None:
    """A failed load counts as a load: the next change is yielded."""
    config = tmp_path / "config.toml"
    source = source_of(tmp_path, fails=True)
    async with aclosing(source.config_changes(POLLED_S)) as changes:
        for text in ("invalid", "invalid again"):
            config.write_text(text)
            await anext(changes)
            with pytest.raises(ValueError):  # noqa: PT011 - the one above
                source.load()
    assert source.latest.slots != 9


def test_state_notices_a_replacement_of_the_same_size_and_time(tmp_path: Path) -> None:
    """An editor that writes a new file and keeps its times changes the inode."""
    config, other = tmp_path / "config.toml", tmp_path / "other"
    for path in (config, other):
        path.write_text("a = 1")
        os.utime(path, ns=(5, 5))
    before = read_state(config)
    other.replace(config)
    assert read_state(config) != before
    config.unlink()
    assert read_state(config) is None
