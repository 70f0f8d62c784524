"""A machine as the documentation's pages assume it: models, a hub, an engine, files, and a second gglib, ``box``."""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest
from tests.support.preloaded import PreloadedProcess
from tests.support.waiting import LIMIT_S

from gglib.testing import (
    LocalHub,
    Script,
    install_scripted_server,
    write_tiny_gguf,
    write_tiny_lora,
    write_tiny_projector,
)

FIRST_MODEL = ("smollm2-135m",)
"""The catalogue of a newcomer."""
MODELS = (*FIRST_MODEL, "smollm2", "qwen-4b", "qwen-vl", "qwen3", "coder", "chat-small", "embed", "qwen-70b")
"""The models that pages name, beside those that they pull."""
REPOSITORIES = {
    "Qwen/Qwen2.5-Coder-7B-Instruct-GGUF": "qwen2.5-coder-7b-instruct-q4_k_m.gguf",
    "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF": "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    "bartowski/Llama-3.2-1B-Instruct-GGUF": "Llama-3.2-1B-Instruct-Q4_K_M.gguf",
    "bartowski/SmolLM2-360M-Instruct-GGUF": "SmolLM2-360M-Instruct-Q4_K_M.gguf",
}
FOREGROUND = re.compile(r"gglib (?:serve|up)\b")
"""Commands that serve until Ctrl-C; the following commands use their server."""
_ASKS = re.compile(r"in non-interactive mode: '(gglib [^']*)'")
"""The command that an error offers, where a terminal would ask."""
_READY = {"up": "Ctrl-C stops everything", "serve": "Listening on"}
"""What a command that serves prints at last."""
_ADDRESS = re.compile(r"https?://[\w.:]+:\d+")
_BOX = re.compile(r"\bbox:80[08]0\b|GGLIB_HOST=box ")
_SHELL = re.compile(r"[|<>&;$`~*]|^\w+=")
_PLAIN = re.compile(r"'[^']*'|\"[^\"$`]*\"| #.*")
"""What means nothing to a shell: quoted words, and comments. A gglib that no shell starts needs no new Python."""
_PROGRAM = "gglib"
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
"""Without the environment that the tests run in: no command of a page may change that."""
_SHOWN = 1_000
"""Characters of a failed command's output that are shown."""
_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c02"
    "0000000b4944415478da6364f80f00010501012718e3660000000049454e44ae426082"
)


@dataclass(slots=True)
class CommandError(Exception):
    """A command of a page that failed."""

    command: str
    output: str


class Server:
    """A gglib that serves in the foreground."""

    def __init__(self, command: list[str], *, env: Mapping[str, str], directory: Path) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in end()
        self._process = PreloadedProcess(
            command,
            env=dict(env),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self.url = self._read_address(command)

    def _read_address(self, command: list[str]) -> str:
        """Return the address that it prints, once it is ready."""
        assert self._process.stdout is not None
        address = ""
        for line in self._process.stdout:
            if line.startswith(("Listening on", "Serving")) and (found := _ADDRESS.search(line)):
                address = found[0].replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - it is only read
            if _READY[command[1]] in line:
                return address
        self._process.wait(LIMIT_S)
        self._errors.seek(0)
        raise CommandError(shlex.join(command), self._errors.read())

    def wait(self) -> None:
        """Return when it has ended."""
        self._process.wait(LIMIT_S)

    def end(self) -> None:
        """Stop it as Ctrl-C does; it must end in order."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.communicate(timeout=LIMIT_S)
        finally:
            self._process.kill()
            self._errors.close()
        assert self._process.returncode == 0

    @property
    def authority(self) -> str:
        """Its host and port."""
        return self.url.partition("://")[2]


@dataclass(slots=True)
class Machine:
    """What all pages share: the hub, homes to copy (of users, and of ``box``), and the key of ``box``."""

    root: Path
    hub: LocalHub
    programs: Path
    box_key: str = ""

    def environment(self, user: Path) -> dict[str, str]:
        """Return the environment of a user's commands: nothing of the tests' own gglib or clients."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GGLIB_", "HF_"))}
        return kept | {
            "HOME": str(user),
            "XDG_CONFIG_HOME": str(user / ".config"),
            "GGLIB_HOME": str(user / "home"),
            "PATH": f"{self.programs}:{_SYSTEM_PATH}",
            "HF_ENDPOINT": self.hub.url,
            "EDITOR": "true",
            "VISUAL": "true",
            "COLUMNS": "120",
        }


