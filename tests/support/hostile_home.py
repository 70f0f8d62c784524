"""A server in whose home every text that others choose is hostile: names, files, metadata, answers, errors and logs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

from tests.support.page_server import PageServer, page_server
from tests.support.waiting import wait_until

from gglib.testing import Script, write_tiny_gguf
from gglib.testing.local_hub import Fault

if TYPE_CHECKING:
    from pathlib import Path

KEY = "sk-hostile-page-test"
RUN = "window.__ran=1"
"""What every text tries to run. Nothing else sets this variable."""
IMAGE = f"<img src=x onerror={RUN}>"
SCRIPT = f"<script>{RUN}</script>"
QUOTES = f"\"'`><svg onload={RUN}>${{{RUN}}}{{{{{RUN}}}}}"
CODES = "\x1b[31m\x1b]0;title\x07\x1b]52;c;ZXZpbA==\x07\x9b2J"
BIDI = "\u202eesrever\u2066isolated\u2069\u202c"
ELSEWHERE = "http://elsewhere.test/x.png"
"""An address that no text may make the browser request."""
LINKS = f"[click](javascript:{RUN}) ![picture]({ELSEWHERE}) <a href=javascript:{RUN}>x</a>"

NAME = f"m{QUOTES}"
"""The name of a model; hostile, and printable as a name must be."""
ALIAS = f"a{IMAGE}"
TAG = f"t{SCRIPT}"
LIST = f"l{IMAGE}"
BROKEN = f"broken {IMAGE}"
TALKER = f"talker/{IMAGE}"
FILE = f"f{IMAGE}{CODES}.gguf".replace("/", "")
"""The name of a file; a name on Linux has any byte except a slash and NUL."""
DESCRIPTION = f"d{IMAGE}"
SYSTEM = f"s{SCRIPT}{CODES}{BIDI}"
PROGRAM = f"p{IMAGE}/1.0"
REQUEST_ID = f"<img/src=x/onerror={RUN}>"
UNKNOWN = f"unknown {SCRIPT}{CODES}{BIDI}\x00"
PROMPT = f"prompt {IMAGE}{LINKS}{CODES}{BIDI}"
ANSWER = f"answer {IMAGE}{SCRIPT} {LINKS}\n\n```html\n{IMAGE}\n```\n\n<iframe src=javascript:{RUN}></iframe>"
THOUGHT = f"thought {IMAGE}{LINKS}"
REASON = f"reason {IMAGE}{CODES}{BIDI}"
LOG_LINE = f"line {IMAGE}{SCRIPT}{CODES}{BIDI}\x00end"
REPO = f"evil/{IMAGE}"
LICENCE = f"licence {IMAGE}"
HUB_ERROR = f"hub {IMAGE}"
_REFUSING = "refusing-Q4_K_M.gguf"
_ACTIVE = ("queued", "running")


def _stream() -> str:
    """Return an answer with thinking, a tool call and foreign fields."""
    call = {"index": 0, "id": IMAGE, "type": "function", "function": {"name": IMAGE, "arguments": SCRIPT}}
    node = {"type": "script", "props": {"children": RUN, "dangerouslySetInnerHTML": {"__html": IMAGE}}}
    deltas = [
        {"reasoning_content": THOUGHT},
        {"content": ANSWER},
        {"tool_calls": [call]},
        {"content": node, "reasoning_content": [IMAGE], "__proto__": {"html": IMAGE}},
    ]
    parts: list[object] = [{"choices": [{"delta": delta, "finish_reason": None}]} for delta in deltas]
    parts.append({"choices": [{"delta": {}, "finish_reason": IMAGE}], "model": IMAGE, "timings": IMAGE})
    parts.append({"choices": [], "usage": {"prompt_tokens": IMAGE, "completion_tokens": [IMAGE]}})
    lines = "".join(f"data: {json.dumps(part)}\n\n" for part in parts)
    return f"event: {IMAGE}\nid: {IMAGE}\nretry: 1\n: {SCRIPT}\n{lines}data: [DONE]\n\n"


def _script() -> Script:
    """Return the engines' behaviour."""
    stream = {
        "body": _stream(),
        "headers": [["Content-Type", "text/event-stream"]],
    }
    broken = {"load_fails_with": f"{LOG_LINE}\n{'w' * 40_000}{IMAGE}\nerror loading model: {REASON}\n"}
    return Script(
        scripts={TALKER: stream, BROKEN: broken}, devices=(f"  CUDA0: {IMAGE} (24000 MiB, 23000 MiB free)",)
    )


