"""Distinguishes ``gglib stop --server`` from other causes of SIGTERM: the command leaves a file before the signal."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def _file(run_dir: Path, pid: int) -> Path:
    return run_dir / f"stop-{pid}"


@contextmanager
def announced_stop(run_dir: Path, pid: int) -> Iterator[None]:
    """Announce that the signal to process ``pid`` in the block is from ``gglib stop --server``.

    If the file cannot be written (a full disk), the server only does not know the cause.
    """
    file = _file(run_dir, pid)
    with suppress(OSError):
        file.touch(mode=0o600)
    try:
        yield
    finally:
        with suppress(OSError):
            file.unlink(missing_ok=True)


def take_announced_stop(run_dir: Path, pid: int) -> bool:
    """Return whether a stop of process ``pid`` was announced, and forget it."""
    try:
        _file(run_dir, pid).unlink()
    except OSError:
        return False
    return True
