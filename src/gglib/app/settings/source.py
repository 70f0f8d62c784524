"""Loads the settings of a running server again, and detects changes of ``config.toml`` and of the certificate."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from gglib.app.settings.definitions import Settings
from gglib.core.errors import InvalidSettingError
from gglib.system.files.file_state import FileState, read_state

POLL_INTERVAL_S = 0.4
"""A change is applied after two polls, so that a key that is removed from the file is refused within a second."""


class SettingsSource:
    """The sources of a server's settings: the command line and the environment of its start, and ``config.toml``.

    The certificate is not a setting, but its files are watched, too.
    """

    def __init__(
        self,
        load: Callable[[], Settings],
        loaded: Settings,
        *,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``load`` loads the settings again; ``loaded`` are those that it returned at the start.

        ``report`` is called with a sentence about each reload without a caller: at a change of the file, and by SIGHUP.
        """
        self.report = report
        self.reload_requested = asyncio.Event()
        """Set to request a reload, for example by SIGHUP; the server clears it."""
        self.latest = loaded
        """The settings of the last successful load."""
        self._load = load
        self._path = loaded.config_path
        self._certificate_paths = _certificate_paths(loaded)
        self._loaded_state = (loaded.config_state, *self._certificate_state())

    def load(self) -> Settings:
        """Return the current settings. Raises ``InvalidSettingError``. Blocks: reads the file."""
        # Before the files are read: a change in between is then detected at the next poll.
        self._loaded_state = self._read_state()
        self.latest = self._load()
        return self.latest

    async def config_changes(self, interval_s: float = POLL_INTERVAL_S) -> AsyncGenerator[None]:
        """Poll ``config.toml`` and the certificate, and yield when one differs from the last load.

        A change counts once two polls have found the same state, because an editor may still be writing. An invalid
        file is yielded once, and again when it changes.
        """
        polled = self._loaded_state
        while True:
            await asyncio.sleep(interval_s)
            before, polled = polled, await asyncio.to_thread(self._read_state)
            if polled == before and polled != self._loaded_state:
                yield

    def _read_state(self) -> tuple[FileState | None, ...]:
        return (read_state(self._path), *self._certificate_state())

    def _certificate_state(self) -> tuple[FileState | None, ...]:
        return tuple(map(read_state, self._certificate_paths))


def _certificate_paths(settings: Settings) -> tuple[Path, ...]:
    """Return the files of the certificate at the start: other paths need a restart."""
    try:
        files = settings.certificate_files
    except InvalidSettingError:  # the start fails with it
        return ()
    return () if files is None else (files.certificate, files.key)
