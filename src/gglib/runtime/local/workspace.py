"""The private directory of one launch: socket, key, plan, and a process record for the cleanup after a crash.

``$GGLIB_HOME/run/engines/PID-GENERATION/``, mode 0700. The directory's mode protects the socket, which engines
create with mode 0755.
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

from gglib.runtime.local.os_processes import kill_descendants, process_start_id, signal_group
from gglib.system.files.small_files import parse_json, read_small, warn_skipped_once

MAX_SOCKET_PATH_BYTES = 100
"""macOS allows 103 bytes, Linux 107."""
_RECORD = "process.json"
_SOCKET_DIR_PREFIX = "gglib-"
_KILL_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Workspace:
    """The files of one launch."""

    directory: Path
    socket_path: Path | None
    key: str = field(repr=False)

    @property
    def key_file(self) -> Path:
        """The file from which the engine reads its bearer key."""
        return self.directory / "key"

    @property
    def plan_file(self) -> Path:
        """The file from which an engine may read its parameters."""
        return self.directory / "plan.json"

    @property
    def slot_directory(self) -> Path:
        """The directory in which the engine saves its slots."""
        return self.directory / "slots"

    def record(self, pid: int) -> None:
        """Record the engine process, for ``reap_orphans``."""
        record = {"pid": pid, "mark": process_start_id(pid), "socket_path": str(self.socket_path or "")}
        (self.directory / _RECORD).write_text(json.dumps(record))


@contextmanager
def open_workspace(engines_dir: Path, name: str, *, use_unix_socket: bool) -> Iterator[Workspace]:
    """Create a launch's directory and remove it at the end of the block."""
    directory = engines_dir / name
    directory.mkdir(parents=True, mode=0o700)
    socket_dir = None
    socket_path = None
    try:
        if use_unix_socket and hasattr(socket, "AF_UNIX"):
            socket_path = directory / "engine.sock"
            if len(str(socket_path).encode()) > MAX_SOCKET_PATH_BYTES:
                socket_dir = Path(tempfile.mkdtemp(prefix=_SOCKET_DIR_PREFIX))  # mode 0700
                socket_path = socket_dir / "engine.sock"
        workspace = Workspace(directory, socket_path, secrets.token_urlsafe(32))
        workspace.slot_directory.mkdir(mode=0o700)
        workspace.key_file.touch(mode=0o600)
        workspace.key_file.write_text(workspace.key)
        yield workspace
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        if socket_dir is not None:
            shutil.rmtree(socket_dir, ignore_errors=True)


def reap_orphans(engines_dir: Path, *, now: Callable[[], float] = time.monotonic) -> list[int]:
    """Kill engines that a crash left running, remove their directories, and return the killed pids.

    A process is killed only if pid, start time and boot id match the record: the pid alone may have been reused.
    Blocks for up to 2 s until they have exited. Call it only while holding the home directory's lock.
    """
    records = list(engines_dir.glob(f"*/{_RECORD}"))
    killed = [pid for record in records if (pid := _kill_recorded(record, now)) is not None]
    for record in records:
        _remove_socket_directory(record)
    shutil.rmtree(engines_dir, ignore_errors=True)
    return killed


def _kill_recorded(record: Path, now: Callable[[], float]) -> int | None:
    content = _read_record(record)
    pid, start_id = content.get("pid"), content.get("mark")
    if not isinstance(pid, int) or start_id is None or process_start_id(pid) != start_id:
        return None
    kill_descendants(pid)
    signal_group(pid, signal.SIGKILL)
    deadline = now() + _KILL_TIMEOUT_S
    while process_start_id(pid) == start_id and now() < deadline:
        time.sleep(0.01)
    return pid


def _read_record(record: Path) -> dict[str, Any]:
    """Return the content of a record; empty, with a warning, if it is invalid."""
    try:
        content = parse_json(read_small(record))
    except (OSError, ValueError) as error:
        warn_skipped_once(record, error)
        return {}
    return content if isinstance(content, dict) else {}


def _remove_socket_directory(record: Path) -> None:
    """Remove the socket's separate directory, which exists if the home directory's path is too long."""
    with suppress(OSError, ValueError, TypeError):
        directory = Path(_read_record(record).get("socket_path", "")).parent
        if directory.name.startswith(_SOCKET_DIR_PREFIX) and directory.parent == Path(tempfile.gettempdir()):
            shutil.rmtree(directory, ignore_errors=True)
