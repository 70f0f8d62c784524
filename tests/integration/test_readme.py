"""Commands copied from the README work unmodified."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import click
import httpx2
import pytest

from gglib.app.clients.table import CLIENTS
from gglib.cli.app import cli
from gglib.cli.command_names import COMMANDS
from gglib.testing import install_scripted_server, write_tiny_gguf

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
BASE_URL = "http://127.0.0.1:8080"
LIMIT_S = 60.0


def lines_of(page: str) -> list[str]:
    """Return the shell lines of a page: continued lines are joined, and several commands on a line are split."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [part.strip() for line in lines for part in re.split(r"&&|;", line) if part.strip()]


GGLIB_LINES = [line for line in lines_of(README) + lines_of(PAGE) if line.startswith("gglib ")]


def test_the_pages_have_commands() -> None:
    """The other tests have something to check."""
    assert len(GGLIB_LINES) >= 3


@pytest.mark.parametrize("line", GGLIB_LINES)
def test_every_command_takes_these_arguments(line: str) -> None:
    """The parser accepts each line unmodified."""
    root = cli.make_parser(click.Context(cli))
    _, (name, *arguments), _ = root.parse_args(shlex.split(line, comments=True)[1:])
    assert name in COMMANDS
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    command.make_context(name, arguments)


def test_every_make_target_exists() -> None:
    """``make up`` and the other targets exist in the Makefile."""
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = re.findall(r"(?<=`make )[a-z-]+", README)
    assert named
    assert set(named) <= set(targets)


def test_the_clients_are_those_that_gglib_connect_knows() -> None:
    """The README lists clients of the table by their titles."""
    table = README.partition("\n## Clients\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (?:any )?([A-Z][\w ]*?) \|", table, re.MULTILINE)
    assert len(rows) > 5
    assert set(rows) - {"Client"} <= {client.title for client in CLIENTS}
    assert any(line.startswith("curl ") for line in lines_of(table))


def test_the_programs_of_launch_are_named() -> None:
    """By the names on the command line; the number of clients is that of the table."""
    table = README.partition("\n## Clients\n")[2].partition("\n## ")[0]
    programs = {client.name for client in CLIENTS if client.program is not None}
    assert programs <= {*re.findall(r"`(\w+)`", table), "claude"}
    assert f"[{len(CLIENTS)} clients]" in table
    assert f"`gglib connect` lists {len(CLIENTS)} clients" in CHANGELOG


def test_the_curl_line_is_answered(tmp_path: Path) -> None:
    """The README's request, sent to a gglib with a model of the starter model's name, gets a complete response."""
    (line,) = [line for line in lines_of(README) if line.startswith("curl ")]
    _, url, header_option, header, body_option, body = shlex.split(line)
    assert (header_option, body_option) == ("-H", "-d")
    name, _, value = header.partition(": ")
    home = {
        "GGLIB_HOME": str(tmp_path / "home"),
        "GGLIB_ENGINE": str(install_scripted_server(tmp_path / "bin")),
    }
    environment = {**os.environ, **home}
    gglib = [sys.executable, "-u", "-m", "gglib"]
    model = write_tiny_gguf(tmp_path / "model.gguf")
    subprocess.run(
        [*gglib, "add", str(model), "--name", "smollm2-135m"], env=environment, check=True, timeout=LIMIT_S
    )
    server = subprocess.Popen(
        [*gglib, "serve", "--port", "0"], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        served = next(found[0] for line in server.stdout if (found := re.search(r"http://[\d.:]+\d", line)))
        answer = httpx2.post(
            url.replace(BASE_URL, served), headers={name: value}, content=body, timeout=LIMIT_S
        )
        assert answer.status_code == 200
        assert answer.json()["choices"][0]["message"]["content"]
        server.send_signal(signal.SIGINT)
        assert server.wait(LIMIT_S) == 0
    finally:
        server.kill()
        server.communicate()