@contextlib.contextmanager
def shared_machine() -> Iterator[Machine]:
    """Make the machine; its paths are short, for the engines' sockets."""
    root = Path(tempfile.mkdtemp(prefix="gg-d-"))
    try:
        with LocalHub() as hub:
            for number, (repo, name) in enumerate(REPOSITORIES.items()):
                file = write_tiny_gguf(root / name, name=name, seed=100 + number)
                hub.add_repository(repo, {name: file.read_bytes()})
            machine = Machine(root=root, hub=hub, programs=_write_programs(root / "bin"))
            _fill(machine)
            yield machine
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _write_programs(directory: Path) -> Path:
    directory.mkdir()
    sources = {
        "gglib": f"#!{sys.executable}\nfrom gglib.cli import main\nmain()\n",
        "python": f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n',
    }
    for name, source in sources.items():
        (directory / name).write_text(source)
        (directory / name).chmod(0o755)
    return directory


def _fill(machine: Machine) -> None:
    """Make the homes that are copied: of a user with one model, of one with many, and of ``box``."""
    engine = install_scripted_server(machine.root / "engine", Script())
    for name, models in (("one", FIRST_MODEL), ("many", MODELS), ("box", ("chat",))):
        home = machine.root / name / "home"
        home.mkdir(parents=True)
        (home / "config.toml").write_text(f'engine = "{engine}"\nport = 0\n')
        user = User(machine, machine.root / name)
        for number, model in enumerate(models):
            file = write_tiny_gguf(machine.root / f"{model}.gguf", name=model, seed=number)
            extra = ""
            if model == "qwen-vl":
                extra = f" --mmproj {write_tiny_projector(machine.root / 'mmproj.gguf')}"
            user.run(f"gglib add {file} --name {model}{extra}")
    box = User(machine, machine.root / "box")
    box.run("gglib set chat --alias smollm2-135m")
    machine.box_key = box.run("gglib key new front --admin").strip()


