"""The reloader: what it applies, and that an invalid source changes nothing."""

import asyncio
import logging
from pathlib import Path

import pytest

from gglib.app.serving.reload import Reloader, describe, reloaded_on_changes
from gglib.app.settings import Settings
from gglib.app.settings.source import SettingsSource
from gglib.core.api_keys import ApiKey
from gglib.core.errors import CatalogError, InvalidSettingError, ShuttingDownError
from gglib.core.ports.reload import ReloadResult, SettingChange


class World:
    """A server that records what is applied to it."""

    def __init__(self, home: Path) -> None:
        self.next = self.running = Settings(home=home)
        self.error: InvalidSettingError | None = None
        self.applied: list[Settings] = []
        self.catalog_error: CatalogError | None = None
        self.certificate_error: InvalidSettingError | None = None
        self.renewed: SettingChange | None = None
        self.replaced: tuple[str, ...] = ("tiny",)
        self.can_compare = asyncio.Event()
        """Cleared: the comparison with the catalogue waits for it."""
        self.can_compare.set()
        self.has_compared = asyncio.Event()
        self.compared: list[str] = []
        self.reported: list[str] = []
        self.source = SettingsSource(self._load, self.running, report=self.reported.append)
        self.reloader = Reloader(
            self.running,
            self.source,
            apply=self._apply,
            check_names=self._check_names,
            replace_changed=self._replace_changed,
            reload_certificate=self._reload_certificate,
        )

    def _load(self) -> Settings:
        if self.error is not None:
            raise self.error
        return self.next

    async def _apply(self, settings: Settings) -> None:
        if settings.max_models == 13:
            raise InvalidSettingError("13 models are too many.")
        self.applied.append(settings)

    async def _check_names(self, settings: Settings) -> tuple[str, ...]:
        if self.catalog_error is not None:
            raise self.catalog_error
        return tuple(f"'{name}' is no model." for name in settings.aliases)

    async def _reload_certificate(self) -> SettingChange | None:
        if self.certificate_error is not None:
            raise self.certificate_error
        return self.renewed

    async def _replace_changed(self) -> tuple[str, ...]:
        self.compared.append("begin")
        self.has_compared.set()
        await self.can_compare.wait()
        self.compared.append("end")
        if self.catalog_error is not None:
            raise self.catalog_error
        return self.replaced


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a server with default settings."""
    return World(tmp_path)


async def test_live_settings_are_applied_once(world: World) -> None:
    """The second reload finds no difference."""
    world.next = Settings(home=world.running.home, slots=9, warnings=("w",))
    change = SettingChange(setting="slots", old="4", new="9", is_applied=True)
    expected = ReloadResult(changes=(change,), replaced_models=("tiny",), warnings=("w",))
    assert await world.reloader.reload() == expected
    assert (await world.reloader.reload()).changes == ()
    assert world.applied == [world.next]


async def test_unknown_models_of_the_applied_settings_are_warnings(world: World) -> None:
    """After those of the file."""
    world.next = Settings(home=world.running.home, aliases={"fast": ("none",)}, warnings=("w",))
    assert (await world.reloader.reload()).warnings == ("w", "'fast' is no model.")


async def test_what_needs_a_restart_is_reported_each_time_and_not_applied(world: World) -> None:
    """A change of the port alone applies nothing."""
    world.next = Settings(home=world.running.home, port=9)
    for _ in range(2):
        assert [change.setting for change in (await world.reloader.reload()).changes] == ["port"]
    assert world.applied == []


async def test_invalid_settings_change_nothing(world: World) -> None:
    """Neither those that cannot be read nor those that cannot be applied."""
    world.next = Settings(home=world.running.home, max_models=13)
    with pytest.raises(InvalidSettingError, match="too many"):
        await world.reloader.reload()
    world.error = InvalidSettingError("The file is invalid.")
    with pytest.raises(InvalidSettingError, match="invalid"):
        await world.reloader.reload()
    world.next, world.error = Settings(home=world.running.home, slots=9), None
    assert [change.setting for change in (await world.reloader.reload()).changes] == ["slots"]


RENEWED = SettingChange(setting="tls_cert", old="old", new="new", is_applied=True)


async def test_a_renewed_certificate_is_a_change(world: World) -> None:
    """Although no setting differs; a failure of the catalogue afterwards is a warning."""
    world.renewed = RENEWED
    assert (await world.reloader.reload()).changes == (RENEWED,)
    assert world.applied == []
    world.catalog_error = CatalogError("The catalogue is broken.")
    (warning,) = (await world.reloader.reload()).warnings
    assert "could not be checked: The catalogue is broken." in warning


async def test_a_broken_certificate_does_not_keep_a_removed_key(world: World) -> None:
    """Other changes are applied, and the result says what was kept; alone it is an error."""
    sentence = "The key does not fit; the server keeps the certificate that it has."
    world.certificate_error = InvalidSettingError("The key does not fit.")
    world.replaced = ()
    with pytest.raises(InvalidSettingError) as refused:
        await world.reloader.reload()
    assert str(refused.value) == sentence
    assert world.compared == ["begin", "end"]
    world.next = Settings(home=world.running.home, slots=9, warnings=("w",))
    result = await world.reloader.reload()
    assert [change.setting for change in result.changes] == ["slots"]
    assert result.warnings == (sentence, "w")
    assert world.applied == [world.next]


async def test_http_has_no_certificate_to_reload(tmp_path: Path) -> None:
    """The default of the reloader."""
    world = World(tmp_path)
    reloader = Reloader(
        world.running,
        world.source,
        apply=world._apply,
        check_names=world._check_names,
        replace_changed=world._replace_changed,
    )
    assert (await reloader.reload()).changes == ()


async def test_a_request_reloads_and_failures_are_logged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A request before the start counts; after a failure the next request is served."""
    caplog.set_level(logging.INFO)
    world.error = InvalidSettingError("The file is invalid.")
    world.source.reload_requested.set()
    async with reloaded_on_changes(world.reloader, world.source):
        while "not reloaded: The file is invalid." not in caplog.text:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.001)
        world.next, world.error = Settings(home=world.running.home, slots=9, warnings=("w1",)), None
        world.source.reload_requested.set()
        while "w1" not in caplog.text:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.001)
    assert "reloaded the settings: slots 4 -> 9" in caplog.text
    assert world.reported == [
        "The settings were not reloaded: The file is invalid.",
        "Reloaded the settings: slots 4 -> 9.",
        "Warning: w1",
    ]


