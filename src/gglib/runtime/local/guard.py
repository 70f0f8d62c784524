"""Runs an engine that cannot outlive gglib: ``python guard.py [--watch | --tree] PARENT_PID COMMAND [ARG ...]``.

Standard library only, and run as a file by its path: it runs at each launch and must start in milliseconds. On Linux
it sets the parent-death signal and becomes the engine by ``exec``, or runs it in this interpreter if the engine is a
Python program (``python -I FILE [ARG ...]``): a second interpreter would take 20 ms to start.
On other systems it stays as the engine's parent and checks every 0.2 s whether gglib is still its own parent.

``--tree`` is for programs that start further processes: the guard stays as their parent. On Linux it receives a signal
when gglib ends, and it adopts the processes whose parents exit, so it finds and kills all of them, also those in
sessions of their own.
"""

import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_WATCH_INTERVAL_S = 0.2
TREE = "--tree"
WATCH = "--watch"
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
"""They are sent to the whole group, so they reach the engine directly: a guard that stays only has to ignore them."""
_MAX_OPEN_FILES = 1024
"""The limit of ``select`` and the usual default. gglib raises its own limit for its clients; an engine must not inherit
the raised limit, and does not need it: its only client is gglib."""


def die_with_parent(parent_pid: int, signal_number: int = signal.SIGKILL) -> None:
    """Set the parent-death signal, which the kernel sends when the parent thread ends. Survives ``exec``.

    Exits if the parent died before the signal was set.
    """
    import ctypes  # noqa: PLC0415 - 10 ms, needed only in the child

    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent_pid:
        sys.exit("gglib has exited")


def limit_open_files() -> None:
    """Reset the soft limit on open files to the usual default; a lower limit stays."""
    import resource  # noqa: PLC0415 - import only what a launch needs

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft > _MAX_OPEN_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (_MAX_OPEN_FILES, hard))


def supervise(parent_pid: int, command: list[str]) -> int:
    """Run the command as a child, kill the process group when the parent exits, and return the exit code."""
    import subprocess  # noqa: PLC0415 - 20 ms, not needed on Linux

    _ignore_stop_signals()
    child = subprocess.Popen(command, restore_signals=True, preexec_fn=_restore_stop_signals)  # noqa: PLW1509
    while True:
        try:
            child.wait(_WATCH_INTERVAL_S)
            break
        except subprocess.TimeoutExpired:
            pass
        if os.getppid() != parent_pid:
            os.killpg(0, signal.SIGKILL)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def supervise_tree(parent_pid: int, command: list[str]) -> int:
    """Run the command on Linux, kill it and all that it started when the parent exits, and return the exit code.

    The first process decides: when it exits, its descendants are killed. If the guard is killed, perhaps together with
    gglib, the kernel kills the first process.
    """
    import ctypes  # noqa: PLC0415 - 10 ms, needed only in the child

    waited = {signal.SIGCHLD, signal.SIGUSR2}
    signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    _ignore_stop_signals()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    die_with_parent(parent_pid, signal.SIGUSR2)
    child = _start(command)
    code = None
    while code is None:
        if os.getppid() != parent_pid or signal.sigwait(waited) == signal.SIGUSR2:
            code = 1
        code = _reaped(child) if code is None else code
    while descendants := _children(os.getpid()):  # each pass adopts the children of those that it killed
        for pid in descendants:
            _kill(pid)
        _reaped(child, waits=True)
    return code


def _start(command: list[str]) -> int:
    """Start the command as a child that dies with this process, and return its pid."""
    guard_pid = os.getpid()
    child = os.fork()
    if child:
        return child
    try:
        die_with_parent(guard_pid)
        _restore_stop_signals()
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.execv(command[0], command)  # noqa: S606
    except OSError as error:
        os.write(2, os.fsencode(f"error: cannot run {command[0]}: {error.strerror}\n"))
    finally:
        os._exit(1)


def _reaped(child: int, *, waits: bool = False) -> int | None:
    """Reap what has exited; return the exit code of ``child`` if it has. ``waits``: until at least one has exited."""
    code = None
    options = 0 if waits else os.WNOHANG
    while True:
        try:
            pid, status = os.waitpid(-1, options)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        options = os.WNOHANG
        if pid == child:
            ended = os.waitstatus_to_exitcode(status)
            code = ended if ended >= 0 else 128 - ended


def _children(parent_pid: int) -> list[int]:
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib takes 10 ms to import
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == parent_pid:
                found.append(int(name))
    return found


def _kill(pid: int) -> None:
    try:  # noqa: SIM105 - contextlib takes a millisecond to import
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _ignore_stop_signals() -> None:
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _restore_stop_signals() -> None:
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def run_in_process(program: list[str]) -> None:
    """Run a Python program in this interpreter, as ``python -I`` would."""
    import runpy  # noqa: PLC0415 - needed only here
    import site  # noqa: PLC0415

    site.main()  # the guard itself was started with -S
    sys.argv = program
    runpy.run_path(program[0], run_name="__main__")


def main(arguments: list[str]) -> None:
    """Run the command. A leading ``--watch`` uses ``supervise`` on Linux too."""
    mode = arguments[0] if arguments[0] in {WATCH, TREE} else ""
    parent_pid, *command = arguments[1:] if mode else arguments
    limit_open_files()
    is_in_process = not mode and sys.platform == "linux" and command[:2] == [sys.executable, "-I"]
    if is_in_process:
        die_with_parent(int(parent_pid))
        run_in_process(command[2:])
        return
    try:
        _run(mode, int(parent_pid), command)
    except OSError as error:
        sys.exit(f"error: cannot run {command[0]}: {error.strerror}")


def _run(mode: str, parent_pid: int, command: list[str]) -> None:
    """Run a program that is not Python. Raises ``OSError`` if the system cannot run it."""
    if mode == WATCH or sys.platform != "linux":
        sys.exit(supervise(parent_pid, command))
    if mode == TREE:
        sys.exit(supervise_tree(parent_pid, command))
    die_with_parent(parent_pid)
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
