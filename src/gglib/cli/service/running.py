"""Runs the commands of a service manager, and shows them."""

import os
import shlex
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from gglib.app.service.controls import Words
from gglib.app.service.detection import ServiceManager
from gglib.app.service.files import installed_names
from gglib.cli.views import render
from gglib.core.errors import GglibError, InvalidSettingError
from gglib.system.files.small_files import read_small

END_LIMIT_S = 60.0
"""How long the end of a job is waited for."""
_POLL_S = 0.2


def require_installed(manager: ServiceManager) -> tuple[str, ...]:
    """Return the names of the files of the service. Raises ``InvalidSettingError`` if there is none."""
    names = installed_names(manager.directory, manager.controls.file_names)
    if not names:
        raise InvalidSettingError(
            f"No service is installed in {manager.directory}: {manager.command('install')} installs one."
        )
    return names


def installed_home(manager: ServiceManager) -> str | None:
    """Return the data directory of the service, as its files set it; None if they cannot be read."""
    for name in manager.controls.file_names:
        with suppress(OSError, ValueError):
            if home := manager.controls.home_in(read_small(manager.directory / name).decode()):
                return home
    return None


def look(manager: ServiceManager) -> str:
    """Return what to type for the reason of a failure."""
    return f"{manager.command('status')} and {manager.command('logs')} show why"


def run_all(manager: ServiceManager, commands: Iterable[Words], *, failure: str) -> None:
    """Show and run commands. Raises ``GglibError`` with ``failure`` if one fails; its own output says why."""
    for words in commands:
        render.echo(f"$ {shlex.join(words)}", is_error=True)
        if not manager.controls.is_done(words, run(manager, words)):
            raise GglibError(failure)
        _wait_for_failure(manager, manager.controls.fails_after(words))


def clear_failures(manager: ServiceManager, names: Sequence[str]) -> None:
    """Let the service manager forget earlier failures: a start after a repair must not be refused for them."""
    if words := manager.controls.clear_failures(names):
        _run_quietly(manager, words)


def is_main_process(manager: ServiceManager, pid: int) -> bool:
    """Whether a process is the one that the service manager started for the service."""
    shown = _run_quietly(manager, manager.controls.main_process()).stdout
    return manager.controls.main_pid(shown) == pid


def run(manager: ServiceManager, words: Words) -> int:
    """Run a command on this terminal, and return its exit code."""
    try:
        return subprocess.run(words, env={**os.environ, **manager.variables}, check=False).returncode
    except FileNotFoundError:
        raise GglibError(f"{words[0]} is not installed: install it, or look into 'gglib logs'.") from None


def _wait_for_failure(manager: ServiceManager, words: Words) -> None:
    """Repeat a command until it fails; nothing without words. Raises ``GglibError`` if it never does."""
    end_s = time.monotonic() + END_LIMIT_S
    while words and _run_quietly(manager, words).returncode == 0:
        if time.monotonic() > end_s:
            raise GglibError(f"The service has not ended: {manager.command('status')} shows its state.")
        time.sleep(_POLL_S)


def _run_quietly(manager: ServiceManager, words: Words) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        words, env={**os.environ, **manager.variables}, check=False, capture_output=True, text=True
    )
