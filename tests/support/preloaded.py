"""gglib processes that start in 20 ms: forked from a process that has imported gglib already.

Starting Python and importing gglib takes 0.3 to 0.5 s of CPU, which was most of the time of the tests of the command
line. ``PreloadedProcess`` is a ``subprocess.Popen`` whose child is such a fork: it has its own files, environment,
directory, signal handlers and standard streams, and runs ``gglib.cli.main``. With ``start_new_session`` it has its own
session, and a terminal on stdin is that of the session. ``pass_fds`` get the descriptors from 3 on, and the value
``OWN_PID`` of a variable becomes the child's process id, as a service manager does it. What belongs to the interpreter
is not as in a fresh process: options such as ``PYTHONUTF8``, the locale, and the command line in ``/proc``. Tests of
these start the program.

Run as a program, this module is the fork server. It has one thread and no event loop.
"""

import atexit
import contextlib
import fcntl
import functools
import gc
import importlib
import io
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, AnyStr

import httpcore2
from tests.support.tls_contexts import share_tls_contexts

import gglib

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(gglib.__file__).resolve().parents[1]
"""The tested package is the one that this process imported, wherever it is installed."""
GGLIB = (sys.executable, "-m", "gglib")
"""``python -m gglib``: its messages name the program so."""
PROGRAM = "gglib"
"""The name of the installed program."""
OWN_PID = "{pid}"
"""The value of a variable that the child replaces by its process id."""
_START_S = 120.0
_MAX_STREAMS = 16
_HIGH = 100
"""Copies of the passed descriptors, where none of the places is."""
_MAX_ORDER_BYTES = 1024 * 1024
_MODULES = (
    *("gglib.cli.app", "gglib.app.serving.server", "gglib.app.models.pulls"),
    *("gglib.app.doctor", "gglib.hf.session"),
)
"""What most commands import. Commands themselves are imported with ``gglib.cli.app``."""


class PreloadedProcess(subprocess.Popen[AnyStr]):
    """A gglib process; the arguments are those of ``subprocess.Popen``.

    The command begins with ``GGLIB``, or its first word is ``sys.argv[0]`` there.
    """

    def _execute_child(self, *values: Any) -> None:  # the hook of CPython's Popen that starts the process
        args, _, _, _, _, cwd, env, _, _, _, *pipes = values[:16]
        passed: Sequence[int] = values[4]
        command = _Command(
            list(map(str, args)), str(cwd or Path.cwd()), dict(env or os.environ), bool(values[21])
        )
        with open(os.devnull, "r+b") as nothing:  # noqa: PTH123 - for its descriptor
            streams = [nothing.fileno() if descriptor == -1 else descriptor for descriptor in _ends(pipes)]
            streams += passed
            self._server = _server().start(command, streams)
        self.pid = int(self._server.recv(64))
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined] # CPython's

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        if self.returncode is None:
            pid, status = self._try_wait(os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:  # of CPython's Popen: as ``os.waitpid``
        if wait_flags & os.WNOHANG and not select.select([self._server], [], [], 0)[0]:
            return 0, 0
        with self._server:
            status = self._server.recv(64)
        assert status, "the fork server has ended"
        return self.pid, int(status)


def is_gglib(command: Sequence[object]) -> bool:
    """Whether a command is ``python -m gglib``, or an installed ``gglib``."""
    return tuple(command[: len(GGLIB)]) == GGLIB or Path(str(command[0])).name == PROGRAM


@dataclass(frozen=True, slots=True)
class _Command:
    """What the child needs beside its streams."""

    words: list[str]
    directory: str
    environment: dict[str, str]
    is_session_leader: bool


def _ends(pipes: Sequence[int]) -> Sequence[int]:
    """Return the child's ends of Popen's pipes, which are (read, write) for stdin, stdout and stderr."""
    return pipes[0], pipes[3], pipes[5]


class _ForkServer:
    """The fork server of this test process, and the socket to it."""

    def __init__(self) -> None:
        self._directory = tempfile.mkdtemp(prefix="gg-f-")
        self._address = f"{self._directory}/s"
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(self._address)
            listener.listen(64)
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(listener.fileno())],
                env=dict(os.environ, PYTHONPATH=os.pathsep.join((str(SOURCE), str(ROOT)))),
                cwd=ROOT,
                pass_fds=[listener.fileno()],
                stdin=subprocess.PIPE,
            )
        atexit.register(self.close)

    def start(self, command: _Command, streams: Sequence[int]) -> socket.socket:
        """Start a process; the socket gets its process id and, at its end, its wait status."""
        order = json.dumps(asdict(command)).encode()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.settimeout(_START_S)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MAX_ORDER_BYTES)
        connection.connect(self._address)
        socket.send_fds(connection, [order], list(streams))
        return connection

    def close(self) -> None:
        """End the server: it reads the end of its stdin."""
        self._process.communicate()
        shutil.rmtree(self._directory, ignore_errors=True)