def test_a_change_is_logged_without_secrets() -> None:
    """With values if they may be shown, and with a note if it is not applied."""
    assert describe(SettingChange(setting="port", old="1", new="2", is_applied=False)) == (
        "port 1 -> 2 (needs a restart)"
    )
    assert describe(SettingChange(setting="engine", old="", new="", is_applied=True)) == (
        "engine none -> none"
    )
    assert describe(SettingChange(setting="api_keys", old=None, new=None, is_applied=True)) == (
        "api_keys changed"
    )


async def test_a_config_without_keys_is_not_applied_by_itself(world: World) -> None:
    """An emptied or deleted file would open the server; the user's own reload does it."""
    world.running = Settings(home=world.running.home, api_keys={"a": ApiKey.admin("a-key-of-eight")})
    reloader = Reloader(
        world.running,
        world.source,
        apply=world._apply,
        check_names=world._check_names,
        replace_changed=world._replace_changed,
    )
    with pytest.raises(InvalidSettingError, match="no access keys any more"):
        await reloader.reload(may_drop_keys=False)
    assert world.applied == []
    await reloader.reload()
    assert world.applied == [world.next]


async def test_a_reload_completes_after_its_caller_is_cancelled(world: World) -> None:
    """A client that disconnects does not leave the settings applied and the loaded models as they were."""
    world.next = Settings(home=world.running.home, slots=9)
    world.can_compare.clear()
    async with reloaded_on_changes(world.reloader, world.source):
        caller = asyncio.create_task(world.reloader.reload())
        await world.has_compared.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        world.can_compare.set()
    assert world.compared == ["begin", "end"]


async def test_the_failure_of_a_reload_without_a_caller_is_logged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Its caller was cancelled before."""
    world.catalog_error = CatalogError("The catalogue is damaged.")
    world.can_compare.clear()
    async with reloaded_on_changes(world.reloader, world.source):
        caller = asyncio.create_task(world.reloader.reload())
        await world.has_compared.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        world.can_compare.set()
    assert "The catalogue is damaged." in caplog.text


async def test_no_reload_begins_after_the_block(world: World) -> None:
    """The server stops: the settings would be applied to parts that are closed."""
    async with reloaded_on_changes(world.reloader, world.source):
        await world.reloader.reload()
    with pytest.raises(ShuttingDownError):
        await world.reloader.reload()


async def test_reloads_run_one_after_the_other(world: World) -> None:
    """The second starts after the end of the first."""
    await asyncio.gather(world.reloader.reload(), world.reloader.reload())
    assert world.compared == ["begin", "end"] * 2


async def test_applied_settings_are_reported_although_the_catalogue_fails(world: World) -> None:
    """The result has the changes, and the error as a warning."""
    world.next = Settings(home=world.running.home, slots=9, warnings=("w",))
    world.catalog_error = CatalogError("The catalogue is damaged.")
    result = await world.reloader.reload()
    assert [change.setting for change in result.changes] == ["slots"]
    assert result.replaced_models == ()
    assert result.warnings[0] == "w"
    assert "The catalogue is damaged." in result.warnings[1]
    assert len(result.warnings) == 2


@pytest.mark.parametrize("port", [8080, 9])
async def test_a_failure_of_the_catalogue_is_an_error_if_nothing_was_applied(world: World, port: int) -> None:
    """The reload has had no effect, also if a setting needs a restart."""
    world.next = Settings(home=world.running.home, port=port)
    world.catalog_error = CatalogError("The catalogue is damaged.")
    with pytest.raises(CatalogError):
        await world.reloader.reload()
