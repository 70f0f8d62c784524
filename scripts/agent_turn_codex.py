"""Runs codex against gglib, with an engine that calls a tool and then answers.

``python -m scripts.agent_turn_codex node_modules/.bin/codex``; 0.171 comes from the registry as ``@openai/codex``.
codex asks through ``/v1/responses``, the engine calls ``exec_command`` in the chat that gglib makes of it, codex runs
the command and sends its output, the engine answers. gglib serves in this process, with a runtime that launches
nothing.

Fails unless codex ends with the engine's answer, the output of the command arrived as a tool result of the call, and
the engine got functions only. Loopback only.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gglib.core.models import ModelCapabilities, ModelSummary, RunningTarget
from gglib.proxy import serve
from gglib.testing import FakeCatalog, FakeRuntime

MODEL = ModelSummary(id=1, name="coder", capabilities=ModelCapabilities(chat=True, tools=True))
CONTENT = "forty-two apples"
COMMAND = "cat note.txt"
CALL_ID = "call_read_"
"""Followed by the number of earlier calls."""
ANSWER = "The note counts apples."
PROMPT = "Read note.txt and say what it counts."
LIMIT_S = 120.0
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


@dataclass
class Engine:
    """A server of chat completions that answers as a capable model would; ``seen`` are the chats."""

    seen: list[dict[str, Any]] = field(default_factory=list)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.partition(":")[2])
            for line in head.split("\r\n")
            if line.lower().startswith("content-length")
        )
        chat = json.loads(await reader.readexactly(length))
        self.seen.append(chat)
        writer.write(_STREAM_HEAD + b"".join(map(_event, self._chunks(chat))) + b"data: [DONE]\n\n")
        await writer.drain()
        writer.close()

    def _chunks(self, chat: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the reply in parts: a call until a result has the content, then the answer.

        On a busy machine codex reports that the command still runs.
        """
        results = tool_results(chat)
        if any(CONTENT in str(result["content"]) for result in results):
            deltas = [{"content": ANSWER[:8]}, {"content": ANSWER[8:]}]
            return [*map(_chunk, deltas), _chunk({}, "stop"), _usage()]
        arguments = json.dumps({"cmd": COMMAND, "login": False})
        call = {"index": 0, "id": f"{CALL_ID}{len(results)}", "type": "function"}
        parts = [
            {"tool_calls": [{**call, "function": {"name": "exec_command", "arguments": ""}}]},
            *({"tool_calls": [{"index": 0, "function": {"arguments": part}}]} for part in arguments),
        ]
        reasoning = {"reasoning_content": "The file has to be read first."}
        return [_chunk(reasoning), *map(_chunk, parts), _chunk({}, "tool_calls"), _usage()]


def tool_results(chat: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the tool results in a chat."""
    return [message for message in chat["messages"] if message["role"] == "tool"]


def _chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"choices": [choice], "created": 1, "id": "chatcmpl-1", "model": MODEL.name}


def _usage() -> dict[str, Any]:
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    return {"choices": [], "created": 1, "id": "chatcmpl-1", "model": MODEL.name, "usage": usage}


def _event(content: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(content).encode() + b"\n\n"


@asynccontextmanager
async def running_gglib(engine: Engine) -> AsyncIterator[int]:
    """Serve the engine's model for a block and yield the port."""
    server = await asyncio.start_server(engine.handle, "127.0.0.1", 0, limit=1 << 20)
    target = RunningTarget.local(server.sockets[0].getsockname()[1], MODEL.id, MODEL.name, 131_072)
    listener, cancel = socket.create_server(("127.0.0.1", 0)), asyncio.Event()
    port: int = listener.getsockname()[1]
    runtime = FakeRuntime({MODEL.name: target})
    serving = asyncio.create_task(serve(listener, 131_072, runtime, FakeCatalog([MODEL]), cancel))
    try:
        yield port
    finally:
        cancel.set()
        await serving
        server.close()
        await server.wait_closed()


def write_settings(home: Path, port: int) -> None:
    """Write codex's own settings: gglib as a provider of Responses."""
    home.mkdir()
    (home / "config.toml").write_text(
        f'model = "{MODEL.name}"\nmodel_provider = "gglib"\nmodel_context_window = 131072\n'
        '[model_providers.gglib]\nname = "gglib"\nwire_api = "responses"\n'
        f'base_url = "http://127.0.0.1:{port}/v1"\nrequest_max_retries = 0\nstream_max_retries = 0\n'
    )


async def run_codex(codex: str, folder: Path, port: int) -> tuple[int, str]:
    """Run one conversation; return codex's exit code and what it printed."""
    work, home = folder / "work", folder / "codex"
    work.mkdir()
    (work / "note.txt").write_text(CONTENT)
    write_settings(home, port)
    process = await asyncio.create_subprocess_exec(
        *(codex, "exec", "--skip-git-repo-check", "--sandbox", "danger-full-access", PROMPT),
        cwd=work,
        env={**os.environ, "CODEX_HOME": str(home), "HOME": str(folder)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            output, _ = await process.communicate()
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)  # the program, and what it started
        output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


def faults(engine: Engine, code: int, output: str) -> list[str]:
    """Return what went wrong."""
    found = []
    if code != 0 or ANSWER not in output:
        found.append(f"codex ended with {code} and without the answer:\n{output[-3000:]}")
    results = [result for chat in engine.seen for result in tool_results(chat)]
    if not any(
        CONTENT in str(result["content"]) and result["tool_call_id"].startswith(CALL_ID) for result in results
    ):
        found.append(f"the output of the command did not arrive: {results}")
    kinds = {tool["type"] for chat in engine.seen for tool in chat.get("tools", ())}
    if kinds != {"function"}:
        found.append(f"the engine got tools of the types {sorted(kinds)}")
    return found


async def check(codex: str) -> int:
    """Run the conversation, print what arrived, and return 1 if anything went wrong."""
    engine = Engine()
    with tempfile.TemporaryDirectory() as folder:
        async with running_gglib(engine) as port:
            code, output = await run_codex(codex, Path(folder), port)
    for number, chat in enumerate(engine.seen, 1):
        roles = [message["role"] for message in chat["messages"]]
        print(f"request {number}: {len(chat.get('tools', ()))} functions, roles {roles}")
    found = faults(engine, code, output)
    print("\n".join(found) or f"{len(engine.seen)} requests: a call, its result, and the answer")
    return 1 if found else 0


def main() -> int:
    """Read the arguments and run the check."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("codex", help="the program, such as node_modules/.bin/codex")
    return asyncio.run(check(str(Path(parser.parse_args().codex).resolve())))


if __name__ == "__main__":
    sys.exit(main())
