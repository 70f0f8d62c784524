"""The choice of the engine, with real programs in its place: broken, foreign, slow and replaced ones."""

import os
import select
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.waiting import is_alive, wait_until

from gglib.core.errors import EngineBrokenError, EngineNotFoundError
from gglib.core.runtime.engine_choice import EMBEDDED
from gglib.runtime.engines import EmbeddedEngine, LlamaServerEngine, find_engine, program_output
from gglib.runtime.engines.llama_cpp import server
from gglib.runtime.engines.llama_cpp.help_page import NEEDED_OPTIONS
from gglib.runtime.engines.program_output import MAX_OUTPUT_BYTES, ProgramOutput, run_program
from gglib.testing import Script, install_scripted_server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="makes broken programs out of Linux's own")

NAME = "llama-server"
AARCH64 = (183).to_bytes(2, "little")
"""The machine number in an ELF header; on that machine another one is used."""
X86_64 = (62).to_bytes(2, "little")


def _script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _without_library(path: Path) -> None:
    """Write a program that needs a missing library."""
    content = Path(shutil.which("ls") or "/bin/ls").read_bytes()
    assert content.count(b"\0libc.so.6\0") == 1
    path.write_bytes(content.replace(b"\0libc.so.6\0", b"\0libx.so.6\0"))
    path.chmod(0o755)


def _of_another_machine(path: Path) -> None:
    content = bytearray(Path(shutil.which("ls") or "/bin/ls").read_bytes())
    content[18:20] = X86_64 if bytes(content[18:20]) == AARCH64 else AARCH64
    path.write_bytes(content)
    path.chmod(0o755)


def _linked(program: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(shutil.which(program) or program)


def _not_executable(path: Path) -> None:
    path.write_text("#!/bin/sh\n")


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a library is missing": (
        _without_library,
        "error while loading shared libraries: libx.so.6: cannot open shared object file: No such file or directory",
    ),
    "true": (
        lambda path: _script(path, "#!/bin/sh\nexit 0\n"),
        "its output for '--help' is empty, so it is not llama-server",
    ),
    "ls": (
        _linked("ls"),
        "it is not llama-server: its output for '--help' has none of llama-server's options",
    ),
    "another machine's": (
        _of_another_machine,
        "it is not a program for this system and processor (Exec format error)",
    ),
    "a script that fails": (
        lambda path: _script(path, "#!/bin/sh\necho 'no GPU here' >&2\nexit 7\n"),
        "no GPU here",
    ),
    "a script that fails silently": (
        lambda path: _script(path, "#!/bin/sh\nexit 7\n"),
        "the engine exited with code 7",
    ),
    "a crash": (
        lambda path: _script(path, "#!/bin/sh\nkill -ILL $$\n"),
        (
            "the engine was killed by signal 4 (SIGILL): it was built for another processor; "
            "install a build of llama.cpp for this processor"
        ),
    ),
    "a script without a first line": (
        lambda path: _script(path, "echo hello\n"),
        "it is not a program for this system and processor (Exec format error)",
    ),
    "empty": (
        lambda path: _script(path, ""),
        "it is not a program for this system and processor (Exec format error)",
    ),
    "an interpreter that is missing": (
        lambda path: _script(path, "#!/nowhere/python\n"),
        "the interpreter or dynamic loader that it names is missing (No such file or directory)",
    ),
    "another program of llama.cpp's": (
        lambda path: _script(path, "#!/bin/sh\necho '-m, --model FILE  -c, --ctx-size N'\n"),
        (
            "it is not a llama-server that gglib can use: its '--help' lacks --alias, --host, --port, --api-key-file, "
            "--parallel"
        ),
    ),
}
NO_PROGRAM: dict[str, tuple[Callable[[Path], object], str]] = {
    "not executable": (_not_executable, "it is not executable"),
    "a directory": (lambda path: path.mkdir(), "it is a directory, not the program in it"),
    "a link to nothing": (
        lambda path: path.symlink_to("/nowhere/llama-server"),
        "the file that it links to does not exist",
    ),
    "a FIFO": (os.mkfifo, "it is not a regular file"),
}


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the first directory of the PATH; the programs that scripts need come after it."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return directory / NAME


@pytest.mark.parametrize(
    ("make", "why"), [*BROKEN.values(), *NO_PROGRAM.values()], ids=[*BROKEN, *NO_PROGRAM]
)
def test_a_broken_program_is_passed_over_on_the_path_and_refused_where_it_is_configured(
    make: Callable[[Path], object], why: str, on_path: Path
) -> None:
    """The warning of the embedded engine and the error both state the real cause."""
    make(on_path)
    engine = find_engine()
    assert engine.kind == "embedded"
    assert engine.warning == (
        f"{on_path} is on the PATH but cannot be used: {why}. "
        "The embedded engine is used instead: reinstall llama.cpp, or remove that file."
    )
    with pytest.raises(EngineBrokenError) as caught:
        find_engine(on_path)
    assert str(caught.value) == (
        f"The engine {on_path} cannot be used: {why}; reinstall llama.cpp, or use the engine that comes with gglib: "
        "'gglib serve --engine embedded'."
    )


