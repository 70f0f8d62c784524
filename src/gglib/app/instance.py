"""One gglib for each home: an OS lock, and a state that says where it answers."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from gglib.core.addresses import Endpoint
from gglib.core.errors import AlreadyRunningError, InvalidSettingError
from gglib.runtime.local.os_processes import process_start_id
from gglib.system.files.small_files import (
    open_regular,
    parse_json,
    read_small,
    warn_skipped_once,
)

_LOCK_NAME = "gglib.lock"
_STATE_NAME = "instance.json"
_LOCK_ATTEMPTS = 15
_LOCK_RETRY_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A gglib that runs."""

    pid: int
    url: str | None
    """None until it answers."""
    started_at: float
    """Unix time in seconds."""
    mark: str | None = None
    """What tells the process from a later one with the same pid."""
    key: str | None = field(default=None, repr=False)
    """What gglib's own commands have to show it; None where it needs no key."""

    @property
    def endpoint(self) -> Endpoint | None:
        """Where to ask it, and with what; None until it answers."""
        return None if self.url is None else Endpoint(self.url, self.key)


class InstanceLock:
    """The right to be the gglib of a home."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._started_at = time.time()

    def publish(self, url: str | None, *, key: str | None = None) -> None:
        """Say where this gglib answers, and to its own user alone with which key."""
        pid = os.getpid()
        instance = Instance(
            pid=pid, url=url, started_at=self._started_at, mark=process_start_id(pid), key=key
        )
        draft = self._run_dir / f"{_STATE_NAME}.new"
        # What a crash left may have been made by an older gglib, for anybody to read.
        draft.unlink(missing_ok=True)
        state = {name: value for name, value in asdict(instance).items() if name != "key" or key}
        with open(draft, "x", encoding="utf-8", opener=_owner_only) as file:
            json.dump(state, file)
        draft.replace(self._run_dir / _STATE_NAME)


@contextmanager
def lock_instance(run_dir: Path) -> Iterator[InstanceLock]:
    """Hold the home for the length of the block. Raises ``AlreadyRunningError`` that says where the other one is."""
    try:
        run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        opened = _open_lock(run_dir, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise _not_writable_error(run_dir, error) from None
    with opened as lock:
        if not _acquire(lock):
            raise AlreadyRunningError(_already_running_message(_read_state(run_dir)))
        instance_lock = InstanceLock(run_dir)
        try:
            instance_lock.publish(None)
        except OSError as error:
            raise _not_writable_error(run_dir, error) from None
        try:
            yield instance_lock
        finally:
            (run_dir / _STATE_NAME).unlink(missing_ok=True)


def _open_lock(run_dir: Path, flags: int) -> TextIO:
    return os.fdopen(open_regular(run_dir / _LOCK_NAME, flags=flags), encoding="utf-8")


def _not_writable_error(run_dir: Path, error: OSError) -> InvalidSettingError:
    return InvalidSettingError(
        f"{run_dir} cannot be written ({error.strerror or error}): free disk space, make it writable, or select "
        "another home with --home."
    )


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _acquire(lock: TextIO) -> bool:
    """Take the lock; False when somebody keeps it for longer than a look at it (``running_instance``) takes."""
    for _ in range(_LOCK_ATTEMPTS):
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(_LOCK_RETRY_S)
    return False


def running_instance(run_dir: Path) -> Instance | None:
    """Return the gglib that holds this home, or None. The lock says so, not the state, which a crash leaves behind."""
    with suppress(FileNotFoundError), _open_lock(run_dir, os.O_RDONLY) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read_state(run_dir)
    return None


def _read_state(run_dir: Path) -> Instance | None:
    """Return what the state says; None when there is none, or when a crash left it and the next one just starts."""
    try:
        instance = _from_json(parse_json(read_small(run_dir / _STATE_NAME)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        warn_skipped_once(run_dir / _STATE_NAME, error)
        return None
    is_current = instance.mark is not None and instance.mark == process_start_id(instance.pid)
    return instance if is_current else None


def _from_json(fields: Any) -> Instance:  # noqa: ANN401 - JSON
    """Return the instance. Raises TypeError or ValueError for what is none."""
    instance: Any = Instance(**fields)
    is_text = all(
        value is None or isinstance(value, str) for value in (instance.url, instance.mark, instance.key)
    )
    if not is_text or not isinstance(instance.pid, int) or not isinstance(instance.started_at, int | float):
        raise ValueError("it is not a state of a running gglib")
    return Instance(**fields)


def _already_running_message(instance: Instance | None) -> str:
    if instance is None or instance.url is None:
        return "Another gglib is starting or stopping with this home: try again in a moment."
    return f"gglib is already running at {instance.url} (pid {instance.pid}): 'gglib stop --server' stops it."
