"""The private directory of one launch: socket, key, plan, and the record that the next start finds after a crash.

``$GGLIB_HOME/run/engines/PID-GENERATION/``, mode 0700. The directory is the guard of the socket, whose own mode
llama-server leaves at 0755.
"""

import json
import secrets
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gglib.runtime.local.os_processes import process_start_id, signal_group
from gglib.system.files.small_files import parse_json, read_small, warn_of_skipped

MAX_SOCKET_PATH_BYTES = 100
"""macOS takes 103 bytes, Linux 107."""
_RECORD = "process.json"
_SOCKET_DIR_PREFIX = "gglib-"
_KILL_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where one launch keeps what is its own."""

    directory: Path
    socket_path: Path | None
    key: str = field(repr=False)

    @property
    def key_file(self) -> Path:
        """The bearer key, for the engine to read."""
        return self.directory / "key"

    @property
    def plan_file(self) -> Path:
        """What the embedded engine is told."""
        return self.directory / "plan.json"

    def record(self, pid: int) -> None:
        """Write down which process group works here."""
        record = {"pid": pid, "mark": process_start_id(pid), "socket_path": str(self.socket_path or "")}
        (self.directory / _RECORD).write_text(json.dumps(record))


@contextmanager
def open_workspace(engines_dir: Path, name: str, *, use_unix_socket: bool) -> Iterator[Workspace]:
    """Make the directory of a launch and remove it, with all that is in it, at the end."""
    directory = engines_dir / name
    directory.mkdir(parents=True, mode=0o700)
    socket_dir = None
    socket_path = None
    try:
        if use_unix_socket and hasattr(socket, "AF_UNIX"):
            socket_path = directory / "engine.sock"
            if len(str(socket_path).encode()) > MAX_SOCKET_PATH_BYTES:
                socket_dir = Path(tempfile.mkdtemp(prefix=_SOCKET_DIR_PREFIX))  # 0700 by definition
                socket_path = socket_dir / "engine.sock"
        workspace = Workspace(directory, socket_path, secrets.token_urlsafe(32))
        workspace.key_file.touch(mode=0o600)
        workspace.key_file.write_text(workspace.key)
        yield workspace
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        if socket_dir is not None:
            shutil.rmtree(socket_dir, ignore_errors=True)


def reap_orphans(engines_dir: Path, *, now: Callable[[], float] = time.monotonic) -> list[int]:
    """End what a crash left running, remove its directories, and return the pids that were ended.

    A process is ours only when pid, start time and boot are the recorded ones: a pid alone may be anybody's by now.
    Blocks for up to 2 s while they go. Call it only while holding the home's lock.
    """
    records = list(engines_dir.glob(f"*/{_RECORD}"))
    ended = [pid for record in records if (pid := _kill_recorded(record, now)) is not None]
    for record in records:
        _remove_socket_directory(record)
    shutil.rmtree(engines_dir, ignore_errors=True)
    return ended


def _kill_recorded(record: Path, now: Callable[[], float]) -> int | None:
    content = _read_record(record)
    pid, mark = content.get("pid"), content.get("mark")
    if not isinstance(pid, int) or mark is None or process_start_id(pid) != mark:
        return None
    signal_group(pid, signal.SIGKILL)
    deadline = now() + _KILL_TIMEOUT_S
    while process_start_id(pid) == mark and now() < deadline:
        time.sleep(0.01)
    return pid


def _read_record(record: Path) -> dict[str, Any]:
    """Return what a record says; nothing, and a warning, for one that is none: its process cannot be known."""
    try:
        content = parse_json(read_small(record))
    except (OSError, ValueError) as error:
        warn_of_skipped(record, error)
        return {}
    return content if isinstance(content, dict) else {}


def _remove_socket_directory(record: Path) -> None:
    """Remove the directory that a socket has of its own where the home's path is too long for one."""
    with suppress(OSError, ValueError, TypeError):
        directory = Path(_read_record(record).get("socket_path", "")).parent
        if directory.name.startswith(_SOCKET_DIR_PREFIX) and directory.parent == Path(tempfile.gettempdir()):
            shutil.rmtree(directory, ignore_errors=True)
