"""``gglib connect`` and ``launch`` with running servers, and with scripted programs in the place of the clients."""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from tests.support.preloaded import GGLIB, PreloadedProcess
from tests.support.waiting import LIMIT_S, wait_until

from gglib.app.clients.table import CLIENTS
from gglib.cli.app import cli
from gglib.testing import write_tiny_encoder, write_tiny_gguf

from .conftest import Home

PROGRAMS = [client for client in CLIENTS if client.program is not None]
FAKE = """#!{python}
import json, os, sys, time
record = {{"argv": sys.argv, "environment": dict(os.environ), "pid": os.getpid()}}
with open({record!r} + ".new", "w") as file:
    json.dump(record, file)
os.rename({record!r} + ".new", {record!r})
if "wait" in sys.argv:
    time.sleep(600)
print("the client's output")
sys.exit(7 if "fail" in sys.argv else 0)
"""
SIGNAL_FAKE = """#!/bin/sh
grep SigIgn /proc/$$/status
"""


class User:
    """A user with a home of its own, and a directory of scripted clients on the PATH."""

    def __init__(self, path: Path, home: Home) -> None:
        self.path = path
        self.home = home
        self.bin = path / "bin"
        self.bin.mkdir()
        self.record = path / "record.json"
        home.variables |= {"HOME": str(path), "PATH": f"{self.bin}:/usr/bin:/bin"}

    def install(self, executable: str) -> None:
        """Install a scripted client."""
        program = self.bin / executable
        program.write_text(FAKE.format(python=sys.executable, record=str(self.record)))
        program.chmod(0o755)

    @property
    def seen(self) -> dict[str, Any]:
        """What the scripted client saw."""
        seen: dict[str, Any] = json.loads(self.record.read_text())
        return seen


@pytest.fixture
def user(stocked: Home) -> Iterator[User]:
    """Yield a user of a home with the model ``tiny``; their own variables for clients are not set."""
    path = Path(tempfile.mkdtemp(prefix="gu-"))
    for variable in ("XDG_CONFIG_HOME", "CODEX_HOME", "ANTHROPIC_API_KEY"):
        os.environ.pop(variable, None)
    yield User(path, stocked)
    shutil.rmtree(path)


def test_all_clients_are_listed(home: Home) -> None:
    """Without a catalogue, a server or a key; as a table and as JSON."""
    table = home.ok("connect").splitlines()
    assert len(table) == len(CLIENTS) + 2
    assert table[0].split() == ["NAME", "CLIENT", "SPEAKS", "HOW", "TESTED"]
    assert [client["name"] for client in json.loads(home.ok("connect", "--json"))] == [
        client.name for client in CLIENTS
    ]
    done = home.run("connect", "--model", "tiny")
    assert (done.returncode, "Name the client" in done.stderr) == (2, True)


def test_launch_alone_lists_the_programs(home: Home) -> None:
    """Not only that one is missing."""
    done = home.run("launch")
    assert (done.returncode, "Name a program: claude, codex, " in done.stderr) == (2, True)


def test_settings_are_for_the_running_server(user: User) -> None:
    """Its real port, its model, and the context of the model; only the text is on stdout."""
    user.home.ok("set", "tiny", "--ctx", "4096")
    with user.home.serving() as server:
        done = user.home.run("connect", "aider")
        assert done.stdout.splitlines() == [
            f"export OPENAI_API_BASE={server.url}/v1",
            'export OPENAI_API_KEY="gglib"',
            "aider --model openai/tiny",
        ]
        assert f"Settings for gglib at {server.url}: model 'tiny', context 4096." in done.stderr
        assert "gglib launch aider" in done.stderr
        found = json.loads(user.home.ok("connect", "opencode", "--json"))
        assert (found["url"], found["is_running"], found["context"]) == (server.url, True, 4096)
        assert found["file"]["path"] == f"{user.path}/.config/opencode/opencode.json"
        assert json.loads(found["text"])["provider"]["gglib"]["models"]["tiny"]["limit"]["context"] == 4096
        assert "Did you mean tiny?" in user.home.refused("connect", "codex", "--model", "tinny")


def test_without_a_server_the_configured_address_is_shown(user: User) -> None:
    """And said to be that; a port that is chosen at the start cannot be known."""
    assert "start it first" in user.home.refused("connect", "codex")
    user.home.variables |= {"GGLIB_PORT": "18765", "GGLIB_HOST": "0.0.0.0", "GGLIB_API_KEY": "a-long-key"}  # noqa: S104
    done = user.home.run("connect", "curl", "--key-env", "MY_KEY")
    assert "http://127.0.0.1:18765, which is not running" in done.stderr
    assert 'Bearer $MY_KEY"' in done.stdout
    assert "a-long-key" not in done.stdout + done.stderr
    assert "'none'" in user.home.refused("connect", "curl", "--model", "none")
    user.home.ok("add", str(write_tiny_encoder(user.path / "vectors.gguf")))
    assert "does not chat" in user.home.refused("connect", "curl", "--model", "vectors")


