"""Commands on a server that is not a gglib, or sends malformed responses: one sentence that names the address."""

import json
import os
import random
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from tests.support.node_values import snapshot

from gglib.cli.app import cli
from gglib.cli.command_names import REMOTE_COMMANDS
from gglib.core.gguf_names import FileKind
from gglib.core.history.requests import RunningRequest, StoredRequest
from gglib.core.history.usage import UsageRow
from gglib.core.hub.downloads import Download, DownloadState
from gglib.core.hub.repository import Gating
from gglib.core.memory import DeviceMemory, Fit
from gglib.core.models import ModelCapabilities, ModelSettings, ModelSource, ModelSummary
from gglib.core.priority import Priority
from gglib.core.runtime.status import ResidentStatus, RuntimeStatus, SwapStatus, WaitingStatus
from gglib.proxy.routes import responses

COMMANDS: dict[str, tuple[str, ...]] = {
    "run": ("run", "tiny", "Hello"),
    "connect": ("connect", "claude"),
    "launch": ("launch", "claude", "--dry-run"),
    "dashboard": ("dashboard", "--scrape-config"),
    "search": ("search", "tiny"),
    "pull": ("pull", "ada/tiny"),
    "add": ("add", "/m/tiny.gguf"),
    "list": ("list",),
    "show": ("show", "tiny"),
    "show repository": ("show", "ada/tiny"),
    "set": ("set", "tiny", "--ctx", "512"),
    "alias": ("alias",),
    "alias set": ("alias", "fast", "tiny"),
    "alias rm": ("alias", "--rm", "t"),
    "rm": ("rm", "tiny", "--yes"),
    "ps": ("ps",),
    "ps --watch": ("ps", "--watch"),
    "requests": ("requests",),
    "requests ID": ("requests", "7"),
    "requests --cancel": ("requests", "--cancel", "r"),
    "usage": ("usage",),
    "top": ("top", "--once", "--interval", "0.2"),
    "load": ("load", "tiny"),
    "unload": ("unload", "tiny"),
    "pin": ("pin", "tiny"),
    "unpin": ("unpin", "tiny"),
    "stop": ("stop",),
    "reload": ("reload",),
    "doctor": ("doctor",),
}


def http(status: str, body: bytes, *lines: str, content_type: str = "application/json") -> bytes:
    """Return a complete response."""
    head = "\r\n".join(
        (
            f"HTTP/1.1 {status}",
            f"Content-Type: {content_type}",
            f"Content-Length: {len(body)}",
            *lines,
            "",
            "",
        )
    )
    return head.encode() + body


def ok(content: object) -> bytes:
    """Return a JSON response with status 200."""
    return http("200 OK", json.dumps(content).encode())


