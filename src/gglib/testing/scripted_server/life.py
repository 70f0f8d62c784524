"""From the load to the end: the event loop of a scripted llama-server. Signals end it as they end the real one."""

import asyncio
import signal
import socket
import sys
from typing import NoReturn

from gglib.testing.scripted_server.leave import LIFETIME_EXIT_CODE, leave
from gglib.testing.scripted_server.options import Options
from gglib.testing.scripted_server.record import Recorder
from gglib.testing.scripted_server.script import Script
from gglib.testing.scripted_server.server import ScriptedServer, write_noise


def live(
    script: Script, options: Options, recorder: Recorder, *, listener: socket.socket, address: str
) -> NoReturn:
    """Load, serve, and leave the process from inside; the socket's file stays, as llama-server leaves it."""
    life = _Life(script, options, recorder)
    asyncio.run(life.run(listener, address))
    raise AssertionError("unreachable")


class _Life:
    def __init__(self, script: Script, options: Options, recorder: Recorder) -> None:
        self._script = script
        self._recorder = recorder
        self._server = ScriptedServer(script, options, recorder, on_idle=self._leave_when_idle)

    async def run(self, listener: socket.socket, address: str) -> None:
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        start = loop.create_unix_server if listener.family == socket.AF_UNIX else loop.create_server
        accepting = await start(self._server.new_protocol, sock=listener)
        loop.call_later(self._script.lifetime_s, leave, self._recorder, LIFETIME_EXIT_CODE)
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
        """Take the script's time; TERM kills meanwhile, as nothing handles it yet."""
        script = self._script
        if script.die_while_loading_after_s is not None:
            await asyncio.sleep(script.die_while_loading_after_s)
            leave(self._recorder, -signal.SIGKILL)
        if script.load_s:
            await asyncio.sleep(script.load_s)
        if script.load_fails_with is not None:
            sys.stderr.write(f"{script.load_fails_with}\n")
            leave(self._recorder, script.load_exit_code)

    def _on_term(self) -> None:
        """Leave when idle; else write no more and stay until the clients have left or a second TERM comes."""
        if self._server.is_stopping:
            leave(self._recorder, 1)
        self._server.is_stopping = True
        self._leave_when_idle()

    def _leave_when_idle(self) -> None:
        if self._server.is_stopping and self._server.in_flight == 0:
            leave(self._recorder, 0)
