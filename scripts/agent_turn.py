"""Runs Claude Code against gglib, with an engine that calls a tool and then answers.

``python -m scripts.agent_turn node_modules/.bin/claude [--bodies FILE]``; 2.1.197 comes from the registry as
``@anthropic-ai/claude-code``. Two conversations in one directory, which is part of their prompts: Claude Code asks, the
scripted engine calls ``Read`` for a file, Claude Code reads it and sends its content, the engine answers. Between
Claude Code and gglib a recorder keeps what was sent; the engine's own record has what arrived.

Fails unless each conversation ends with the engine's answer, the content of the file arrived as a tool result, and no
request arrived with the billing line. ``--bodies`` keeps the bodies that Claude Code sent, one JSON object a line, for
``bench.billing_line``. Loopback only.
"""

import argparse
import base64
import http.client
import http.server
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.waiting import wait_until

from gglib.app.serving.instance import running_instance
from gglib.testing import Script, install_scripted_server, read_record, write_tiny_gguf

MODEL = "claude-opus-4-8"
"""Claude Code's default: no setting names a model."""
CONTENT = "forty-two apples"
ANSWER = "It counts apples."
PROMPTS = ("Read note.txt and say what it counts.", "What does note.txt count? Open it first.")
LIMIT_S = 120.0
BILLING = "x-anthropic-billing-header"


@dataclass
class Recorder:
    """Forwards requests to gglib and keeps their bodies."""

    port: int
    """gglib's."""
    seen: list[tuple[str, str, bytes]] = field(default_factory=list)
    """Method, path and body of each request."""
    statuses: list[int] = field(default_factory=list)

    @contextmanager
    def listening(self) -> Iterator[int]:
        """Yield the port of the recorder."""
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                recorder.seen.append((self.command, self.path, body))
                gglib = http.client.HTTPConnection("127.0.0.1", recorder.port, timeout=LIMIT_S)
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                gglib.request(self.command, self.path, body or None, headers)
                response = gglib.getresponse()
                content = response.read()
                recorder.statuses.append(response.status)
                self.send_response(response.status)
                for name in ("content-type", "request-id"):
                    if value := response.getheader(name):
                        self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_HEAD = do_POST = forward  # noqa: N815 - the names of http.server

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                del format, args

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


@contextmanager
def gglib_serving(home: Path, script: Script) -> Iterator[int]:
    """Serve one model with a scripted engine; yield the port."""
    environment = {**os.environ, "GGLIB_HOME": str(home)}
    engine = install_scripted_server(home / "bin", script)
    model = write_tiny_gguf(home / "files" / "tiny.gguf", context_length=200_000)
    gglib = [sys.executable, "-m", "gglib"]
    subprocess.run(
        [*gglib, "add", str(model), "--name", MODEL], env=environment, check=True, capture_output=True
    )
    command = [*gglib, "serve", "--port", "0", "--engine", str(engine), "--ctx", "200000"]
    with (home / "serve.out").open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield _port(home, process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(LIMIT_S)


def _port(home: Path, process: subprocess.Popen[bytes]) -> int:
    def is_announced() -> bool:
        instance = running_instance(home / "run")
        return instance is not None and instance.pid == process.pid and bool(instance.url)

    output = home / "serve.out"
    wait_until(is_announced, within_s=LIMIT_S, poll_s=0.05, explain=output.read_text)
    instance = running_instance(home / "run")
    assert instance is not None
    return int(str(instance.url).rpartition(":")[2])


def converse(
    claude: Path, prompt: str, directory: Path, name: str
) -> tuple[str, Recorder, list[dict[str, Any]]]:
    """Return Claude Code's output, the requests that it sent, and those that reached the engine."""
    work, home = directory / "work", directory / name
    record = home / "engine.jsonl"
    for new in (work, home / "files", directory / "user"):
        new.mkdir(parents=True, exist_ok=True)
    note = work / "note.txt"
    note.write_text(CONTENT + "\n")
    call = ("Read", json.dumps({"file_path": str(note)}))
    script = Script(record=str(record), tool_call=call, chunks=1, chunk_text=ANSWER, lifetime_s=600)
    with gglib_serving(home, script) as port, (recorder := Recorder(port)).listening() as address:
        done = subprocess.run(
            [str(claude.resolve()), "-p", prompt],
            cwd=work,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(directory / "user"),
                "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{address}",
                "ANTHROPIC_API_KEY": "any",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
    arrived = [
        json.loads(base64.b64decode(event["body_b64"]))
        for event in read_record(record)
        if event["event"] == "request" and event["method"] == "POST"
    ]
    return done.stdout.strip() or done.stderr, recorder, arrived


def faults_of(output: str, recorder: Recorder, arrived: list[dict[str, Any]]) -> list[str]:
    """Return what was wrong with a conversation."""
    found = []
    if output != ANSWER:
        found.append(f"Claude Code printed {output!r}")
    results = [
        block
        for request in arrived
        for message in request["messages"]
        if isinstance(message["content"], list)
        for block in message["content"]
        if block["type"] == "tool_result"
    ]
    if not any(CONTENT in json.dumps(result) for result in results):
        found.append("no tool result has the content of the file")
    if any(BILLING in json.dumps(request.get("system")) for request in arrived):
        found.append("a billing line reached the engine")
    posts = [
        status
        for (method, *_), status in zip(recorder.seen, recorder.statuses, strict=True)
        if method == "POST"
    ]
    if any(status != 200 for status in posts):
        found.append(f"statuses {posts}")
    return found


def run_conversations(claude: Path, directory: Path) -> tuple[list[bytes], list[str]]:
    """Run both conversations and print what was sent; return the bodies and the faults."""
    bodies: list[bytes] = []
    faults: list[str] = []
    for number, prompt in enumerate(PROMPTS):
        output, recorder, arrived = converse(claude, prompt, directory, f"gglib-{number}")
        print(f"{prompt!r}: {output!r}")
        for (method, path, body), status in zip(recorder.seen, recorder.statuses, strict=True):
            line = json.loads(body)["system"][0]["text"] if body else ""
            print(f"  {method} {path} {status}, {len(body)} bytes{', ' + line if BILLING in line else ''}")
            bodies += [body] if body else []
        faults += faults_of(output, recorder, arrived)
    return bodies, faults


def main() -> None:
    """Run both conversations and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("claude", type=Path, help="the executable of Claude Code")
    parser.add_argument("--bodies", type=Path, help="keep the bodies that Claude Code sent in this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        bodies, faults = run_conversations(options.claude, Path(directory))
    if options.bodies is not None:
        options.bodies.write_bytes(b"".join(body + b"\n" for body in bodies))
    print("\n".join(faults) or "no faults")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
