"""A server of another origin: its pages attack, and its API accepts everything, so it shows which attacks arrive."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

ATTACKS = Path(__file__).with_name("foreign_pages.js").read_text(encoding="utf-8")
PAGE = (
    '<!doctype html><meta charset="utf-8"><title>A page</title><link rel="icon" href="data:,"><body></body>'
)
_CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "*",
    "access-control-allow-headers": "*",
}


class ForeignServer(ThreadingHTTPServer):
    """Listens on a loopback port of its own; ``received`` are the methods and paths of requests to it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[str, str]] = []

    def url(self, host: str = "127.0.0.1") -> str:
        """Return its address under a name."""
        return f"http://{host}:{self.server_port}"


@contextmanager
def foreign_server() -> Iterator[ForeignServer]:
    """Serve in the block."""
    with ForeignServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    def __getattr__(self, name: str) -> Callable[[], None]:
        """Return the method for any kind of request: the base class calls ``do_GET``, ``do_POST`` and others."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        cast("ForeignServer", self.server).received.append((self.command, self.path))
        media_type, text = "text/html", PAGE
        if self.path.endswith(".js"):
            media_type, text = "text/javascript", "window.__loaded = 1"
        elif self.path.endswith(".css"):
            media_type, text = "text/css", ""
        self.send_response(200)
        for name, value in ({"content-type": media_type, "content-length": str(len(text))} | _CORS).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Print nothing."""
