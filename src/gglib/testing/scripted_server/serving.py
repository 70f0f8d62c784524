"""The event loop of a scripted llama-server, from load to exit. Signals end it as they end the real one."""

import asyncio
import signal
import socket
import sys
from typing import NoReturn

from gglib.testing.scripted_server.exiting import LIFETIME_EXIT_CODE, exit_process
from gglib.testing.scripted_server.native import values_for
from gglib.testing.scripted_server.options import Options
from gglib.testing.scripted_server.record import Recorder
from gglib.testing.scripted_server.script import Script
from gglib.testing.scripted_server.server import ScriptedServer, write_noise


def serve(
    script: Script, options: Options, recorder: Recorder, *, listener: socket.socket, address: str
) -> NoReturn:
    """Load, serve, and exit the process; the socket file stays, as with llama-server."""
    process = _Process(script, options, recorder)
    asyncio.run(process.run(listener, address))
    raise AssertionError("unreachable")


class _Process:
    def __init__(self, script: Script, options: Options, recorder: Recorder) -> None:
        self._script = script
        self._options = options
        self._recorder = recorder
        self._server = ScriptedServer(script, options, recorder, on_idle=self._leave_when_idle)

    async def run(self, listener: socket.socket, address: str) -> None:
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        start = loop.create_unix_server if listener.family == socket.AF_UNIX else loop.create_server
        accepting = await start(self._server.new_protocol, sock=listener)
        loop.call_later(self._script.lifetime_s, exit_process, self._recorder, LIFETIME_EXIT_CODE)
        write_noise(self._script)
        await self._load()
        self._server.is_ready = True
        if not self._script.ignore_term:
            loop.add_signal_handler(signal.SIGTERM, self._on_term)
            loop.add_signal_handler(signal.SIGINT, self._on_term)
        sys.stderr.write(f"0.00.000.001 I srv          init: listening on {address}\n")
        sys.stderr.flush()
        await accepting.serve_forever()

    async def _load(self) -> None:
        """Sleep for the script's load time; TERM kills the process meanwhile, since no handler is installed yet."""
        script = self._script
        if script.die_while_loading_after_s is not None:
            await asyncio.sleep(script.die_while_loading_after_s)
            exit_process(self._recorder, -signal.SIGKILL)
        if script.load_s:
            await asyncio.sleep(script.load_s)
        errors = [script.load_fails_with, *values_for(script.load_errors, self._options)]
        error = next((text for text in errors if text is not None), None)
        if error is not None:
            sys.stderr.write(f"{error}\n")
            exit_process(self._recorder, script.load_exit_code)

    def _on_term(self) -> None:
        """Exit if idle; else send nothing more and stay until the clients disconnect or a second TERM arrives."""
        if self._server.is_stopping:
            exit_process(self._recorder, 1)
        self._server.is_stopping = True
        self._leave_when_idle()

    def _leave_when_idle(self) -> None:
        if self._server.is_stopping and self._server.in_flight == 0:
            exit_process(self._recorder, 0)
