"""Finds the service manager of this machine, and says what to do where there is none."""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gglib.app.service.controls import Controls, Launchd, Systemd
from gglib.core.errors import InvalidSettingError

_ROOT = Path("/")
_PRINT = "'gglib service install --print' shows the units"


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """The service manager of a user, or of the machine."""

    controls: Controls
    directory: Path
    """Where its files are."""
    variables: Mapping[str, str]
    """Added to the environment of its commands."""
    is_system: bool = False
    """Whether it is that of the machine."""

    def command(self, word: str) -> str:
        """Return a command of gglib for this service manager, as it is typed, in quotes."""
        return f"'gglib service {word}{' --system' if self.is_system else ''}'"


def find_manager(  # noqa: PLR0913 - what tests replace
    *,
    is_system: bool,
    may_be_absent: bool = False,
    shows_only: bool = False,
    platform: str = sys.platform,
    environment: Mapping[str, str] = os.environ,
    uid: int | None = None,
    root: Path = _ROOT,
) -> ServiceManager:
    """Return the service manager. Raises ``InvalidSettingError`` if it cannot be used.

    ``may_be_absent``: only what would be its files is shown. ``shows_only``: nothing is changed, which every user may.
    """
    uid = os.getuid() if uid is None else uid
    home = Path(environment.get("HOME") or Path.home())
    if platform == "darwin":
        directory = root / "Library/LaunchDaemons" if is_system else home / "Library/LaunchAgents"
        controls: Controls = Launchd("system" if is_system else f"gui/{uid}", str(directory))
        manager = ServiceManager(controls, directory, {}, is_system)
    else:
        config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
        directory = root / "etc/systemd/system" if is_system else config / "systemd/user"
        runtime = environment.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
        variables = {} if is_system else {"XDG_RUNTIME_DIR": runtime}
        manager = ServiceManager(Systemd(is_system), directory, variables, is_system)
        if not may_be_absent:
            _require_systemd(root, Path(runtime), environment, is_system=is_system)
    if is_system and uid != 0 and not (may_be_absent or shows_only):
        raise InvalidSettingError(
            "Only root may change the services of the machine: run this command with sudo, or without --system."
        )
    return manager


def _require_systemd(root: Path, runtime: Path, environment: Mapping[str, str], *, is_system: bool) -> None:
    """Raise ``InvalidSettingError`` if systemd is not running, as sd_booted(3) finds out, or not for this user."""
    if (
        not (root / "run/systemd/system").is_dir()
        or shutil.which("systemctl", path=environment.get("PATH")) is None
    ):
        where = " in this container" if _is_container(root, environment) else " on this machine"
        advice = (
            "let the container itself run 'gglib serve'"
            if _is_container(root, environment)
            else f"let your service manager run 'gglib serve'; {_PRINT}"
        )
        raise InvalidSettingError(f"systemd does not run{where}: {advice}.")
    if not is_system and not (root / runtime.relative_to("/") / "systemd/private").exists():
        raise InvalidSettingError(
            "systemd does not run for this user: log in as this user (not with su or sudo), or use --system for a "
            "service of the machine."
        )


def _is_container(root: Path, environment: Mapping[str, str]) -> bool:
    """Whether this is a container, by the marks that Docker, Podman and systemd leave."""
    marks = (".dockerenv", "run/.containerenv", "run/systemd/container")
    return "container" in environment or any((root / mark).exists() for mark in marks)
