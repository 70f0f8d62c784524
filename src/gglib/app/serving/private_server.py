"""Runs a server in a thread of this process, for one command."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import replace

from gglib.app.serving.open_home import open_home
from gglib.app.serving.server import running_server
from gglib.app.settings import Settings
from gglib.core.addresses import Endpoint
from gglib.http.tasks import run_until_first_ends
from gglib.runtime.engines import Engine

logger = logging.getLogger("gglib")

JOIN_TIMEOUT_S = 20.0
"""Longer than the slowest stop; a private server that hangs must not block the terminal."""


@contextmanager
def private_server(settings: Settings, engine: Engine) -> Iterator[Endpoint]:
    """Serve on a free port from a thread of this process for the duration of the block, and yield the endpoint.

    The thread has its own event loop, so that the caller remains a blocking program that Ctrl-C interrupts. The engine
    exits when the thread ends, for any reason.
    """
    private = replace(
        settings, host="127.0.0.1", port=0, ollama_port=None, tls_cert=None, tls_key=None, preload=()
    )
    ready: Future[tuple[Endpoint, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    thread = threading.Thread(
        target=_serve_in_thread, args=(private, engine, ready), name="private-server", daemon=True
    )
    thread.start()
    endpoint, loop, stop = ready.result()
    try:
        yield endpoint
    finally:
        with suppress(RuntimeError):  # the server has ended, and its loop is closed
            loop.call_soon_threadsafe(stop.set)
        thread.join(JOIN_TIMEOUT_S)


def _serve_in_thread(
    settings: Settings,
    engine: Engine,
    ready: "Future[tuple[Endpoint, asyncio.AbstractEventLoop, asyncio.Event]]",
) -> None:
    async def main() -> None:
        stop = asyncio.Event()
        async with (
            open_home(settings, is_private=True) as home,
            running_server(settings, home, engine) as server,
        ):
            ready.set_result((server.endpoint, asyncio.get_running_loop(), stop))
            await run_until_first_ends(stop.wait(), server.supervisor.wait())

    try:
        asyncio.run(main())
    except BaseException as error:
        if ready.done():
            logger.exception("the private server ended with an error")
        else:
            ready.set_exception(error)