HTML = b"<!DOCTYPE html><html><body>It works!</body></html>"
EVENT_STREAM = "text/event-stream"
EVERY_FIELD = (
    *("models", "repositories", "residents", "waiting", "failed", "stopped", "settings", "warnings"),
    *(
        "id",
        "name",
        "model_name",
        "effective_ctx",
        "state",
        "status",
        "version",
        "memory",
        "files",
        "variants",
    ),
    *("removed", "deleted", "kept", "aliases", "source", "capabilities", "paths", "replaced_models", "repo"),
)
RESPONSES: dict[str, bytes] = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "HTML": http("200 OK", HTML, content_type="text/html"),
    "HTML as JSON": http("200 OK", HTML),
    "bad gateway": http("502 Bad Gateway", HTML, content_type="text/html"),
    "not found": http("404 Not Found", HTML, content_type="text/html"),
    "other JSON error": http("404 Not Found", b'{"detail": "Not Found"}'),
    "redirect": http("302 Found", b"", "Location: https://login.example/?next=%1b"),
    "empty body": http("200 OK", b""),
    "truncated JSON": http("200 OK", b'{"models": [{"id": 1'),
    "truncated response": http("200 OK", b'{"models": []}').replace(b"14", b"999"),
    "invalid UTF-8": http("200 OK", b'{"models": "\xff\xfe"}'),
    "deep JSON": http("200 OK", b"[" * 100_000),
    "null": ok(None),
    "number": ok(5),
    "text": ok("models"),
    "list": ok([]),
    "list of objects": ok([{}]),
    "empty object": ok({}),
    "numbers": ok(dict.fromkeys(EVERY_FIELD, 5)),
    "texts": ok(dict.fromkeys(EVERY_FIELD, "x")),
    "nulls": ok(dict.fromkeys(EVERY_FIELD)),
    "lists of numbers": ok({name: [5] for name in EVERY_FIELD}),
    "lists of objects": ok({name: [{}] for name in EVERY_FIELD}),
    "objects": ok({name: {"x": 1} for name in EVERY_FIELD}),
    "events that are no JSON": http("200 OK", b"data: x\n\n", content_type=EVENT_STREAM),
    "events of numbers": http("200 OK", b"event: snapshot\ndata: 5\n\n", content_type=EVENT_STREAM),
    "events of lists": http("200 OK", b"event: loading\ndata: [{}]\n\n", content_type=EVENT_STREAM),
    "events of objects": http("200 OK", b'event: loading\ndata: {"x": 1}\n\n', content_type=EVENT_STREAM),
    "error without message": http("500 Oh", b'{"error": {"code": "x"}}'),
    "error with a number": http("500 Oh", b'{"error": {"code": "x", "message": 5}}'),
    "error of two lines": http("500 Oh", b'{"error": {"code": "x", "message": "a\\nb"}}'),
    "error with an empty message": http("500 Oh", b'{"error": {"code": "x", "message": ""}}'),
}
MODEL = responses.Model.of(
    ModelSummary(
        id=1,
        name="tiny",
        aliases=("t",),
        architecture="llama",
        parameter_count=10**9,
        quantization="Q4_K_M",
        size_bytes=10**9,
        trained_context=4096,
        capabilities=ModelCapabilities(chat=True),
        settings=ModelSettings(context=512, idle_ttl_s=60.0, priority=Priority.BATCH, engine_args=("--x",)),
        paths=(Path("/m/tiny.gguf"),),
        hashes=("ab",),
        projector=Path("/m/mmproj.gguf"),
        source=ModelSource(origin="hub", repo="ada/tiny", revision="c0ffee"),
        added_at=1,
        last_used_at=2,
    ),
    "ready",
)
SWAP = SwapStatus(
    from_model="other",
    to_model="tiny",
    why="it had no requests",
    request_id="r",
    waited_s=1.0,
    drain_s=1.0,
    stop_s=1.0,
    load_s=1.0,
    total_s=4.0,
    ago_s=9.0,
)
RESIDENT = ResidentStatus(
    model_id=1,
    model_name="tiny",
    state="loading",
    effective_ctx=4096,
    in_flight=1,
    pid=1,
    uptime_s=5.0,
    load_time_s=1.0,
    loading_for_s=1.0,
    expected_load_s=3.0,
    size={"ram": 10**9, "gpu0": 10**8},
    idle_ttl_s=60.0,
)
STATUS = responses.Status.of(
    RuntimeStatus(
        residents=(RESIDENT,),
        waiting=(WaitingStatus(model_name="other", waiting=2, longest_wait_s=3.0),),
        failed=(("broken", "no tensors"),),
        last_swap=SWAP,
        limits={"ram": 2 * 10**9},
        hint="set max_models",
    ),
    "1.0",
    {"ram": DeviceMemory(total_bytes=10**10, available_bytes=None)},
)
FILE = responses.File(name="t-Q4_K_M.gguf", size_bytes=9, sha256="ab")
NEED = responses.Need(
    weights_bytes=9,
    kv_bytes=1,
    compute_bytes=1,
    overhead_bytes=1,
    left_behind_bytes=0,
    is_exact=True,
    total_bytes=12,
)
VARIANT = responses.Variant(
    label="Q4_K_M",
    pull="ada/tiny:Q4_K_M",
    quantization="Q4_K_M",
    size_bytes=9,
    fit=Fit.FITS,
    slots=1,
    need=NEED,
    files=(FILE,),
)
MEMORY = responses.Memory(
    total_bytes=64,
    available_bytes=32,
    gpus=(responses.Gpu(name="G", total_bytes=8, free_bytes=4, vendor="NVIDIA"),),
)
REPOSITORY: dict[str, Any] = {
    "repo": "ada/tiny",
    "revision": "c0ffee",
    "downloads": 1,
    "likes": 1,
    "updated_at": 1,
    "licence": "mit",
    "gate": Gating.OPEN,
    "tags": ("t",),
    "architecture": "llama",
    "parameter_count": 10**9,
    "trained_context": 4096,
    "context": 4096,
    "suggested": "Q4_K_M",
    "variants": (VARIANT,),
    "projectors": (FILE,),
    "incomplete": ("i",),
    "pieces": ("p",),
    "unsafe": ("u",),
}
SHOWN = responses.ShownRepository(
    **REPOSITORY,
    memory=MEMORY,
    files=(
        responses.ShownFile(
            name=FILE.name, size_bytes=9, sha256="ab", kind=FileKind.MODEL, label="Q4_K_M", unsafe=False
        ),
    ),
)
DOWNLOAD = responses.Download.of(
    Download(
        id="d",
        target="ada/tiny",
        state=DownloadState.DONE,
        created_at=1,
        model_name="tiny",
        total_bytes=9,
        done_bytes=9,
    )
)
RUNNING = RunningRequest(
    request_id="r", route="/v1/chat/completions", state="running", age_s=1.0, model="tiny"
)
STORED = StoredRequest(
    id=7,
    request_id="s",
    ended_at_s=1.0,
    route="/v1/chat/completions",
    status=500,
    model="tiny",
    error="engine_died",
    waited_s=1.0,
    first_byte_s=2.0,
    duration_s=3.0,
    is_streamed=True,
    prompt_tokens=5,
    cached_tokens=2,
    tokens_per_s=1.5,
    has_bodies=True,
)
USAGE = UsageRow(start_s=0.0, requests=3, prompt_tokens=9, cached_tokens=1, busy_s=2.0)
NODE = responses.Node.of(snapshot("box", "tiny", ready=("tiny",)), sent=1, now_s=1.0, own_version="")
VALID: dict[str, object] = {
    "GET /gglib/requests": responses.Requests(
        running=(RUNNING,), requests=(STORED,), next_before=7, is_off=False
    ),
    "GET /gglib/requests/7": {
        "running": RUNNING,
        "request": STORED,
        "bodies": {"request": "a", "response": "b", "is_request_cut": True, "is_response_cut": False},
    },
    "DELETE /gglib/requests/r": responses.CancelledRequest(cancelled="r"),
    "GET /gglib/usage": responses.Usage(usage=(USAGE, USAGE), total=USAGE),
    "GET /gglib/models": responses.Models(models=(MODEL,)),
    "GET /gglib/models/tiny": MODEL,
    "PATCH /gglib/models/tiny": MODEL,
    "POST /gglib/models": MODEL,
    "POST /gglib/models/tiny/pin": MODEL,
    "POST /gglib/models/tiny/unpin": MODEL,
    "DELETE /gglib/models/tiny": responses.RemovedModel(
        removed=MODEL,
        deleted=("/m/tiny.gguf",),
        freed_bytes=9,
        kept=(responses.KeptFile(path="/m/x.gguf", reason="r"),),
    ),
    "POST /gglib/models/tiny/load": responses.LoadedModel(model_id=1, model_name="tiny", effective_ctx=4096),
    "POST /gglib/models/tiny/unload": responses.Unloaded(stopped=("tiny",), node=None),
    "POST /gglib/stop": responses.Stopped(stopped=("tiny",)),
    "POST /gglib/reload": responses.Reloaded(
        settings=(responses.SettingChange(setting="slots", old="1", new="2", applied=True),),
        replaced_models=("tiny",),
        warnings=("w",),
    ),
    "GET /gglib/aliases": responses.Aliases(
        aliases=(
            responses.Alias(name="t", models=("tiny",), missing=(), source="catalogue", is_ignored=False),
        )
    ),
    "PATCH /gglib/models/1": MODEL,
    "GET /health": responses.Health(),
    "GET /gglib/status": STATUS,
    "GET /gglib/nodes": responses.Nodes(nodes=(NODE,), conflicts=()),
    "GET /gglib/hub/models": responses.SearchResult(
        query="tiny", memory=MEMORY, repositories=(responses.Repository(**REPOSITORY),), left_out=1
    ),
    "GET /gglib/hub/models/ada/tiny": SHOWN,
    "POST /gglib/downloads": DOWNLOAD,
    "GET /gglib/downloads/d/events": DOWNLOAD,
    "GET /gglib/events": STATUS,
    "POST /v1/chat/completions": {"choices": [{"index": 0, "delta": {"content": "Hi"}}]},
}
"""A valid response for each operation; of streams, the data of an event."""
SAMPLES = int(os.environ.get("GGLIB_TEST_MUTANTS", "25"))
"""Mutants of each response of a command."""
EVENT_NAMES = {
    "GET /gglib/events": "snapshot",
    "GET /gglib/downloads/d/events": "message",
    "POST /v1/chat/completions": "message",
}
WRONG: tuple[object, ...] = (None, True, 5, -1.5, 10**30, "x", "", "\x1b[2J\ud800", [], [{}], {}, {"x": [1]})