def test_a_file_is_written_after_its_diff(user: User) -> None:
    """Everything else in it stays; without a terminal ``--yes`` is required; a second time nothing changes."""
    path = user.path / ".pi" / "agent" / "models.json"
    path.parent.mkdir(parents=True)
    path.write_text('{\n  "providers": {\n    "mine": {} // kept\n  }\n}\n')
    with user.home.serving() as server:
        done = user.home.run("connect", "pi", "--write")
        assert '+    "gglib": {' in done.stdout
        assert "Nothing was written in non-interactive mode: 'gglib connect pi --write --yes'" in done.stderr
        assert "gglib" not in path.read_text()
        shown = user.home.ok("connect", "pi", "--write", "--yes")
        assert f"Wrote {path}. The old file is models.json.gglib-backup.\n" in shown
        assert "Start it with: pi --provider gglib --model tiny\n" in shown
        written = path.read_text()
        assert '    "mine": {}, // kept\n' in written
        assert f"{server.url}/v1" in written
        assert user.home.ok("connect", "pi", "--write", "--yes") == f"{path} has these settings.\n"
        assert len(list(path.parent.iterdir())) == 2


def test_a_broken_file_is_left_alone_and_the_text_is_shown(user: User) -> None:
    """So is a client without a file."""
    path = user.path / ".pi" / "agent" / "models.json"
    path.parent.mkdir(parents=True)
    path.write_text("{ broken")
    with user.home.serving():
        done = user.home.run("connect", "pi", "--write", "--yes")
        assert (done.returncode, path.read_text()) == (1, "{ broken")
        assert f"{path} cannot be changed (it is not JSON: line 1)" in done.stderr
        assert json.loads(done.stdout)["providers"]["gglib"]
        assert "no file that gglib can change" in user.home.refused("connect", "curl", "--write")
        assert user.home.run("connect", "pi", "--write", "--json").returncode == 2


def test_a_question_at_a_terminal_is_answered(user: User) -> None:
    """``n`` writes nothing."""
    with user.home.serving():
        for answer, is_written in ((b"n\n", False), (b"\n", True)):
            terminal, end = pty.openpty()
            process = PreloadedProcess(
                [*GGLIB, "connect", "codex", "--write"],
                stdin=end,
                stdout=end,
                stderr=end,
                env=user.home.environment,
            )
            os.close(end)
            os.write(terminal, answer)
            shown = b""
            while chunk := _read(terminal):
                shown += chunk
            assert process.wait(LIMIT_S) == (0 if is_written else 1)
            os.close(terminal)
            assert b"gglib.config.toml? [Y/n]" in shown.replace(b"\r\n", b"")
            assert (user.path / ".codex" / "gglib.config.toml").exists() == is_written


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # EIO: Linux, when the other end of the terminal is closed
        return b""


def test_each_program_is_started_with_the_server(user: User) -> None:
    """Each finds address, model and key in its arguments, environment and files, and its exit code is the command's."""
    user.home.variables["ANTHROPIC_API_KEY"] = "a-key-for-another-service"
    with user.home.serving() as server:
        for client in PROGRAMS:
            assert client.program is not None
            user.install(client.program.executable)
            done = user.home.process("launch", client.name, "--flag", "fail", "-x", "--", "--model", "theirs")
            assert (done.returncode, done.stdout) == (7, "the client's output\n"), client.name
            argv, environment = user.seen["argv"], user.seen["environment"]
            assert argv[0] == str(user.bin / client.program.executable)
            assert argv[-5:] == ["--flag", "fail", "-x", "--model", "theirs"]
            directory = user.home.path / "clients"
            shown = f"{argv} {environment} {[path.read_text() for path in directory.rglob('*.*')]}"
            assert server.url in shown, client.name
            assert "tiny" in shown, client.name
            assert ("a-key-for-another-service" in shown) == (client.name != "claude")


def test_a_launch_replaces_the_process(user: User) -> None:
    """Signals reach the client itself."""
    user.install("llm")
    with user.home.serving():
        process = subprocess.Popen(
            [sys.executable, "-m", "gglib", "launch", "llm", "wait"], env=user.home.environment
        )
        wait_until(user.record.exists)
        assert user.seen["pid"] == process.pid
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == -signal.SIGTERM


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to see ignored signals")
def test_a_client_has_the_default_signals(user: User) -> None:
    """Python ignores SIGPIPE, and a program that it starts would inherit that."""
    program = user.bin / "llm"
    program.write_text(SIGNAL_FAKE)
    program.chmod(0o755)
    with user.home.serving():
        ignored = int(user.home.process("launch", "llm").stdout.split()[-1], 16)
    assert not ignored & 1 << (signal.SIGPIPE - 1)


