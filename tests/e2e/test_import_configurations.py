"""Models of imported configurations answer, with the real engine."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest
from tests.support import command_program
from tests.support.engines import EMBEDDED

from gglib.testing import write_tiny_gguf

if TYPE_CHECKING:
    from tests.e2e.conftest import Gglib
else:
    Gglib = object

pytestmark = pytest.mark.e2e
EXAMPLES = Path(__file__).parents[1] / "support" / "configurations"
PROGRAM = (sys.executable, command_program.__file__)


@pytest.fixture(name="port_elsewhere")
def serve_elsewhere() -> Iterator[int]:
    """Yield the port of a server that gglib did not start."""
    with subprocess.Popen([*PROGRAM, "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline().split()[-1])
        process.kill()


def test_imported_models_answer(gglib: Gglib, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By their names, aliases and profiles; the server that runs has them at once."""
    (tmp_path / "models").mkdir()
    for seed, name in enumerate(("chat", "embed", "talker", "vectors")):
        write_tiny_gguf(tmp_path / "models" / f"{name}.gguf", name=name, seed=seed + 10)
    for example in EXAMPLES.iterdir():
        shutil.copy(example, tmp_path)
    monkeypatch.setenv("SWAP_MODELS", str(tmp_path / "models"))
    gglib.command("import", "llama-swap", str(tmp_path / "llama-swap.yaml"), "--yes")
    gglib.command("import", str(tmp_path / "presets.ini"), "--yes")

    def chat(model: str) -> int:
        body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 6}
        reply = httpx2.post(f"{gglib.url}/v1/chat/completions", json=body, trust_env=False, timeout=60)
        assert reply.status_code == 200, reply.text
        tokens: int = reply.json()["usage"]["completion_tokens"]
        return tokens

    assert {name: chat(name) for name in ("chat", "gpt-4o-mini", "chat-again", "talker", "chatty")} == {
        "chat": 6,
        "gpt-4o-mini": 6,
        "chat-again": 6,
        "talker": 6,
        "chatty": 6,
    }
    assert (chat("chat:filters"), chat("chat:short")) == (8, 2)  # the filters override the request
    for name in ("embed", "vectors"):
        body = {"model": name, "input": "Hello"}
        reply = httpx2.post(f"{gglib.url}/v1/embeddings", json=body, trust_env=False, timeout=60)
        assert reply.status_code == 200, reply.text


@pytest.mark.only_engine(EMBEDDED)  # no engine runs
def test_imported_commands_and_urls_answer(gglib: Gglib, tmp_path: Path, port_elsewhere: int) -> None:
    """A command runs in the directory of its configuration, on the port that gglib chose; a URL is only reached."""
    command = f"{' '.join(PROGRAM)} --port ${{PORT}} --health /ready --start-on started"
    (tmp_path / "config.yaml").write_text(
        "models:\n"
        f"  command: {{cmd: '{command}', checkEndpoint: /ready, useModelName: own/name, aliases: [alias]}}\n"
        "peers:\n"
        f"  box: {{proxy: 'http://127.0.0.1:{port_elsewhere}', models: [far]}}\n"
    )
    gglib.command("import", "llama-swap", str(tmp_path / "config.yaml"), "--yes")
    for name in ("command", "alias", "far"):
        body = {"model": name, "messages": [{"role": "user", "content": "Hello"}]}
        reply = httpx2.post(f"{gglib.url}/v1/chat/completions", json=body, trust_env=False, timeout=60)
        assert reply.status_code == 200, reply.text
        assert reply.json()["choices"][0]["message"]["content"] == "one two three"
    (start,) = (tmp_path / "started").read_text().splitlines()
    assert json.loads(start)["arguments"][0] == "--port"
