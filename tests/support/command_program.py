"""A program that serves one model by OpenAI's protocol, and can misbehave: ``command_program.py --port N [OPTION]``.

Standard library only. Options:

--port N | --socket PATH   where it listens
--host ADDRESS             the address that it listens on instead of 127.0.0.1
--key KEY | --key-file F   the bearer token that requests need, also for the health path
--health PATH              the path that returns 200 (``/health``); others return 404
--never-ready              the health path returns 503 for ever
--exit CODE                writes a line to stderr and exits with CODE instead of listening
--ignore-stop              ignores SIGTERM and SIGINT
--child FILE               starts a child in a session of its own, and writes both pids to FILE
--die-in-stream            exits in the middle of a streamed response
--wait-for FILE            responds to POST requests once FILE exists
--start-on FILE            writes its pid and its arguments to FILE when it starts, as a line of JSON
"""

import argparse
import json
import os
import signal
import socketserver
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

WORDS = ("one", " two", " three")


def options_of(arguments: list[str]) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser()
    for name in (
        "--socket",
        "--key",
        "--key-file",
        "--child",
        "--start-on",
        "--wait-for",
        "--context",
        "--name",
    ):
        parser.add_argument(name)
    parser.add_argument("--health", default="/health")
    parser.add_argument("--host", default="127.0.0.1")
    for name in ("--port", "--exit"):
        parser.add_argument(name, type=int)
    for name in ("--never-ready", "--ignore-stop", "--die-in-stream"):
        parser.add_argument(name, action="store_true")
    return parser.parse_args(arguments)


class Handler(BaseHTTPRequestHandler):
    """Responds with the same three words."""

    protocol_version = "HTTP/1.1"
    options: argparse.Namespace

    def address_string(self) -> str:
        """Return a name for the log: unix sockets have no address."""
        return "client"

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Log requests as programs do, but not the probes: they would fill the log."""
        if self.command == "POST":
            print(f"{self.command} {self.path} {code} {size}", flush=True)

    def do_GET(self) -> None:
        """Respond to the probe."""
        if not self._is_allowed():
            self._send(401, {"error": {"message": "wrong key"}})
        elif self.path != self.options.health:
            self._send(404, {"error": {"message": "no such path"}})
        else:
            self._send(503 if self.options.never_ready else 200, {"status": "ok"})

    def do_POST(self) -> None:
        """Respond to a chat request."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        while self.options.wait_for and not Path(self.options.wait_for).exists():
            time.sleep(0.02)
        if not self._is_allowed():
            self._send(401, {"error": {"message": "wrong key"}})
        elif body.get("stream"):
            self._stream()
        else:
            message = {"role": "assistant", "content": "".join(WORDS)}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            self._send(200, {"object": "chat.completion", "model": body["model"], "choices": [choice]})

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for word in WORDS:
            chunk = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": word}}]}
            self._send_chunk(f"data: {json.dumps(chunk)}\n\n".encode())
            if self.options.die_in_stream:
                print("ValueError: the model is confused", file=sys.stderr, flush=True)
                os._exit(3)
        self._send_chunk(b"data: [DONE]\n\n")
        self._send_chunk(b"")

    def _send_chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def _is_allowed(self) -> bool:
        key = self.options.key
        if self.options.key_file:
            key = Path(self.options.key_file).read_text().strip()
        return key is None or self.headers["authorization"] == f"Bearer {key}"

    def _send(self, status: int, content: object) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class TcpServer(socketserver.ThreadingTCPServer):
    """Listens on loopback."""

    daemon_threads = True


class UnixServer(socketserver.ThreadingUnixStreamServer):
    """Listens on a unix socket."""

    daemon_threads = True


def start_child(file: str) -> None:
    """Start a child that outlives its parent unless it is killed, and record both pids."""
    child = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"],
        start_new_session=True,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    Path(file).write_text(json.dumps([os.getpid(), child.pid]))


def main(arguments: list[str]) -> None:
    """Serve until a signal ends the process."""
    options = options_of(arguments)
    if options.start_on:
        with Path(options.start_on).open("a") as record:
            record.write(json.dumps({"pid": os.getpid(), "arguments": arguments}) + "\n")
    if options.ignore_stop:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
    if options.child:
        start_child(options.child)
    if options.exit is not None:
        print("loading", flush=True)
        print("RuntimeError: no such model: nowhere/model", file=sys.stderr, flush=True)
        sys.exit(options.exit)
    Handler.options = options
    if options.socket:
        server: UnixServer | TcpServer = UnixServer(options.socket, Handler)
    else:
        server = TcpServer((options.host, options.port), Handler)
    print("this program writes its log to stdout:", server.socket.getsockname()[-1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
