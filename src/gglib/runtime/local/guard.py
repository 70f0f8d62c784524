"""Runs an engine that cannot outlive gglib: ``python guard.py PARENT_PID COMMAND [ARG ...]``.

Standard library only, and run as a file by its path: it stands between gglib and the engine at each launch, so it
must start in milliseconds. Where the kernel offers a parent-death signal (Linux) it asks for it and becomes the engine,
by ``exec``, or as it stands where the engine is a Python program (``python -I FILE [ARG ...]``): a second interpreter
would take 20 ms to start.
Elsewhere it stays as a guardian, which looks every 0.2 s whether gglib is still its parent.
"""

import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_WATCH_INTERVAL_S = 0.2
_DESCRIPTORS = 1024
"""What ``select`` can watch, and what programs are started with everywhere; gglib raises its own limit for its clients,
and an engine, which has gglib as its only one, is not to inherit that."""


def die_with_parent(parent_pid: int) -> None:
    """Ask the kernel to kill this process when the thread that spawned it ends; survives ``exec``.

    The parent may have died before the wish was heard: then there is nobody to serve, and this process exits.
    """
    import ctypes  # noqa: PLC0415 - 10 ms that only the child needs to pay

    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        sys.exit("gglib is gone")


def limit_descriptors() -> None:
    """Give the engine the limit on open files that it would have anywhere else; what is lower stays."""
    import resource  # noqa: PLC0415 - only what is needed at each launch

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft > _DESCRIPTORS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS, hard))


def supervise(parent_pid: int, command: list[str]) -> int:
    """Run the command as a child, kill the whole group when the parent is gone, and return the child's exit code.

    TERM goes to the whole group, so the engine gets it by itself: the guardian only has to survive it.
    """
    import subprocess  # noqa: PLC0415 - 20 ms that the guard can do without

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
    import runpy  # noqa: PLC0415 - only here
    import site  # noqa: PLC0415

    site.main()  # the guard itself was started without
    sys.argv = program
    runpy.run_path(program[0], run_name="__main__")


def main(arguments: list[str]) -> None:
    """Guard the command; ``--watch`` in front asks for the guardian where the kernel would do."""
    is_watching = arguments[0] == "--watch" or sys.platform != "linux"
    if arguments[0] == "--watch":
        arguments = arguments[1:]
    parent_pid, command = int(arguments[0]), arguments[1:]
    limit_descriptors()
    if is_watching:
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
