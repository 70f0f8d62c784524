"""The source of a server's settings, and the detection of changes of config.toml."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from gglib.app.settings import Settings, load_settings
from gglib.app.settings.source import SettingsSource

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


async def test_an_edit_between_the_load_and_the_watch_is_yielded(tmp_path: Path) -> None:
    """A start takes time: it prompts, checks the engine, and runs the maintenance of the home."""
    config = tmp_path / "config.toml"
    config.write_text("slots = 2")

    def load() -> Settings:
        return load_settings({"home": str(tmp_path)}, {})

    settings = load()
    config.write_text("slots = 91")
    source = SettingsSource(load, settings)
    async with aclosing(source.config_changes(POLLED_S)) as changes, asyncio.timeout(10):
        await anext(changes)


async def test_the_files_of_the_certificate_are_watched(tmp_path: Path) -> None:
    """Each of them; a link is followed, as certbot replaces links."""
    (tmp_path / "one.crt").write_text("one")
    (tmp_path / "two.crt").write_text("another")
    (tmp_path / "box.crt").symlink_to("one.crt")
    settings = Settings(home=tmp_path, tls_cert=Path("box.crt"), tls_key=tmp_path / "box.key")
    source = SettingsSource(lambda: settings, settings)
    async with aclosing(source.config_changes(POLLED_S)) as changes, asyncio.timeout(10):
        (tmp_path / "box.key").write_text("key")
        await anext(changes)
        source.load()
        (tmp_path / "box.crt").unlink()
        (tmp_path / "box.crt").symlink_to("two.crt")
        await anext(changes)


async def test_half_a_pair_of_files_is_not_watched(tmp_path: Path) -> None:
    """The start fails with it; the settings file is watched."""
    settings = Settings(home=tmp_path, tls_cert=Path("box.crt"))
    source = SettingsSource(lambda: settings, settings)
    async with aclosing(source.config_changes(POLLED_S)) as changes, asyncio.timeout(10):
        (tmp_path / "config.toml").write_text("slots = 9")
        await anext(changes)