@dataclass(slots=True)
class User:
    """A user of the machine, with a home of their own, and the server that runs for them."""

    machine: Machine
    path: Path
    server: Server | None = None
    box: "User | None" = None
    """The other machine, which starts when a command names it."""
    exported: dict[str, str] = field(default_factory=dict)
    last_id: str = ""

    @classmethod
    def new(cls, machine: Machine, *, is_newcomer: bool) -> Self:
        """Return a user with one model, or with those that pages name, and a directory with the files of pages."""
        user = cls._with_copy(machine, "one" if is_newcomer else "many")
        write_files(user.directory, user.path)
        return user

    @classmethod
    def _with_copy(cls, machine: Machine, name: str) -> Self:
        path = Path(tempfile.mkdtemp(prefix="u-", dir=machine.root))
        shutil.copytree(machine.root / name, path, dirs_exist_ok=True)
        return cls(machine, path)

    @property
    def directory(self) -> Path:
        """Where commands are typed."""
        made = self.path / "work"
        made.mkdir(exist_ok=True)
        return made

    @property
    def environment(self) -> dict[str, str]:
        """The environment of commands, with what the page exported."""
        return self.machine.environment(self.path) | self.exported

    def run(self, command: str) -> str:
        """Run a command as it is on the page, and return what it prints. Raises CommandError if it fails."""
        typed = self.here(command)
        if FOREGROUND.match(typed):
            self.serve(typed)
            return ""
        if exported := re.fullmatch(r"export (\w+)=(.+?)(?: +#.*)?", typed):
            self.exported[exported[1]] = self._run_in_shell(f"printf %s {exported[2]}")
            return ""
        try:
            output = self._run_typed(typed)
        except CommandError as failure:
            if (asks := _ASKS.search(failure.output)) is None:
                raise
            output = self._run_typed(asks[1])
        if found := re.search(r'"id": ?"([^"]+)"', output):
            self.last_id = found[1]
        if typed.startswith("gglib stop --server") and self.server is not None:
            self.server.wait()  # a Ctrl-C in its last moments would end it otherwise
        return output

    def _run_typed(self, typed: str) -> str:
        typed = re.sub(r" ~/", f" {shlex.quote(os.fspath(self.path))}/", typed)
        if not typed.startswith("gglib ") or _SHELL.search(_PLAIN.sub("", typed)):
            return self._run_in_shell(typed)
        return self._run(PreloadedProcess, [_PROGRAM, *shlex.split(typed, comments=True)[1:]], typed)

    def serve(self, command: str) -> None:
        """Run a command that serves, in place of the server that runs."""
        self.end()
        words = shlex.split(command, comments=True)
        self.server = Server([_PROGRAM, *words[1:]], env=self.environment, directory=self.directory)

    def end(self) -> None:
        """Stop the user's server."""
        if self.server is not None:
            server, self.server = self.server, None
            server.end()

    def leave(self) -> None:
        """Stop the user's server, and that of ``box``."""
        self.end()
        if self.box is not None:
            self.box.end()

    def _box(self) -> str:
        """Return the host and port of ``box``, whose gglib is started first."""
        if self.box is None:
            self.box = self._with_copy(self.machine, "box")
            self.box.serve("gglib serve")
        assert self.box.server is not None
        return self.box.server.authority

    def here(self, command: str) -> str:
        """Return a command or a program with the addresses and keys of this machine."""
        places = {
            "--ollama-port 11434": "--ollama-port 0",
            "--port 8443": "--port 0",
            "3f0c…": self.last_id,
            "KEY=sk-…": f"KEY={self.machine.box_key}",
            "KEY=…": f"KEY={self.machine.box_key}",
        }
        if self.server is not None:
            places["127.0.0.1:8080"] = self.server.authority
        if _BOX.search(command):
            box = self._box()
            places |= {
                "node add box:8080": f"node add {box} --name box",
                "box:8080": box,
                "box:8000": box,
                "GGLIB_HOST=box ": f"GGLIB_HOST={box} ",
            }
        for there, here in places.items():
            command = command.replace(there, here)
        return command

    def _run_in_shell(self, command: str) -> str:
        if re.match(r"curl\b", command):
            is_endless = "/events" in command
            limit = "1.5" if is_endless else str(LIMIT_S)
            command = re.sub(
                r"^curl\b", f"curl --silent --show-error --fail-with-body --max-time {limit}", command
            )
            if is_endless:
                command += " || [ $? = 28 ]"
        return self._run(subprocess.Popen, ["bash", "-euo", "pipefail", "-c", command], command)

    def _run(self, process_class: "type[subprocess.Popen[str]]", words: list[str], command: str) -> str:
        with process_class(
            words,
            env=self.environment,
            cwd=self.directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                stdout, stderr = process.communicate(_stdin_of(command), timeout=LIMIT_S)
            except subprocess.TimeoutExpired:
                raise CommandError(command, f"it did not end within {LIMIT_S:g} s") from None
            finally:
                process.kill()
        if process.returncode != 0:
            raise CommandError(command, f"exit code {process.returncode}: {(stdout + stderr)[-_SHOWN:]}")
        return stdout


def _stdin_of(command: str) -> str:
    """Return what is typed: a prompt for a chat, nothing elsewhere."""
    return "Hello\n" if re.search(r"\bgglib run\b", command) else ""


def write_files(directory: Path, home: Path) -> None:
    """Write the files that pages name: into the directory of the commands, and into the user's home."""
    (home / "models").mkdir()
    write_tiny_gguf(home / "models" / "own-Q4_K_M.gguf", name="own", seed=50)
    write_tiny_gguf(home / "models" / "coder-Q4_K_M.gguf", name="own coder", seed=51)
    (directory / "photo.jpg").write_bytes(_PNG)
    write_tiny_lora(directory / "style.gguf")
    (directory / "lines.txt").write_text("One\nTwo\n")
    (directory / "prompts").mkdir()
    (directory / "prompts" / "coder.txt").write_text("Answer with code.\n")
    (directory / "ggml-base.en.bin").write_bytes(b"lmgg")
    subprocess.run(["git", "init", "--quiet", str(directory)], check=True)
    model = home / "models" / "own-Q4_K_M.gguf"
    (directory / "config.yaml").write_text(
        f"models:\n  swapped:\n    cmd: llama-server -m {model} --port ${{PORT}}\n    aliases: [swapped-too]\n"
    )
    (directory / "presets.ini").write_text(f"version = 1\n\n[preset]\nmodel = {model}\n")


def require(*programs: str) -> None:
    """Skip a test where one of the programs is missing."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"needs the program {program}")
