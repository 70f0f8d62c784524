"""TAB in real shells, with a home of odd names."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.support.terminal import ENTER, TAB, Terminal, terminal

from gglib.core.models import GgufFacts, ModelSource, NewModel
from gglib.core.profiles import Profile
from gglib.db.catalog import SqliteCatalog

ZSH_FOLDER = (
    "mkdir functions; gglib completion zsh > functions/_gglib; fpath=($PWD/functions $fpath); "
    "autoload -Uz compinit; compinit -u -d $PWD/functions/dump"
)
SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
INSTALL = {
    "bash": 'eval "$(gglib completion bash)"',
    "zsh": 'eval "$(gglib completion zsh)"',
    "fish": "gglib completion fish | source",
}
# Shows the words that a command gets after the shell's own quoting; zsh removes the slash after a directory.
PROGRAM = """#!/bin/sh
case "$1" in
    __complete|completion) exec "{python}" -m gglib "$@" ;;
esac
printf '<'; for word in "$@"; do printf '[%s]' "${{word%/}}"; done; printf '>\\n'
"""
MODELS = ("smollm2", "my model", "llama3:8b", "it's-$HOME", "Große-7B")
CASES = (
    ("gglib lis", "[list]"),
    ("gglib pull --dis", "[pull][--discard]"),
    ("gglib run smoll", "[run][smollm2]"),
    ("gglib run SMOLL", "[run][smollm2]"),
    ("~/gglib run smoll", "[run][smollm2]"),  # this program, not the one of the PATH
    ("gglib show llama3:", "[show][llama3:8b]"),
    ("gglib run smollm2:cr", "[run][smollm2:creative]"),
    ("gglib rm owner/name:Q", "[rm][owner/name:Q4_K_M]"),
    ("gglib set my", "[set][my model]"),
    ("gglib set 'my m", "[set][my model]"),
    ('gglib set "my m', "[set][my model]"),
    ("gglib set my\\ m", "[set][my model]"),
    ("gglib set it", "[set][it's-$HOME]"),
    ("gglib set Gro", "[set][Große-7B]"),
    ("gglib pull uns", "[pull][unsloth/Tiny-GGUF]"),
    ("gglib pull any/repo:Q6", "[pull][any/repo:Q6_K]"),
    ("gglib connect --model=smoll", "[connect][--model=smollm2]"),
    ("gglib add a\\ f", "[add][a file.gguf]"),
    ("gglib add sub", "[add][subfolder]"),
    ("gglib --home sub", "[--home][subfolder]"),
    ("gglib import subf", "[import][subfolder]"),
    ("gglib --home x run smo", "[--home][x][run][smo]"),  # another home
)


async def _fill(home: Path) -> None:
    catalog = SqliteCatalog(home / "gglib.db")
    await catalog.open()
    added = [
        await catalog.add_model(
            NewModel(
                name=name,
                paths=(home / f"{index}.gguf",),
                size_bytes=1,
                facts=GgufFacts(architecture="llama"),
                aliases=("owner/name:Q4_K_M",) if name == "smollm2" else (),
                source=ModelSource(repo="unsloth/Tiny-GGUF" if name == "smollm2" else None),
            )
        )
        for index, name in enumerate(MODELS)
    ]
    smollm2 = added[0]
    await catalog.edit_profile(
        "creative", smollm2.id, lambda _: Profile(name="creative", model_id=smollm2.id)
    )
    await catalog.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with models of odd names."""
    path = tmp_path_factory.mktemp("home")
    asyncio.run(_fill(path))
    return path


@pytest.fixture(scope="module")
def environment(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Return the environment of a shell that finds the program."""
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "gglib"
    program.write_text(PROGRAM.format(python=sys.executable), encoding="utf-8")
    program.chmod(0o755)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GGLIB_")}
    return {
        **kept,
        "GGLIB_HOME": str(home),
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "INPUTRC": os.devnull,
        "LC_ALL": "C.UTF-8",
        "PS1": "$ ",
    }


@pytest.fixture(params=SHELLS)
def shell(
    request: pytest.FixtureRequest, environment: Mapping[str, str], tmp_path: Path
) -> Iterator[Terminal]:
    """Yield a shell with the completion, in a folder with files."""
    name = request.param
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    (tmp_path / "a file.gguf").touch()
    (tmp_path / "subfolder").mkdir()
    with terminal(SHELLS[name], env=environment, columns=140, rows=60, cwd=tmp_path) as shown:
        shown.send(f"{INSTALL[name]}; gglib installed{ENTER}")
        shown.wait_for("<[installed]>")
        yield shown


def test_tab_completes_the_word(shell: Terminal) -> None:
    """The command gets the whole name, whatever characters it has: bash splits words at ':' and '='."""
    for number, (typed, words) in enumerate(CASES):
        shell.send(f"{typed}{TAB} {number}{ENTER}")
        shell.wait_for(f"<{words}[{number}]>")


def test_script_for_the_function_path_of_zsh(environment: Mapping[str, str], tmp_path: Path) -> None:
    """The same script as a file ``_gglib``, which zsh loads at the first TAB."""
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    with terminal(SHELLS["zsh"], env=environment, columns=140, cwd=tmp_path) as shown:
        shown.send(f"{ZSH_FOLDER}; gglib installed{ENTER}")
        shown.wait_for("<[installed]>")
        shown.send(f"gglib run smoll{TAB} 1{ENTER}")
        shown.wait_for("<[run][smollm2][1]>")


def test_several_candidates_are_listed(shell: Terminal) -> None:
    """A second TAB lists them."""
    shell.send(f"gglib run {TAB}")
    shell.settle()
    shell.send(TAB)
    for name in ("smollm2", "llama3", "owner/name"):
        shell.wait_for(name)


def test_a_home_is_never_created(environment: Mapping[str, str], tmp_path: Path) -> None:
    """TAB on a new machine prints nothing, and leaves nothing behind."""
    new = tmp_path / "new"
    words = [sys.executable, "-m", "gglib", "__complete", "zsh", "gglib", "run", ""]
    env = {**environment, "GGLIB_HOME": str(new)}
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr, new.exists()) == ("plain\n", "", False)


def test_completion_leaves_no_file_in_the_home(environment: Mapping[str, str], home: Path) -> None:
    """A reader of a database in WAL mode would create a log."""
    before = sorted(home.iterdir())
    words = [sys.executable, "-m", "gglib", "__complete", "zsh", "gglib", "run", "smoll"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "plain\nsmollm2\t\n"
    assert sorted(home.iterdir()) == before


@pytest.mark.parametrize("arguments", [[], ["bash"], ["tcsh", "x"], ["zsh"], ["bash", "gglib 'x", ""]])
def test_odd_request_is_silent(environment: Mapping[str, str], arguments: list[str]) -> None:
    """Whatever a script passes, the user who is typing sees no error."""
    words = [sys.executable, "-m", "gglib", "__complete", *arguments]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "plain"
    assert done.stderr == ""