def _settings() -> str:
    """Return further lines of ``config.toml``."""
    other = f'{{ key = "sk-other-hostile", models = [{json.dumps(f"*{IMAGE}")}] }}'
    keys = f'api_keys = {{ page = "{KEY}", other = {other} }}'
    aliases = f"aliases = {{ {json.dumps(LIST)} = [{json.dumps(NAME)}, {json.dumps(f'gone{IMAGE}')}] }}"
    return f"{keys}\n{aliases}\nrecord_bodies = true"


@contextmanager
def hostile_server() -> Iterator[PageServer]:
    """Run a server with hostile texts everywhere; it needs ``KEY``. Its requests, downloads and failures have ended."""
    with page_server(models=(), script=_script(), settings=_settings()) as started:
        server = replace(started, key=KEY)
        _add_models(server)
        _add_repositories(server)
        _send_requests(server)
        _write_log(server)
        yield server


def _add_models(server: PageServer) -> None:
    for number, (name, file) in enumerate({NAME: FILE, TALKER: "talker.gguf", BROKEN: "broken.gguf"}.items()):
        path = write_tiny_gguf(server.home / file, name=IMAGE, seed=number)
        server.request("POST", "/gglib/models", {"path": str(path), "name": name})
    server.request("PATCH", f"/gglib/models/{quote(NAME, safe='')}", {"aliases": [ALIAS], "tags": [TAG]})
    profile = {"description": DESCRIPTION, "system": SYSTEM, "defaults": {"stop": [IMAGE]}}
    server.request("PUT", "/gglib/profiles/hostile", profile)


def _add_repositories(server: PageServer) -> None:
    """Add one repository with a hostile name, and one with a good name of which everything else is hostile."""
    model = write_tiny_gguf(server.home / "hub.gguf", seed=9)
    files: dict[str, bytes | Path] = {
        "x-Q4_K_M.gguf": model,
        f"{IMAGE}-Q8_0.gguf": model,
        f"../{SCRIPT}.gguf": model,
        "README.md": IMAGE.encode(),
    }
    metadata: dict[str, Any] = {
        "licence": LICENCE,
        "tags": ("gguf", TAG),
        "gguf": {"architecture": IMAGE, "context_length": 4096, "total": 1000},
        "overrides": {"author": IMAGE, "pipeline_tag": IMAGE},
    }
    server.hub.add_repository(REPO, files, **metadata)
    server.hub.add_repository("evil/plain", files, **metadata)
    server.hub.add_repository("evil/refusing", {_REFUSING: model}, **metadata)
    headers = (("X-Error-Message", HUB_ERROR), ("X-Error-Code", IMAGE))
    server.hub.inject_fault(Fault(status=400, body=HUB_ERROR.encode(), headers=headers), file=_REFUSING)


def _send_requests(server: PageServer) -> None:
    """Send requests that are answered, that fail and that are refused, then a download that fails."""
    server.ask(TALKER, PROMPT, program=PROGRAM, stream=True)
    for model in (BROKEN, UNKNOWN):
        with suppress(HTTPError):
            server.ask(model, PROMPT, program=PROGRAM)
    headers = {"authorization": f"Bearer {KEY}", "x-request-id": REQUEST_ID, "user-agent": PROGRAM}
    body = json.dumps({"model": TALKER, "messages": [], "metadata": {"user": IMAGE}, "user": IMAGE}).encode()
    asked = Request(  # noqa: S310 - a loopback address
        f"{server.url}/v1/chat/completions", body, {"content-type": "application/json", **headers}
    )
    with urlopen(asked) as response:  # noqa: S310 - as above
        response.read()
    for target in (f"evil/absent:{IMAGE}", "evil/plain:Q4_K_M", "evil/refusing:Q4_K_M"):
        with suppress(HTTPError):
            server.request("POST", "/gglib/downloads", {"target": target})
    wait_until(lambda: not _active_downloads(server), poll_s=0.05)


def _active_downloads(server: PageServer) -> list[str]:
    downloads = json.loads(server.request("GET", "/gglib/downloads"))["downloads"]
    return [download["id"] for download in downloads if download["state"] in _ACTIVE]


def _write_log(server: PageServer) -> None:
    with (server.home / "logs/gglib.log").open("a", encoding="utf-8", newline="") as log:
        log.write(
            f"2026-11-29T13:00:00.000+00:00 ERROR   {LOG_LINE}\n{IMAGE} no record\n{'v' * 100_000}{IMAGE}\n"
        )
        log.write(f"2026-11-29T13:00:00.000+00:00 {IMAGE} level\n")
