"""A real ``gglib serve`` for tests of the page and its pictures: scripted engines, a local hub, some models."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

from tests.support.preloaded import PreloadedProcess
from tests.support.waiting import LIMIT_S

from gglib.testing import LocalHub, Script, install_scripted_server, write_tiny_gguf

MODELS = ("llama-3b", "qwen-coder-7b", "gemma-4b")
_FIRST_WORDS = "Listening on"
_direct = build_opener(ProxyHandler({}))


@dataclass(slots=True)
class PageServer:
    """A server: its address, its home, its hub, and the requests that a test sends beside the page."""

    home: Path
    hub: LocalHub
    key: str = ""
    url: str = ""
    program: Sequence[str] = ()
    """Runs instead of ``gglib``."""
    _process: "subprocess.Popen[str] | None" = field(default=None, repr=False)

    def start(self) -> None:
        """Start the server, on the port that it had before if it ran already; return once it listens."""
        errors = self.home / "stderr.txt"
        port = self.url.rpartition(":")[2] or "0"
        started: type[subprocess.Popen[str]] = subprocess.Popen if self.program else PreloadedProcess
        with errors.open("a") as stderr:
            self._process = started(
                [*(self.program or ("gglib",)), "serve", "--port", port],
                env=environment(self.home, self.hub),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        self.url = _url(self._process, errors)

    def stop(self) -> None:
        """End the server as the system does; no effect if it does not run."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server without a chance to say so."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.communicate(timeout=LIMIT_S)

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
    """Return the server's environment: without gglib's variables of this process, and with the local hub.

    Threads of a real engine sleep while they wait for each other: spinning ones make tiny models slow on busy machines.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GGLIB_")}
    own = {"GGLIB_HOME": str(home), "HF_HOME": str(home), "HF_ENDPOINT": hub.url}
    return kept | own | {"NO_PROXY": "127.0.0.1,localhost", "OMP_WAIT_POLICY": "passive"}


@contextmanager
def page_server(
    *,
    models: Sequence[str] = MODELS,
    script: Script | None = None,
    settings: str = "",
    key: str = "",
    has_real_engine: bool = False,
    prepare: Callable[[Path, LocalHub], object] = lambda *_: None,
    program: Sequence[str] = (),
) -> Iterator[PageServer]:
    """Run a server with these models in the block; ``settings`` are further lines of ``config.toml``.

    If ``key`` is set, the server needs a key, and this is an admin key; ``settings`` may end with tables of others.
    With ``has_real_engine``, it is the one of a plain install instead of the scripted one. ``prepare`` changes the home
    and the hub before the server starts; ``program`` runs instead of ``gglib``.
    """
    home = Path(tempfile.mkdtemp(prefix="gg-page-"))  # short: the path of a Unix socket is limited
    engine = "" if has_real_engine else install_scripted_server(home / "bin", script or Script())
    keys = f'[api_keys.page]\nkey = "{key}"\nadmin = true\n' if key else ""
    config = home / "config.toml"
    config.write_text((f'engine = "{engine}"\n' if engine else "") + f"{settings}\n{keys}", encoding="utf-8")
    config.chmod(0o600)
    try:
        with LocalHub() as hub:
            prepare(home, hub)
            server = PageServer(home, hub, key, program=program)
            try:
                server.start()
                for name in models:
                    file = write_tiny_gguf(home / f"{name}.gguf")
                    server.request("POST", "/gglib/models", {"path": str(file), "name": name})
                yield server
            finally:
                server.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _url(process: "subprocess.Popen[str]", errors: Path) -> str:
    assert process.stdout is not None
    line = next((line for line in process.stdout if line.startswith(_FIRST_WORDS)), None)
    if line is None:
        raise RuntimeError(f"The server did not start: {errors.read_text(encoding='utf-8')}")
    return line.split()[-1]
