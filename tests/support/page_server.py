"""A real ``gglib serve`` for tests of the page and its pictures: scripted engines, a local hub, some models."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

from tests.support.preloaded import PreloadedProcess
from tests.support.waiting import LIMIT_S

from gglib.testing import LocalHub, Script, install_scripted_server, write_tiny_gguf

MODELS = ("llama-3b", "qwen-coder-7b", "gemma-4b")
_FIRST_WORDS = "Listening on"
_direct = build_opener(ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class PageServer:
    """A running server: its address, its home, its hub, and the requests that a test sends beside the page."""

    url: str
    home: Path
    hub: LocalHub
    key: str = ""

    def request(self, method: str, path: str, body: object = None, *, program: str = "page-test/1") -> bytes:
        """Send a request as a program, and return the body of the response. Raises ``HTTPError`` for 4xx and 5xx."""
        headers = {"content-type": "application/json", "user-agent": program}
        if self.key:
            headers["authorization"] = f"Bearer {self.key}"
        content = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.url}{path}", content, headers, method=method)  # noqa: S310 - a loopback address
        with _direct.open(request, timeout=LIMIT_S) as response:
            return bytes(response.read())

    def ask(
        self, model: str, text: str = "Hello", *, program: str = "page-test/1", **fields: object
    ) -> bytes:
        """Send a chat request and read its response; the field ``x_script`` overrides the engine's script for it."""
        body = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
        return self.request("POST", "/v1/chat/completions", body, program=program)


def environment(home: Path, hub: LocalHub) -> Mapping[str, str]:
    """Return the server's environment: without gglib's variables of this process, and with the local hub."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GGLIB_")}
    own = {"GGLIB_HOME": str(home), "HF_HOME": str(home), "HF_ENDPOINT": hub.url}
    return kept | own | {"NO_PROXY": "127.0.0.1,localhost"}


@contextmanager
def page_server(
    *,
    models: Sequence[str] = MODELS,
    script: Script | None = None,
    settings: str = "",
    key: str = "",
    prepare: Callable[[Path, LocalHub], object] = lambda *_: None,
    program: Sequence[str] = (),
) -> Iterator[PageServer]:
    """Run a server with these models in the block; ``settings`` are further lines of ``config.toml``.

    If ``key`` is set, the server needs a key, and this is an admin key. ``prepare`` changes the home and the hub before
    the start; ``program`` runs instead of ``gglib``.
    """
    home = Path(tempfile.mkdtemp(prefix="gg-page-"))  # short: the path of a Unix socket is limited
    engine = install_scripted_server(home / "bin", script or Script())
    keys = f'[api_keys]\npage = "{key}"\n' if key else ""
    config = home / "config.toml"
    config.write_text(f'engine = "{engine}"\nport = 0\n{settings}\n{keys}', encoding="utf-8")
    config.chmod(0o600)
    try:
        with LocalHub() as hub:
            prepare(home, hub)
            with _process(home, hub, program) as url:
                yield _with_models(PageServer(url, home, hub, key), models)
    finally:
        shutil.rmtree(home)


def _with_models(server: PageServer, models: Sequence[str]) -> PageServer:
    for name in models:
        file = write_tiny_gguf(server.home / f"{name}.gguf")
        server.request("POST", "/gglib/models", {"path": str(file), "name": name})
    return server


@contextmanager
def _process(home: Path, hub: LocalHub, program: Sequence[str]) -> Iterator[str]:
    """Run ``gglib serve`` in the block, and yield its URL."""
    errors = home / "stderr.txt"
    with errors.open("w") as stderr:
        start: type[subprocess.Popen[str]] = subprocess.Popen if program else PreloadedProcess
        process = start(
            [*(program or ("gglib",)), "serve"],
            env=environment(home, hub),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    try:
        yield _url(process, errors)
    finally:
        process.terminate()
        process.communicate(timeout=LIMIT_S)


def _url(process: "subprocess.Popen[str]", errors: Path) -> str:
    assert process.stdout is not None
    line = next((line for line in process.stdout if line.startswith(_FIRST_WORDS)), None)
    if line is None:
        raise RuntimeError(f"The server did not start: {errors.read_text(encoding='utf-8')}")
    return line.split()[-1]
