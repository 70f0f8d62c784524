"""Count the files that a request passes through: a warm chat, a swap and a pull (``sys.setprofile``).

Everything of ``gglib serve`` runs in this process, with scripted engines and a local hub. The report counts the
package's own files, and hops: calls from a function of one file to a function of another, or from an event loop into a
file. ``--list`` prints the files.
"""

import argparse
import asyncio
import hashlib
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import gglib
from gglib.app.models.catalog import open_catalog
from gglib.app.models.hub import open_hub
from gglib.app.models.pulls import pull_by_name
from gglib.app.serving.open_home import open_home
from gglib.app.serving.server import running_server
from gglib.app.settings import Settings
from gglib.core.models import GgufFacts, NewModel
from gglib.runtime.engines import LlamaServerEngine
from gglib.testing import Script, install_scripted_server, write_tiny_gguf
from gglib.testing.local_hub import LocalHub

PACKAGE = Path(gglib.__file__).resolve().parent
TOOLS = str(PACKAGE / "testing")
MODELS = ("first", "second")
REPO, FILE = "ada/tiny-GGUF", "tiny-Q4_K_M.gguf"


@dataclass
class Trace:
    """The files and hops recorded while the trace was on."""

    is_on: bool = False
    files: set[str] = field(default_factory=set)
    hops: int = 0
    calls: int = 0

    def record(self, frame: FrameType, event: str, _: object) -> None:
        """Record one profiling event of the interpreter."""
        if not self.is_on or event != "call" or not _is_own(frame):
            return
        caller = frame.f_back
        while caller is not None and not _is_own(caller):
            caller = caller.f_back
        file = frame.f_code.co_filename
        self.files.add(file)
        self.calls += 1
        self.hops += caller is None or caller.f_code.co_filename != file

    @contextmanager
    def on(self) -> Iterator[None]:
        """Trace a block, with empty counts at its start."""
        self.files, self.hops, self.calls, self.is_on = set(), 0, 0, True
        try:
            yield
        finally:
            self.is_on = False


def _is_own(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return file.startswith(f"{PACKAGE}/") and not file.startswith(TOOLS)


async def chat(url: str, model: str) -> None:
    """Request a streamed response from a model, and read it to its end."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    body = b'{"model":"%b","stream":true,"messages":[{"role":"user","content":"Hi"}]}' % model.encode()
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: %b\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
    )
    writer.write(head % (address.netloc.encode(), len(body)) + body)
    answer = await reader.read()
    writer.close()
    if not answer.startswith(b"HTTP/1.1 200 ") or b"[DONE]" not in answer:
        raise SystemExit(f"{model}: {answer[:500]!r}")


async def trace_chats(trace: Trace, place: Path) -> dict[str, Trace]:
    """Return the traces of a warm chat and of a swap."""
    settings = Settings(home=place / "home", port=0)
    engine = LlamaServerEngine(install_scripted_server(place / "bin", Script()), reason="it is scripted")
    found: dict[str, Trace] = {}
    async with open_home(settings) as home:
        for name in MODELS:
            path = write_tiny_gguf(place / f"{name}.gguf")
            await home.catalog.add_model(
                NewModel(name=name, paths=(path,), size_bytes=1, facts=GgufFacts(architecture="llama"))
            )
        async with running_server(settings, home, engine) as server:
            for name in (*MODELS, MODELS[0], MODELS[0]):
                await chat(server.url, name)
            for what, name in (("a warm chat", MODELS[0]), ("a swap", MODELS[1])):
                with trace.on():
                    await chat(server.url, name)
                    await asyncio.sleep(0.2)  # deferred work of the request counts as well
                found[what] = replace(trace)
    return found


async def trace_pull(trace: Trace, place: Path) -> Trace:
    """Return the trace of a pull."""
    settings = Settings(home=place / "pulled")
    content = write_tiny_gguf(place / FILE).read_bytes()
    with LocalHub() as hub:
        hub.add_repository(REPO, {FILE: content})
        environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(place / "hf"), "NO_PROXY": "127.0.0.1"}
        with trace.on():
            async with open_catalog(settings) as store, open_hub(environment) as opened:
                await pull_by_name(settings, store, opened, REPO, lambda _: None)
    files = list((settings.home / "models").rglob(FILE))
    if [hashlib.sha256(file.read_bytes()).digest() for file in files] != [hashlib.sha256(content).digest()]:
        raise SystemExit(f"The pull left {files}.")
    return replace(trace)


def main() -> None:
    """Trace all three and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", action="store_true", help="print the files, too")
    options = parser.parse_args()
    trace = Trace()
    threading.setprofile(trace.record)
    sys.setprofile(trace.record)
    with tempfile.TemporaryDirectory(prefix="gg-trace-") as directory:
        place = Path(directory)
        (place / "bin").mkdir()
        found = asyncio.run(trace_chats(trace, place))
        found["a pull"] = asyncio.run(trace_pull(trace, place))
    sys.setprofile(None)
    print("| what | files | hops | calls |\n|---|---:|---:|---:|")
    for what, one in found.items():
        print(f"| {what} | {len(one.files)} | {one.hops} | {one.calls} |")
    if options.list:
        for what, one in found.items():
            print(f"\n{what}:")
            for file in sorted(one.files):
                print(f"  {Path(file).relative_to(PACKAGE)}")


if __name__ == "__main__":
    main()
