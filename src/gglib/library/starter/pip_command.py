"""Finds a pip that can download: environments of ``uv tool install`` and ``pipx`` have none of their own."""

import importlib.util
import shutil
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

_WHEELS = "pip-*.whl"


def pip_command() -> list[str] | None:
    """Return the first words of a pip command; None if there is no pip on this machine.

    In this order: the pip of gglib's environment, the wheel with which Python's ``ensurepip`` installs one, and a pip
    on the ``PATH``. A wheel of pip runs without being installed: ``python pip.whl/pip``, for which
    its ``__main__.py`` has a case.
    """
    return choose_command(
        sys.executable,
        has_module=importlib.util.find_spec("pip") is not None,
        wheel=bundled_wheel(),
        which=shutil.which,
    )


def choose_command(
    python: str, *, has_module: bool, wheel: Path | None, which: Callable[[str], str | None]
) -> list[str] | None:
    """Return the command for what there is. Pure, apart from ``which``."""
    if has_module:
        return [python, "-m", "pip"]
    if wheel is not None:
        return [python, str(wheel / "pip")]
    program = which("pip3") or which("pip")
    return None if program is None else [program]


def newest_wheel(directories: list[Path]) -> Path | None:
    """Return a wheel of pip in the first directory that has one, there the last by name; None if there is none."""
    for directory in directories:
        wheels = sorted(directory.glob(_WHEELS))
        if wheels:
            return wheels[-1]
    return None


def bundled_wheel() -> Path | None:
    """Return the wheel with which ``ensurepip`` of this Python installs pip; None if it has none."""
    # Distributions of Linux keep the wheels of ensurepip in a directory of their own.
    shared = sysconfig.get_config_var("WHEEL_PKG_DIR")
    ensurepip = importlib.util.find_spec("ensurepip")
    origin = None if ensurepip is None else ensurepip.origin
    return newest_wheel(
        [
            *([Path(shared)] if shared else []),
            *([Path(origin).parent / "_bundled"] if origin else []),
        ]
    )
