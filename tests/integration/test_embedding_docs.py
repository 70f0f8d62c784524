"""Every program of docs/embedding.md runs unmodified, passes mypy, and does what the page says.

A block's first line names its file. All files are in one directory, as the page says, so that later ones import from
earlier ones. Sockets are real, on ports that the kernel chooses.
"""

import contextlib
import dataclasses
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gglib.testing import Script, install_scripted_server, read_record, write_tiny_gguf

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "embedding.md").read_text(encoding="utf-8")
SERVERS = ("proxy_alone.py", "counted.py", "beside_fastapi.py", "whole.py", "parts.py")
TESTS = ("test_fakes.py", "test_scripted.py", "test_real.py")
QUESTION = {"model": "mine", "messages": [{"role": "user", "content": "Hi"}]}
WHOLE_ANSWER = "t0 t1 t2 "
LIMIT_S = 60.0
"""Timeout for an action that takes a second on an idle machine."""


def programs(page: str) -> dict[str, str]:
    """Return the programs of a page by file name. Raises ValueError for a block without a name."""
    found: dict[str, str] = {}
    for block in re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        name = re.match(r"# (\w+\.py)\n", block)
        if name is None or name[1] in found:
            raise ValueError(f"the block {block[:60]!r} does not begin with the name of a file of its own")
        found[name[1]] = block
    return found


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with all programs of the page."""
    made = tmp_path_factory.mktemp("programs")
    for name, source in programs(PAGE).items():
        (made / name).write_text(source, encoding="utf-8")
    return made


def test_every_block_is_run_here() -> None:
    """Every program on the page has a test; every block has a name."""
    assert sorted(programs(PAGE)) == sorted((*SERVERS, *TESTS))
    with pytest.raises(ValueError, match="name of a file"):
        programs("```python\nprint()\n```\n")


def test_the_programs_are_typed(directory: Path) -> None:
    """They pass ``mypy --strict`` with the project's settings."""
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", *sorted(map(str, directory.glob("*.py")))],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_commands_before_the_programs_run(tmp_path: Path) -> None:
    """As they are written: they make a model and an engine, which are where the next line expects them."""
    found = re.search(r'^(python -c "from gglib.testing .*)$', PAGE, re.MULTILINE)
    assert found is not None
    _, *arguments = shlex.split(found[1])
    done = subprocess.run(
        [sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "bin/llama-server\n", "")
    assert (tmp_path / "bin" / "llama-server").is_file()
    assert (tmp_path / "tiny.gguf").is_file()


@contextlib.contextmanager
def running(*command: object, says: str, **environment: object) -> Iterator[str]:
    """Run a program for a block, and yield the address that it prints after ``says``; Ctrl-C must end it cleanly."""
    program = subprocess.Popen(
        [sys.executable, *map(str, command)],
        env={**os.environ, **{name: str(value) for name, value in environment.items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert program.stdout is not None
    try:
        lines = []
        for line in program.stdout:
            lines.append(line)
            if found := re.search(rf"{says} (http://127\.0\.0\.1:\d+)", line):
                break
        else:
            pytest.fail("".join(lines))
        yield found[1]
        program.send_signal(signal.SIGINT)
        output, _ = program.communicate(timeout=LIMIT_S)
        assert program.returncode == 0, "".join(lines) + output
    finally:
        program.kill()
        program.communicate()


@pytest.fixture
def engine_port() -> Iterator[str]:
    """Run a scripted llama-server and return its port."""
    command = ("-m", "gglib.testing.scripted_server", "--host", "127.0.0.1", "--port", "0")
    with running(*command, says="listening on") as url:
        yield url.rpartition(":")[2]


def chat(url: str, **extra: object) -> dict[str, Any]:
    """Return the JSON response to a prompt."""
    answer = httpx2.post(f"{url}/v1/chat/completions", json={**QUESTION, **extra}, timeout=LIMIT_S)
    shown: dict[str, Any] = answer.json()
    return shown


def said(answer: dict[str, Any]) -> str:
    """Return the text of a model's response."""
    text: str = answer["choices"][0]["message"]["content"]
    return text


def test_the_proxy_alone(directory: Path, engine_port: str) -> None:
    """It lists the model, forwards to the engine, and rejects other models."""
    with running(directory / "proxy_alone.py", engine_port, says="proxy at") as url:
        models = httpx2.get(f"{url}/v1/models").json()["data"]
        assert [model["id"] for model in models] == ["mine"]
        assert said(chat(url)) == WHOLE_ANSWER
        assert chat(url, model="other")["error"]["code"] == "model_not_found"


def test_a_runtime_that_counts(directory: Path, engine_port: str) -> None:
    """Of three parallel requests the third is refused with the runtime's own message; later ones are admitted."""
    slow = {"chunk_interval_s": 1.0}
    with (
        running(directory / "counted.py", engine_port, says="proxy at") as url,
        ThreadPoolExecutor() as pool,
    ):
        answers = list(pool.map(lambda _: chat(url, x_script=slow), range(3)))
        errors = [answer["error"]["message"] for answer in answers if "error" in answer]
        assert errors == ["Two answers are on their way already: try again later."]
        assert said(chat(url)) == WHOLE_ANSWER


def test_beside_fastapi(directory: Path, engine_port: str) -> None:
    """Application and proxy respond from one process, and stop together."""
    with running(directory / "beside_fastapi.py", engine_port, says="application at") as url:
        base_url = httpx2.get(f"{url}/llm").json()["base_url"]
        assert said(chat(base_url.removesuffix("/v1"))) == WHOLE_ANSWER
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{base_url}/models")


@pytest.mark.parametrize("program", ["whole.py", "parts.py"])
def test_the_whole_runtime(directory: Path, tmp_path: Path, program: str) -> None:
    """It launches the engine for a request, and leaves no process behind."""
    record = tmp_path / "record"
    engine = install_scripted_server(tmp_path / "bin", Script(record=str(record)))
    model = write_tiny_gguf(tmp_path / "model.gguf")
    command = (directory / program, tmp_path / "home", model)
    with running(*command, says="serving at", GGLIB_ENGINE=engine, HOME=tmp_path) as url:
        assert said(chat(url)) == WHOLE_ANSWER
    (started,) = read_record(record, "start")
    assert started["pid"] in [event["pid"] for event in read_record(record, "exit")]


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.e2e if "real" in n else ()) for n in TESTS]
)
def test_the_tests_of_the_page_pass(directory: Path, name: str) -> None:
    """They pass under pytest in a separate process, without this project's fixtures."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={directory}", name]
    ran = subprocess.run(
        command, cwd=directory, capture_output=True, text=True, check=False, timeout=2 * LIMIT_S
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_field_of_a_script_is_documented_with_its_default() -> None:
    """The table has the fields of the class in their order, and no others."""
    fields = [
        (field.name, repr({} if field.default is dataclasses.MISSING else field.default))
        for field in dataclasses.fields(Script)
    ]
    table = PAGE.partition("`Script` has these fields")[2].partition("\n\nFrom ")[0]
    assert re.findall(r"^\| `(\w+)` \| `(.*?)` \| \S", table, re.MULTILINE) == fields
