"""Runs an engine that cannot outlive gglib: ``python guard.py PARENT_PID COMMAND [ARG ...]``.

Standard library only, and run as a file by its path: it runs at each launch and must start in milliseconds. On Linux
it sets the parent-death signal and becomes the engine by ``exec``, or runs it in this interpreter if the engine is a
Python program (``python -I FILE [ARG ...]``): a second interpreter would take 20 ms to start.
On other systems it stays as the engine's parent and checks every 0.2 s whether gglib is still its own parent.
"""

import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_WATCH_INTERVAL_S = 0.2
_MAX_OPEN_FILES = 1024
"""The limit of ``select`` and the usual default. gglib raises its own limit for its clients; an engine must not inherit
the raised limit, and does not need it: its only client is gglib."""


def die_with_parent(parent_pid: int) -> None:
    """Set the parent-death signal: the kernel kills this process when its parent thread ends. Survives ``exec``.

    Exits if the parent died before the signal was set.
    """
    import ctypes  # noqa: PLC0415 - 10 ms, needed only in the child

    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        sys.exit("gglib has exited")


def limit_open_files() -> None:
    """Reset the soft limit on open files to the usual default; a lower limit stays."""
    import resource  # noqa: PLC0415 - import only what a launch needs

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft > _MAX_OPEN_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (_MAX_OPEN_FILES, hard))


def supervise(parent_pid: int, command: list[str]) -> int:
    """Run the command as a child, kill the process group when the parent exits, and return the exit code.

    SIGTERM is sent to the whole group, so it reaches the engine directly: this process only has to ignore it.
    """
    import subprocess  # noqa: PLC0415 - 20 ms, not needed on Linux

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(
        command,
        restore_signals=True,
        preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL),  # noqa: PLW1509
    )
    while True:
        try:
            child.wait(_WATCH_INTERVAL_S)
            break
        except subprocess.TimeoutExpired:
            pass
        if os.getppid() != parent_pid:
            os.killpg(0, signal.SIGKILL)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def run_in_process(program: list[str]) -> None:
    """Run a Python program in this interpreter, as ``python -I`` would."""
    import runpy  # noqa: PLC0415 - needed only here
    import site  # noqa: PLC0415

    site.main()  # the guard itself was started with -S
    sys.argv = program
    runpy.run_path(program[0], run_name="__main__")


def main(arguments: list[str]) -> None:
    """Run the command. A leading ``--watch`` uses ``supervise`` on Linux too."""
    is_supervised = arguments[0] == "--watch" or sys.platform != "linux"
    if arguments[0] == "--watch":
        arguments = arguments[1:]
    parent_pid, command = int(arguments[0]), arguments[1:]
    limit_open_files()
    if is_supervised:
        sys.exit(supervise(parent_pid, command))
    die_with_parent(parent_pid)
    if command[:2] == [sys.executable, "-I"]:
        run_in_process(command[2:])
        return
    try:
        os.execv(command[0], command)  # noqa: S606
    except OSError as error:
        sys.exit(f"error: cannot run {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
