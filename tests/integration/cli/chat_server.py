"""A stand-in for a gglib server that chats as a test says, and keeps the requests."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

USAGE = {
    "prompt_tokens": 36,
    "completion_tokens": 5,
    "total_tokens": 41,
    "prompt_tokens_details": {"cached_tokens": 24},
}
TIMINGS = {"cache_n": 24, "predicted_per_second": 12.5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer of the server."""

    text: str = "Fine."
    reasoning: str = ""
    finish_reason: str = "stop"
    tokens: int = 5
    hangs: bool = False
    """After the text, the stream stays open until the client leaves, or ``ChatServer.go_on`` is set."""
    error: str | None = None
    """Instead of an answer."""


@dataclass(slots=True)
class ChatServer:
    """Its address, the next answers, and the bodies of the requests for them."""

    url: str
    models: dict[str, list[str]]
    """Capabilities by name."""
    replies: list[Reply] = field(default_factory=list)
    """Used in their order; then ``Reply()``."""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)
    holds_lookups: bool = False
    """Whether models are looked up only after ``go_on``."""
    is_asked: threading.Event = field(default_factory=threading.Event)
    """Set by the first lookup of a model."""

    def prompts(self) -> list[Any]:
        """Return the content of the last message of each request."""
        return [body["messages"][-1]["content"] for body in self.bodies]


def model_fields(number: int, name: str, capabilities: Sequence[str]) -> dict[str, Any]:
    """Return a model of ``GET /gglib/models``."""
    return {
        "id": number,
        "name": name,
        "capabilities": list(capabilities),
        "added_at": 1,
        "size_bytes": 93_000_000,
    }


@contextmanager
def chat_server(**models: list[str]) -> Iterator[ChatServer]:
    """Serve models with these capabilities on a free loopback port until the block exits; one ``tiny`` by default."""
    server = ChatServer("", models or {"tiny": ["chat"]})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.is_asked.set()
            if server.holds_lookups:
                server.go_on.wait(60)
            listed = [model_fields(n, name, able) for n, (name, able) in enumerate(server.models.items(), 1)]
            name = unquote(self.path.rpartition("/")[2])
            found = [model for model in listed if model["name"] == name]
            if self.path == "/gglib/models":
                self._send(200, {"models": listed})
            elif self.path.startswith("/gglib/models/") and found:
                self._send(200, found[0])
            else:
                self._send(404, error(f"Model '{name}' is not in the catalogue.", "model_not_found"))

        def do_POST(self) -> None:
            server.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            reply = server.replies.pop(0) if server.replies else Reply()
            if reply.error is not None:
                self._send(400, error(reply.error, "bad_request"))
                return
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            with suppress(OSError):
                for part in events(reply, server.go_on):
                    self.wfile.write(part)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

        def _send(self, status: int, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{http.server_port}"
    threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.go_on.set()
        http.shutdown()
        http.server_close()


def error(message: str, code: str) -> dict[str, Any]:
    """Return an error in OpenAI's form."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


def events(reply: Reply, go_on: threading.Event) -> Iterator[bytes]:
    """Yield the events of an answer, a few characters each."""
    for key, text in (("reasoning_content", reply.reasoning), ("content", reply.text)):
        for at in range(0, len(text), 3):
            yield event({"choices": [{"delta": {key: text[at : at + 3]}, "finish_reason": None}]})
    while reply.hangs and not go_on.wait(0.05):
        yield b":\n\n"
    yield event({"choices": [{"delta": {}, "finish_reason": reply.finish_reason}]})
    yield event({"choices": [], "usage": {**USAGE, "completion_tokens": reply.tokens}, "timings": TIMINGS})
    yield b"data: [DONE]\n\n"


def event(content: object) -> bytes:
    """Return a server-sent event."""
    return b"data: " + json.dumps(content).encode() + b"\n\n"