@functools.cache
def _server() -> _ForkServer:
    return _ForkServer()


def _serve(listener: socket.socket) -> None:
    """Fork a child for each order, and send the status of those that have ended, until stdin ends."""
    children: dict[int, socket.socket] = {}
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        sources: list[socket.socket | int] = [listener, readable, 0]
        ready = select.select(sources, [], [])[0]
        if 0 in ready:
            return
        if readable in ready:
            os.read(readable, 4096)
            _send_statuses(children)
        if listener in ready:
            connection, _ = listener.accept()
            order, streams, _, _ = socket.recv_fds(connection, _MAX_ORDER_BYTES, _MAX_STREAMS)
            child = os.fork()
            if child == 0:
                signal.set_wakeup_fd(-1)
                _become_gglib(_Command(**json.loads(order)), streams)
            for descriptor in streams:
                os.close(descriptor)
            connection.send(str(child).encode())
            children[child] = connection


def _send_statuses(children: dict[int, socket.socket]) -> None:
    while children:
        child, status = os.waitpid(-1, os.WNOHANG)
        if child == 0:
            return
        with children.pop(child) as connection, contextlib.suppress(OSError):
            connection.send(str(status).encode())


def _become_gglib(command: _Command, streams: Sequence[int]) -> None:
    """Run gglib with these standard streams and passed ones, and exit as the interpreter would."""
    copies = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, _HIGH) for descriptor in streams]
    for number, descriptor in enumerate(copies):
        os.dup2(descriptor, number)
    os.closerange(len(copies), 1024)
    if command.is_session_leader:
        os.setsid()
        if os.isatty(0):
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for number in (signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.environ.clear()
    own = str(os.getpid())
    os.environ.update(
        {name: own if value == OWN_PID else value for name, value in command.environment.items()}
    )
    os.chdir(command.directory)
    sys.argv, sys.orig_argv = _arguments(command.words)
    for name, stream in (("stdin", _text(0, "r")), ("stdout", _text(1, "w")), ("stderr", _text(2, "w"))):
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    importlib.import_module("gglib.cli").__dict__["STARTED_S"] = time.monotonic()
    os._exit(_exit_code_of_main())


def _arguments(words: list[str]) -> tuple[list[str], list[str]]:
    """Return ``sys.argv`` and ``sys.orig_argv`` of a command."""
    if tuple(words[: len(GGLIB)]) == GGLIB:
        return [str(SOURCE / "gglib/__main__.py"), *words[len(GGLIB) :]], words
    return words, [sys.executable, *words]


def _text(descriptor: int, mode: str) -> io.TextIOWrapper:
    buffer = open(descriptor, f"{mode}b", closefd=False)  # noqa: SIM115 - a standard stream
    is_line_buffered = mode == "w" and (descriptor == 2 or buffer.isatty())
    errors = "backslashreplace" if descriptor == 2 else "strict"
    return io.TextIOWrapper(buffer, encoding="utf-8", errors=errors, line_buffering=is_line_buffered)


def _exit_code_of_main() -> int:
    from gglib.cli import main

    code = 0
    try:
        main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(bool(error.code))
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:  # noqa: BLE001 - the end of the process
        sys.excepthook(*sys.exc_info())
        code = 1
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):
            stream.flush()
    return code


def _main() -> None:
    share_tls_contexts()
    httpcore2.default_ssl_context()  # the children inherit it
    for name in _MODULES:
        importlib.import_module(name)
    app, names = (importlib.import_module(f"gglib.cli.{name}") for name in ("app", "command_names"))
    for command in names.COMMANDS:
        app.cli.get_command(None, command)
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    _main()
