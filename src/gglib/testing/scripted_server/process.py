"""The process of a scripted llama-server: command line, load, signals, exit."""

import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from gglib.testing.scripted_server.exiting import exit_process
from gglib.testing.scripted_server.options import (
    VERSION_TEXT,
    Options,
    UsageError,
    devices_text,
    help_text,
    parse,
)
from gglib.testing.scripted_server.record import Recorder
from gglib.testing.scripted_server.script import Script

BACKLOG = 512
CHILD_LIFETIME_S = 60
"""A forked child that a failed test left behind exits by itself."""


def main(argv: Sequence[str], script_json: str = "{}") -> NoReturn:
    """Run as llama-server with this command line, without the program's name; never returns."""
    script = Script.from_json(script_json)
    recorder = Recorder(script.record)
    try:
        options = parse(argv, lacks=script.lacks_options)
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        exit_process(recorder, 1)
    if any(map(options.has, ("--usage", "--version", "--list-devices"))):
        recorder.add("asked", argv=list(argv))
        print_info(options, script)
        exit_process(recorder, 0)
    model = script.for_model(alias=options.text("--alias"), model_path=options.text("--model"))
    start(model, options, recorder, argv)


def print_info(options: Options, script: Script) -> None:
    """Print the help page, the devices or the version; llama-server prints the last to stderr."""
    if options.has("--usage"):
        sys.stdout.write(help_text(lacks=script.lacks_options))
        sys.stdout.flush()
    elif options.has("--list-devices"):
        sys.stdout.write(devices_text(script.devices))
        sys.stdout.flush()
    else:
        sys.stderr.write(VERSION_TEXT)


def start(script: Script, options: Options, recorder: Recorder, argv: Sequence[str]) -> NoReturn:
    """Bind the address and serve until the end; exit 1 if it cannot be bound."""
    if script.ignore_term:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    recorder.add(
        "start",
        argv=list(argv),
        env=_environment(),
        ppid=os.getppid(),
        pgid=os.getpgid(0),
        sid=os.getsid(0),
        child_pid=_fork_child() if script.fork_child else None,
    )
    try:
        listener, address = _bind(options)
    except OSError as error:
        sys.stderr.write(f"couldn't bind HTTP server socket: {error.strerror}\n")
        exit_process(recorder, 1)
    from gglib.testing.scripted_server.serving import serve  # noqa: PLC0415 - imports asyncio, which --help does not need

    serve(script, options, recorder, listener=listener, address=address)


def _bind(options: Options) -> tuple[socket.socket, str]:
    host = options.text("--host", "127.0.0.1")
    if host.endswith(".sock"):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(host)
        address = f"unix://{host}"
    else:
        listener = socket.socket(socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, options.number("--port", 8080)))
        address = f"http://{host}:{listener.getsockname()[1]}"
    listener.listen(BACKLOG)
    return listener, address


def _fork_child() -> int:
    """Fork a child that ignores TERM from its first moment; return its pid."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(CHILD_LIFETIME_S)
        while True:
            signal.pause()
    signal.signal(signal.SIGTERM, before)
    return pid


def _environment() -> dict[str, str]:
    """Return the original environment: Python's own start may add to ``os.environ``."""
    try:
        raw = Path("/proc/self/environ").read_bytes()
    except OSError:
        return dict(os.environ)
    pairs = (entry.partition("=") for entry in os.fsdecode(raw).split("\0") if entry)
    return {name: value for name, _, value in pairs}
