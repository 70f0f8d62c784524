"""A stand-in for a gglib server that requires a key on every path, as ``proxy/access/keys.py`` decides."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from gglib.core.errors import GglibError
from gglib.proxy.access.keys import AccessKeys
from gglib.proxy.errors import to_error_response

STATUS: dict[str, Any] = {"version": "0", "residents": [], "waiting": [], "failed": [], "last_swap": None}
CHAT = b'data: {"choices":[{"delta":{"content":"Hello there"}}]}\n\ndata: [DONE]\n\n'
ANSWERS = {
    ("GET", "/gglib/status"): ("application/json", json.dumps(STATUS).encode()),
    ("POST", "/gglib/stop"): ("application/json", b'{"stopped": ["tiny"]}'),
    ("POST", "/v1/chat/completions"): ("text/event-stream", CHAT),
}


@dataclass(slots=True)
class Demanding:
    """Its address, and the name of the key that authorized each request; None for a rejected request."""

    url: str
    used: list[str | None] = field(default_factory=list)


@contextmanager
def demanding_server(keys: dict[str, str]) -> Iterator[Demanding]:
    """Serve on a free loopback port until the block exits."""
    access = AccessKeys(keys)
    seen = Demanding("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            try:
                headers = [(name.lower().encode(), value.encode()) for name, value in self.headers.items()]
                grant = access.check(headers)
                seen.used.append(None if grant is None else grant.key_name)
            except GglibError as error:
                seen.used.append(None)
                problem = to_error_response(error)
                self._send(problem.status, "application/json", problem.body)
            else:
                self._send(200, *ANSWERS[self.command, self.path])

        do_POST = do_GET  # noqa: N815 - the name is defined by the standard library

        def log_message(self, *_: object) -> None:
            """Log nothing."""

        def _send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        seen.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield seen
        finally:
            server.shutdown()
            thread.join()
