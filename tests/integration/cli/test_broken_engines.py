"""What doctor, serve and up report when llama-server is installed but broken."""

import http.client
import json
import os
import shutil
import signal
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gglib.testing import Script, install_scripted_server

from .conftest import Home

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="makes a broken program out of Linux's own")

LOADER = "error while loading shared libraries: libx.so.6: cannot open shared object file: No such file or directory"


@pytest.fixture
def broken(stocked: Home) -> Path:
    """Put a llama-server that lacks a shared library first on the PATH, configure no engine, and return its path."""
    program = stocked.path / "broken" / "llama-server"
    program.parent.mkdir()
    content = Path(shutil.which("ls") or "/bin/ls").read_bytes()
    program.write_bytes(content.replace(b"\0libc.so.6\0", b"\0libx.so.6\0"))
    program.chmod(0o755)
    stocked.variables["PATH"] = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    (stocked.path / "config.toml").write_text("port = 0\n")
    return program


def engine_check(home: Home) -> dict[str, str]:
    """Return doctor's check of the engine."""
    found: list[dict[str, str]] = json.loads(home.run("doctor", "--json").stdout)
    return next(result for result in found if result["name"] == "engine")


def chat_error(url: str) -> dict[str, str]:
    """Send a chat request that must fail, and return the error."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    body = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}]}
    connection.request("POST", "/v1/chat/completions", json.dumps(body))
    with closing(connection), connection.getresponse() as response:
        error: dict[str, str] = json.loads(response.read())["error"]
    return error


def test_doctor_says_the_loaders_sentence_and_what_is_used_instead(stocked: Home, broken: Path) -> None:
    """On the PATH a broken engine is a warning, since the embedded engine serves; a configured one is a failure."""
    check = engine_check(stocked)
    assert check["verdict"] == "warn"
    assert check["detail"].startswith(
        f"{broken} is on the PATH but cannot be used: {LOADER}. The embedded engine"
    )
    stocked.set(f'engine = "{broken}"')
    check = engine_check(stocked)
    assert check["verdict"] == "fail"
    assert check["detail"] == (
        f"The engine {broken} cannot be used: {LOADER}; reinstall llama.cpp, or use the engine that comes with gglib: "
        "'gglib serve --engine embedded'."
    )


def test_a_broken_program_on_the_path_does_not_keep_models_from_answering(
    stocked: Home, broken: Path
) -> None:
    """``up`` and ``serve`` use the embedded engine, and give the reason on stderr and in the log."""
    with stocked.foreground("up", "--port", "0", first_words="Serving  http") as running:
        assert running.process.stdout is not None
        assert any(line.startswith("Answer") for line in running.process.stdout)
        assert running.end(signal.SIGINT) == 0
    said = (stocked.path / "stderr.txt").read_text()
    assert f"Warning: {broken} is on the PATH but cannot be used: {LOADER}." in said
    assert "gglib rm" not in said
    with stocked.foreground("serve", first_words="Listening on http") as running:
        assert running.end(signal.SIGINT) == 0
    assert f"{broken} is on the PATH but cannot be used" in (stocked.path / "stderr.txt").read_text()
    assert (stocked.path / "logs" / "gglib.log").read_text().count("is on the PATH but cannot be used") == 2


@pytest.mark.parametrize("command", [("up",), ("serve",), ("run", "tiny", "Hello")])
def test_a_configured_program_that_is_broken_is_one_sentence(
    stocked: Home, broken: Path, command: tuple[str, ...]
) -> None:
    """The configured engine is not replaced by another, and the error does not blame the model."""
    stocked.set(f'engine = "{broken}"')
    sentence = stocked.refused(*command)
    assert sentence.startswith(f"The engine {broken} cannot be used: {LOADER}; ")
    assert "gglib rm" not in sentence
    stocked.set("")
    with stocked.foreground("serve", "--engine", "embedded", first_words="Listening on http") as running:
        assert running.end(signal.SIGINT) == 0


def test_a_binary_that_breaks_under_a_running_gglib_is_named_to_clients_without_its_path(
    stocked: Home,
) -> None:
    """After a failed upgrade the error of the request has the loader's message; only the log has the path."""
    with stocked.serving() as server:
        program = install_scripted_server(stocked.path / "bin", Script())
        content = Path(shutil.which("ls") or "/bin/ls").read_bytes()
        program.write_bytes(content.replace(b"\0libc.so.6\0", b"\0libx.so.6\0"))
        error = chat_error(server.url)
    assert error["code"] == "engine_broken"
    assert error["message"].startswith(f"The engine llama-server cannot be used: {LOADER}; ")
    assert str(program) in (stocked.path / "logs" / "gglib.log").read_text()
