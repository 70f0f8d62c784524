"""Ensures one gglib server per home: an OS lock, and a state file with the server's URL and process id."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from gglib.core.addresses import Endpoint, PinnedAddress
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
_OPTIONAL_FIELDS = frozenset(("key", "local_url", "certificate"))
"""Left out without a value: an older gglib reads the state, too."""
_LOCK_ATTEMPTS = 15
_LOCK_RETRY_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A running gglib server."""

    pid: int
    url: str | None
    """None until the server listens."""
    started_at: float
    """Unix time in seconds."""
    mark: str | None = None
    """Distinguishes the process from a later one with the same pid."""
    key: str | None = field(default=None, repr=False)
    """The key for gglib's own commands; None if no key is required."""
    is_private: bool = False
    """Whether it serves one chat only, and ends with it."""
    local_url: str | None = None
    """Of an HTTPS server: its address on this machine, whatever names its certificate has."""
    certificate: str | None = field(default=None, repr=False)
    """Of an HTTPS server: its certificate in PEM."""

    @property
    def endpoint(self) -> Endpoint | None:
        """The URL and key for requests; None until the server listens."""
        if self.url is None:
            return None
        is_pinned = self.local_url is not None and self.certificate is not None
        pinned = PinnedAddress(self.local_url or "", self.certificate or "") if is_pinned else None
        return Endpoint(self.url, self.key, pinned=pinned)


class InstanceLock:
    """The held lock of a home, which publishes the state of its server."""

    def __init__(self, run_dir: Path, *, is_private: bool = False) -> None:
        self._run_dir = run_dir
        self._is_private = is_private
        self._started_at = time.time()

    def publish(
        self, url: str | None, *, key: str | None = None, pinned: PinnedAddress | None = None
    ) -> None:
        """Write the state file with the URL, the key and an HTTPS server's own address, readable for its user only."""
        pid = os.getpid()
        instance = Instance(
            pid=pid,
            url=url,
            started_at=self._started_at,
            mark=process_start_id(pid),
            key=key,
            is_private=self._is_private,
            local_url=None if pinned is None else pinned.url,
            certificate=None if pinned is None else pinned.certificate,
        )
        draft = self._run_dir / f"{_STATE_NAME}.new"
        # A draft that a crash left may be an older gglib's, readable for other users.
        draft.unlink(missing_ok=True)
        state = {
            name: value for name, value in asdict(instance).items() if name not in _OPTIONAL_FIELDS or value
        }
        with open(draft, "x", encoding="utf-8", opener=_owner_only) as file:
            json.dump(state, file)
        draft.replace(self._run_dir / _STATE_NAME)


@contextmanager
def lock_instance(run_dir: Path, *, is_private: bool = False) -> Iterator[InstanceLock]:
    """Lock the home for the duration of the block. Raises ``AlreadyRunningError`` with the other server's URL.

    ``is_private`` is for the server of one chat, see ``Instance``.
    """
    try:
        run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        opened = _open_lock(run_dir, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise _not_writable_error(run_dir, error) from None
    with opened as lock:
        if not _acquire(lock):
            raise AlreadyRunningError(_already_running_message(_read_state(run_dir)))
        instance_lock = InstanceLock(run_dir, is_private=is_private)
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
        f"{run_dir} cannot be written ({error.strerror or error}): free disk space, make it writable, or use "
        "another --home."
    )


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _acquire(lock: TextIO) -> bool:
    """Acquire the lock; retries while ``running_instance`` of another process holds it briefly. False: it is taken."""
    for _ in range(_LOCK_ATTEMPTS):
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(_LOCK_RETRY_S)
    return False


def running_instance(run_dir: Path) -> Instance | None:
    """Return the running gglib of this home, or None. The lock decides, because a crash leaves the state file."""
    with suppress(FileNotFoundError), _open_lock(run_dir, os.O_RDONLY) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read_state(run_dir)
    return None


def _read_state(run_dir: Path) -> Instance | None:
    """Return the state; None if there is none, or if a crashed process left it and another one is starting."""
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
    """Return the instance. Raises TypeError or ValueError for invalid fields."""
    instance: Any = Instance(**fields)
    is_text = all(
        value is None or isinstance(value, str)
        for value in (instance.url, instance.mark, instance.key, instance.local_url, instance.certificate)
    )
    if not is_text or not isinstance(instance.pid, int) or not isinstance(instance.started_at, int | float):
        raise ValueError("it is not a state of a running gglib")
    if not isinstance(instance.is_private, bool):
        raise TypeError("it is not a state of a running gglib")
    return Instance(**fields)


def _already_running_message(instance: Instance | None) -> str:
    if instance is None or instance.url is None:
        return "Another gglib is starting or stopping with this home: try again in a moment."
    if instance.is_private:
        return private_message(instance.pid)
    return f"gglib is already running at {instance.url} (pid {instance.pid}): 'gglib stop --server' stops it."


def private_message(pid: int) -> str:
    """Return the sentence for a home that the server of a chat uses."""
    return (
        f"A chat uses this home with a server of its own, which ends with it (pid {pid}): leave the chat with /bye and "
        "try again. A chat that is started after 'gglib up' uses that server."
    )
