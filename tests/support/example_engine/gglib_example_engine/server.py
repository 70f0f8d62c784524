"""The process of the example engine: ``python -I server.py SOCKET KEY_FILE``. Standard library only."""

import json
import socketserver
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path

KEY = Path(sys.argv[2]).read_text()


class Handler(BaseHTTPRequestHandler):
    """Serves ``/health`` and ``/v1/chat/completions``."""

    protocol_version = "HTTP/1.1"

    def address_string(self) -> str:
        """Return a name for the log: unix sockets have no address."""
        return "gglib"

    def do_GET(self) -> None:
        """Respond to ``/health``."""
        self._send(200, {"status": "ok"})

    def do_POST(self) -> None:
        """Repeat the last message."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.headers["authorization"] != f"Bearer {KEY}":
            self._send(401, {"error": {"message": "wrong key", "type": "invalid_request_error"}})
            return
        message = {"role": "assistant", "content": body["messages"][-1]["content"]}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        self._send(200, {"object": "chat.completion", "model": body["model"], "choices": [choice]})

    def _send(self, status: int, content: object) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Server(socketserver.ThreadingUnixStreamServer):
    """Listens on the socket; a thread for each connection."""

    daemon_threads = True


if __name__ == "__main__":
    Server(sys.argv[1], Handler).serve_forever()