def test_a_program_that_hangs_or_never_ends_its_answer_is_ended(
    on_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the limit it is killed with all its children; its output is bounded."""
    monkeypatch.setattr(server, "HELP_TIMEOUT_S", 0.5)
    pids = on_path.with_name("pid")
    _script(on_path, f"#!/bin/sh\nsleep 1000 & echo $! > {pids}\nwait\n")
    assert "does not respond to '--help' within 0 s" in (find_engine().warning or "")
    pid = int(pids.read_text())
    wait_until(lambda: not is_alive(pid))
    _script(on_path, "#!/bin/sh\nexec yes\n")
    assert "is not llama-server" in (find_engine().warning or "")
    assert len(run_program([on_path, "--help"], limit_s=20).text) <= MAX_OUTPUT_BYTES + 65_536


def test_a_program_that_leaves_a_child_behind_is_asked_in_time(on_path: Path) -> None:
    """A child that keeps the output open after the program's end is killed, and the output counts."""
    pids = on_path.with_name("pid")
    _script(on_path, f"#!/bin/sh\nsleep 1000 & echo $! > {pids}\necho {' '.join(NEEDED_OPTIONS)}\n")
    answer = run_program([on_path, "--help"], limit_s=0.5)
    assert answer.text.split() == list(NEEDED_OPTIONS)
    pid = int(pids.read_text())
    wait_until(lambda: not is_alive(pid))


def test_a_whole_program_is_used_without_a_warning(on_path: Path) -> None:
    """A program on the PATH or configured is used; the embedded engine only if configured or without another."""
    install_scripted_server(on_path.parent)
    for engine in (find_engine(), find_engine(on_path)):
        assert (engine.kind, engine.warning) == ("llama-server", None)
    assert (find_engine(EMBEDDED).kind, find_engine(EMBEDDED).warning) == ("embedded", None)
    on_path.unlink()
    assert (find_engine().kind, find_engine().warning) == ("embedded", None)
    with pytest.raises(EngineBrokenError, match="it does not exist"):
        find_engine(on_path)


def test_without_the_wheel_a_broken_program_is_the_error(
    on_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no fallback; without a program either, the error names what to install."""
    monkeypatch.setattr(EmbeddedEngine, "is_installed", staticmethod(lambda: False))
    with pytest.raises(EngineNotFoundError, match="run 'pip install xllamacpp', or install"):
        find_engine()
    with pytest.raises(EngineNotFoundError, match="run 'pip install xllamacpp'"):
        find_engine(EMBEDDED)
    _without_library(on_path)
    with pytest.raises(EngineBrokenError, match=r"libx\.so\.6"):
        find_engine()


def test_a_program_is_asked_once_and_again_when_its_file_changed(tmp_path: Path) -> None:
    """An upgrade of the program or its libraries under a running gglib changes its options or breaks it."""
    program = install_scripted_server(tmp_path)
    asked: list[str] = []

    def counted(question: str) -> ProgramOutput:
        asked.append(question)
        return run_program([program, question], limit_s=20)

    engine = LlamaServerEngine(program, reason="test", run=counted)
    assert "--slots" in engine.known_options
    assert "--slots" in engine.known_options
    assert engine.description == engine.description == f"{program} (11549 (scripted))"
    assert asked == ["--help", "--version"]
    install_scripted_server(tmp_path, Script(lacks_options=("--slots",)))
    assert "--slots" not in engine.known_options
    assert asked == ["--help", "--version", "--help"]
    (tmp_path / "libllama.so").write_bytes(b"new")
    assert "--slots" not in engine.known_options
    assert asked == ["--help", "--version", "--help", "--help"]
    _without_library(program)
    with pytest.raises(EngineBrokenError, match=r"libx\.so\.6"):
        _ = engine.known_options
    program.unlink()
    with pytest.raises(EngineBrokenError, match="it cannot be found"):
        _ = engine.known_options
    install_scripted_server(tmp_path)
    assert "--slots" in engine.known_options


def test_last_output_before_the_exit_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if the program writes and exits between a poll and the check whether it has exited."""
    poll = select.select
    missed: list[bool] = []
    has_exited = program_output._has_exited

    def late(*arguments: Any) -> Any:
        if not missed and arguments[3]:  # it waits: the program was still running
            missed.append(True)
            wait_until(lambda: os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None)
            return [], [], []
        return poll(*arguments)

    monkeypatch.setattr(select, "select", late)
    monkeypatch.setattr(program_output, "_has_exited", lambda pid: bool(missed) and has_exited(pid))
    assert run_program(["/bin/echo", "devices"], limit_s=20).text == "devices\n"
