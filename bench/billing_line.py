"""What the engine's prompt cache reuses of Claude Code's requests: ``python -m bench.billing_line BODIES``.

``BODIES`` are the requests of two conversations, as ``scripts.agent_turn --bodies`` keeps them. They are sent to a tiny
model with a context of 200,000 tokens in the embedded engine: through gglib, which takes the billing line out, and as
they are to the engine of another copy of the model. One answer token each. Tokens are bytes, so the prompts are long,
or with ``--tokenizer`` those of another model: then all tools take two minutes instead of half an hour.
"""

import argparse
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.clients.word_model import write_word_model

from gglib.app.serving.instance import running_instance
from gglib.testing import write_tiny_gguf

CONTEXT = 200_000
LIMIT_S = 3600.0
TEMPLATE = (
    "<|im_start|>system\n{{ messages[0]['content'] }}\n\n# Tools\n"
    "{%- for tool in tools or [] -%}\n{{ tool | tojson }}{%- endfor -%}<|im_end|>\n"
    "{%- for message in messages[1:] -%}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "{%- for call in message['tool_calls'] or [] -%}\n<tool_call>{{ call | tojson }}</tool_call>{%- endfor -%}"
    "<|im_end|>\n{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|im_start|>assistant\n{%- endif -%}"
)
"""Tools follow the system prompt, as in Qwen's and most other templates."""


class UnixConnection(http.client.HTTPConnection):
    """A connection to an engine's socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=LIMIT_S)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LIMIT_S)
        self.sock.connect(str(self._path))


@contextmanager
def gglib_serving(home: Path, names: Sequence[str], tokenizer: Path | None) -> Iterator[int]:
    """Serve copies of the model under these names; yield the port."""
    environment = {**os.environ, "GGLIB_HOME": str(home), "GGLIB_SLOTS": "1"}
    gglib = [sys.executable, "-m", "gglib"]
    (home / "files").mkdir()
    for seed, name in enumerate(names):
        file = home / "files" / f"{name}.gguf"
        if tokenizer is None:
            write_tiny_gguf(file, name=name, seed=seed, context_length=CONTEXT, chat_template=TEMPLATE)
        else:
            write_word_model(
                file, name=name, tokenizer_of=tokenizer, context_length=CONTEXT, chat_template=TEMPLATE
            )
        add = [*gglib, "add", str(file), "--name", name, "--engine-args", "--threads 1"]
        subprocess.run(add, env=environment, check=True, stdout=subprocess.DEVNULL)
    serve = [*gglib, "serve", "--port", "0", "--ctx", str(CONTEXT)]
    process = subprocess.Popen(serve, env=environment, stdout=subprocess.DEVNULL)
    try:
        while (instance := running_instance(home / "run")) is None or not instance.url:
            if process.poll() is not None:
                raise SystemExit("gglib serve failed.")
            time.sleep(0.1)
        yield int(instance.url.rpartition(":")[2])
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def ask(connection: http.client.HTTPConnection, body: dict[str, Any], key: str = "any") -> dict[str, int]:
    """Return the usage of a message."""
    content = json.dumps({**body, "max_tokens": 1, "stream": False})
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    connection.request("POST", "/v1/messages", content, headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    if response.status != 200:
        raise SystemExit(f"{response.status}: {answer}")
    usage: dict[str, int] = answer["usage"]
    return usage


def connection_to(home: Path, port: int, *, is_direct: bool) -> tuple[http.client.HTTPConnection, str]:
    """Return a connection to gglib or to the only engine, with its key."""
    if not is_direct:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S), "any"
    (path,) = (home / "run" / "engines").glob("*/engine.sock")
    return UnixConnection(path), (path.parent / "key").read_text()


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bodies", type=Path)
    parser.add_argument(
        "--tools", type=int, help="keep only the first tools: a shorter prompt, for a quick run"
    )
    parser.add_argument("--tokenizer", type=Path, metavar="GGUF", help="the model whose tokens are used")
    options = parser.parse_args()
    bodies = [json.loads(line) for line in options.bodies.read_bytes().splitlines()]
    turns = [{**body, "tools": body["tools"][: options.tools]} for body in bodies if body.get("tools")]
    if len(turns) != 4:
        raise SystemExit("The file must have two conversations of two requests with tools.")
    labels = ("first request", "its next turn", "first request of another conversation", "its next turn")
    hello = {"messages": [{"role": "user", "content": "x"}]}
    usages: dict[str, list[dict[str, int]]] = {}
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        with gglib_serving(home, ("through", "direct"), options.tokenizer) as port:
            for name in ("direct", "through"):
                gglib = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
                ask(gglib, {**hello, "model": name})  # loads it
                usages[name] = []
                for turn, label in zip(turns, labels, strict=True):
                    connection, key = connection_to(home, port, is_direct=name == "direct")
                    started_s = time.monotonic()
                    usages[name].append(ask(connection, {**turn, "model": name}, key))
                    taken_s = time.monotonic() - started_s
                    print(
                        f"{name}, {label}: {usages[name][-1]}, {taken_s:.0f} s", file=sys.stderr, flush=True
                    )
    print("| request | from the cache, line taken out | from the cache, as sent |\n|---|---:|---:|")
    for label, *both in zip(labels, usages["through"], usages["direct"], strict=True):
        shown = [
            f"{usage['cache_read_input_tokens']:,} of {usage['cache_read_input_tokens'] + usage['input_tokens']:,}"
            for usage in both
        ]
        print(f"| {label} | {' | '.join(shown)} |")


if __name__ == "__main__":
    main()