@contextmanager
def serving(respond: Callable[[bytes], bytes]) -> Iterator[str]:
    """Yield the URL of a server that sends ``respond(request head)`` and closes the connection."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            received = b""
            while b"\r\n\r\n" not in received and (part := self.request.recv(65536)):
                received += part
            self.request.sendall(respond(received))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def run(url: str, *command: str) -> tuple[int, str, str]:
    """Run a command; return its exit code, and what it wrote to stdout and stderr."""
    result = CliRunner(env={"GGLIB_HOME": "/nonexistent"}).invoke(cli, ["--url", url, *command])
    return result.exit_code, result.stdout, result.stderr


def test_every_remote_command_is_tried() -> None:
    """Each command that works on a remote server is in the table."""
    assert {words[0] for words in COMMANDS.values()} == REMOTE_COMMANDS


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_malformed_responses_are_one_sentence(command: tuple[str, ...]) -> None:
    """For each kind of response, also as JSON output; some commands find nothing to refuse in an empty object."""
    for kind, response in RESPONSES.items():
        with serving(lambda _, sent=response: sent) as url:  # type: ignore[misc]
            for words in (
                (command, (*command, "--json"))
                if command[0] not in {"run", "launch", "dashboard", "set", "rm", "add", "top"}
                else (command,)
            ):
                code, _, errors = run(url, *words)
                assert "Internal error" not in errors, (kind, words, errors)
                assert "Traceback" not in errors, (kind, words, errors)
                if code == 0:
                    continue
                sentence = errors.strip().splitlines()[-1]
                assert (code, sentence[:7]) == (1, "Error: "), (kind, words, errors)
                if not kind.startswith("error"):
                    assert url in sentence, (kind, words, sentence)


def mutants(value: Any) -> Iterator[Any]:
    """Yield copies of a JSON value with one part replaced by each wrong value, or left out."""
    yield from WRONG
    if isinstance(value, dict):
        for name, part in value.items():
            yield {key: other for key, other in value.items() if key != name}
            yield from ({**value, name: mutant} for mutant in mutants(part))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from ([*value[:index], mutant, *value[index + 1 :]] for mutant in mutants(part))


def encoded(operation: str, content: object) -> bytes:
    """Return the response of an operation with this content; for streams an event and the end of the stream."""
    body = json.dumps(content).encode()
    if operation not in EVENT_NAMES:
        return http("200 OK", body)
    events = b"event: %b\ndata: %b\n\n" % (EVENT_NAMES[operation].encode(), body)
    return http("200 OK", events + b"data: [DONE]\n\n", content_type=EVENT_STREAM)


def operation_of(received: bytes) -> str:
    """Return method and path of a request."""
    method, target, _ = received.split(b"\r\n")[0].decode().split(" ")
    return f"{method} {target.partition('?')[0].replace('%2F', '/')}"


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_wrong_value_anywhere_is_one_sentence(command: tuple[str, ...]) -> None:
    """Each response of the command is valid except for one part; the sample is the same in each run."""
    plain: dict[str, Any] = {
        name: msgspec.json.decode(msgspec.json.encode(content)) for name, content in VALID.items()
    }
    asked: list[str] = []
    sent: dict[str, bytes] = {}

    def respond(received: bytes) -> bytes:
        operation = operation_of(received)
        asked.append(operation)
        return sent.get(operation, http("404 Not Found", b'{"error": {"code": "x", "message": "m"}}'))

    with serving(respond) as url:
        sent.update({name: encoded(name, content) for name, content in plain.items()})
        run(url, *command)
        for operation in sorted(set(asked) & set(plain)):
            found = list(mutants(plain[operation]))
            if (
                operation in EVENT_NAMES
            ):  # the real stdout escapes halves of surrogate pairs, that of the runner does not
                found = [mutant for mutant in found if "\\ud800" not in json.dumps(mutant)]
            for mutant in random.Random(1).sample(found, min(SAMPLES, len(found))):  # noqa: S311 - a sample
                sent[operation] = encoded(operation, mutant)
                code, _, errors = run(url, *command)
                assert code in {0, 1}, (operation, mutant, errors)
                assert "Internal error" not in errors, (operation, mutant, errors)
            sent[operation] = encoded(operation, plain[operation])
