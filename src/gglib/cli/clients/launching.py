"""Starts a client in the place of this process, so that signals and the exit code are the client's."""

import os
import shlex
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from gglib.app.clients.client import DUMMY_KEY, Client, Launch, LaunchFile, Program
from gglib.core.errors import GglibError
from gglib.system.files.rewriting import replace_file

DIRECTORY_NAME = "clients"
"""The directory in gglib's home with the files for clients."""
_DIRECTORY_MODE = 0o700


def find_executable(client: Client, program: Program) -> str:
    """Return the path of the client's program. Raises ``GglibError``, which says how to install it."""
    path = shutil.which(program.executable)
    if path is None:
        raise GglibError(
            f"{client.title} is not installed: '{program.executable}' is not on the PATH. '{program.install}' "
            "installs it."
        )
    return path


def write_files(files: Sequence[LaunchFile]) -> None:
    """Write the files of a launch. Raises OSError."""
    for file in files:
        file.path.parent.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        replace_file(file.path, file.content.encode(), None)


def environment_of(launch: Launch, environ: Mapping[str, str], key: str | None) -> dict[str, str]:
    """Return the environment of the client. ``key`` is None where the server requires none."""
    kept = {name: value for name, value in environ.items() if name not in launch.removed}
    return {**kept, **launch.environment, **dict.fromkeys(launch.key_variables, key or DUMMY_KEY)}


def command_line(launch: Launch, program: Program, arguments: Sequence[str], key_reference: str) -> str:
    """Return the launch as a command for a shell, in which ``key_reference`` stands for the key."""
    removed = [f"-u {name}" for name in launch.removed]
    variables = [f"{name}={shlex.quote(value)}" for name, value in launch.environment.items()]
    variables += [f'{name}="{key_reference}"' for name in launch.key_variables]
    command = shlex.join((program.executable, *launch.arguments, *arguments))
    return " \\\n  ".join([" ".join(("env", *removed)), *variables, command])


def execute(path: str, argv: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Replace this process with the client's. Raises ``GglibError`` if the system cannot run the program."""
    sys.stdout.flush()
    sys.stderr.flush()
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and the client would inherit that
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execve(path, list(argv), environment)  # noqa: S606 - the user named the program
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise GglibError(f"{path} cannot be started: {reason}.") from error


def files_directory(home: Path) -> Path:
    """Return the directory of the files that launches write."""
    return home / DIRECTORY_NAME