def test_a_launch_gets_the_key_of_the_settings(user: User) -> None:
    """The first that may use the model, without admin rights if there is one; a variable of the user comes first."""
    user.install("llm")
    user.home.set('[api_keys]\nalice = "alice-long-key"')
    user.home.set('[api_keys.bob]\nkey = "bob-long-key"\nmodels = ["ti*"]')
    (user.home.path / "config.toml").chmod(0o600)
    with user.home.serving():
        user.home.process("launch", "llm")
        assert user.seen["environment"]["OPENAI_API_KEY"] == "bob-long-key"
        user.home.variables["GGLIB_CLIENT_KEY"] = "own-long-key"
        user.home.process("launch", "llm")
        assert user.seen["environment"]["OPENAI_API_KEY"] == "own-long-key"
        assert "not set" in user.home.refused("launch", "--key-env", "NONE", "llm")
        dry = user.home.run("launch", "--dry-run", "llm")
        assert 'OPENAI_API_KEY="$GGLIB_CLIENT_KEY"' in dry.stdout
        assert "long-key" not in dry.stdout + dry.stderr
        shown = user.home.run("connect", "codex")
        assert 'env_key = "GGLIB_CLIENT_KEY"' in shown.stdout
        assert "the access key 'bob' from your settings, or for one of: alice." in shown.stderr


def test_keys_that_only_the_server_knows_need_no_setting(user: User) -> None:
    """Keys in the environment of ``serve``: a launch uses the key of gglib's own commands."""
    user.install("llm")
    user.home.variables["GGLIB_API_KEY"] = "the-servers-key"
    with user.home.serving():
        del user.home.variables["GGLIB_API_KEY"]
        user.home.process("launch", "llm")
        key = user.seen["environment"]["OPENAI_API_KEY"]
        assert key not in {"gglib", "the-servers-key"}
        assert "$GGLIB_CLIENT_KEY stands for your access key." in user.home.run("connect", "aider").stderr


def test_a_remote_server_is_used_with_its_key(user: User) -> None:
    """Address, model and context come from the server; the home of this machine is not opened."""
    user.install("codex")
    user.home.set('[api_keys.bob]\nkey = "bob-long-key"')
    (user.home.path / "config.toml").chmod(0o600)
    here = Path(tempfile.mkdtemp(prefix="gg-"))
    with user.home.serving() as server:
        user.home.variables |= {"GGLIB_HOME": str(here), "BOX_KEY": "bob-long-key"}
        remote = ("--url", server.url, "--key-env", "BOX_KEY")
        shown = user.home.run(*remote, "connect", "codex")
        assert 'env_key = "BOX_KEY"' in shown.stdout
        assert "$BOX_KEY stands for your access key." in shown.stderr
        user.home.process(*remote, "launch", "codex", "exec", "Hi")
    assert user.seen["environment"]["GGLIB_CLIENT_KEY"] == "bob-long-key"
    assert f'model_providers.gglib.base_url="{server.url}/v1"' in user.seen["argv"]
    assert user.seen["argv"][-2:] == ["exec", "Hi"]
    assert not (here / "gglib.db").exists()
    shutil.rmtree(here)


def test_the_model_is_chosen_as_for_requests(user: User) -> None:
    """One of several has to be named, be in memory, or be the default; a profile is a model of its own."""
    user.install("llm")
    user.home.ok(
        "add", str(write_tiny_gguf(user.path / "other.gguf", seed=3)), "--name", "other", "--alias", "o"
    )
    user.home.ok("profile", "set", "precise", "--model", "other", "--temperature", "0")
    with user.home.serving():
        assert "with --model: tiny, other." in user.home.refused("launch", "llm")
        for name, expected in (("o", "other"), ("other:precise", "other:precise")):
            user.home.process("launch", "--model", name, "llm")
            assert user.seen["environment"]["LLM_MODEL"] == f"gglib/{expected}"
        user.home.ok("load", "tiny")
        user.home.process("launch", "llm", "--model", "tiny")
        user.home.process("launch", "llm")
        assert user.seen["environment"]["LLM_MODEL"] == "gglib/tiny"
    user.home.variables["GGLIB_DEFAULT_MODEL"] = "other"
    with user.home.serving():
        user.home.process("launch", "llm")
        assert user.seen["environment"]["LLM_MODEL"] == "gglib/other"


def test_what_prevents_a_launch_is_one_sentence(user: User) -> None:
    """No server, no program, no such program; a prompt that does not fit is a warning only."""
    assert "'gglib up'" in user.home.refused("launch", "claude")
    user.home.ok("set", "tiny", "--ctx", "4096")
    with user.home.serving():
        assert "npm install -g @openai/codex" in user.home.refused("launch", "codex")
        assert "gglib connect zed" in user.home.refused("launch", "zed")
        done = user.home.run("launch", "--dry-run", "claude")
        assert "Warning: The first prompt of Claude Code" in done.stderr
        assert "'gglib set tiny --ctx 32768' gives it more." in done.stderr
        assert "claude" in done.stdout
        assert not (user.home.path / "clients").exists()
        assert "pi.registerProvider" in user.home.ok("launch", "--dry-run", "pi")


def test_the_options_of_launch_are_its_own() -> None:
    """No short ones: those are the client's."""
    command = cli.get_command(click.Context(cli), "launch")
    assert command is not None
    options = {
        option for parameter in command.get_params(click.Context(command)) for option in parameter.opts
    }
    assert not [option for option in options if option.startswith("-") and not option.startswith("--")]
