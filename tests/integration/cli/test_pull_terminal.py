"""``gglib pull`` in a real terminal: the choice, the plan, the progress, Ctrl-C and what resumes it."""

import json
import os
from collections.abc import Iterator

import pytest
from tests.support.terminal import CTRL_C, ENTER, terminal

from gglib.testing import write_tiny_projector
from gglib.testing.local_hub import LocalHub, PauseGate

from .conftest import Home, installed_program

REPO = "ada/a-model-with-a-long-name-GGUF"
SIZE = 12_000_000
PULL = (str(installed_program()), "pull")


@pytest.fixture
def hub(home: Home) -> Iterator[LocalHub]:
    """Yield a hub with a repository of two quantizations and a projector."""
    large = home.path / "large.gguf"
    content = home.model_file.read_bytes()
    large.write_bytes(content + os.urandom(SIZE - len(content)))
    files = {
        "a-model-with-a-long-name-Q4_K_M.gguf": home.model_file,
        "a-model-with-a-long-name-Q8_0.gguf": large,
    }
    with LocalHub() as hub:
        hub.add_repository(REPO, {**files, "mmproj-F16.gguf": write_tiny_projector(home.path / "eye.gguf")})
        home.variables = {
            "HF_ENDPOINT": hub.url,
            "NO_PROXY": "127.0.0.1,localhost",
            "HF_HOME": str(home.path),
        }
        yield hub


@pytest.fixture
def gate(hub: LocalHub) -> PauseGate:
    """Return a gate at which the large file stops after a third."""
    return hub.pause_after("a-model-with-a-long-name-Q8_0.gguf", SIZE // 3)


@pytest.mark.parametrize("columns", [80, 100, 140])
def test_choice_plan_progress_interrupt_and_resume(
    home: Home, hub: LocalHub, gate: PauseGate, columns: int
) -> None:
    """One choice, one plan, one question; the progress fits one line; the resumed pull asks nothing."""
    with terminal((*PULL, REPO), env=home.environment, columns=columns) as pull:
        shown = pull.wait_for("Number or name [1]:")
        words = " ".join(shown.split())
        assert "Q4_K_M 520 kB fits recommended" in words
        assert "Q8_0 12 MB fits" in words
        pull.send(f"9{ENTER}")
        pull.wait_for("type the number of a row")
        pull.send(f"q8_0{ENTER}")
        shown = pull.wait_for("Download it? [Y/n]")
        assert shown.count(f"{REPO}:Q8_0: 1 file and a projector, 12 MB, fits") == 1
        assert " GB free." in shown
        pull.send(ENTER)
        gate.wait_until_reached()
        shown = pull.wait_for(" of 12 MB")
        (line, *_) = [line for line in pull.lines if " of 12 MB" in line]
        assert line.startswith("...a-long-name-Q8_0.gguf ")
        assert len(line) <= columns
        pull.send(CTRL_C)
        assert pull.wait_for_exit() == 130
        assert f"Interrupted: 'gglib pull {REPO}:Q8_0' resumes." in pull.text
    gate.release()
    with terminal((*PULL, REPO), env=home.environment, columns=columns) as pull:
        assert pull.wait_for_exit() == 0
        assert " of 12 MB." in pull.text.partition("Resuming at ")[2].splitlines()[0]
        assert "Number" not in pull.text
        assert "?" not in pull.text
    assert [model["quantization"] for model in json.loads(home.ok("list", "--json"))]


@pytest.mark.usefixtures("hub")
def test_enter_takes_the_recommended_and_no_declines(home: Home) -> None:
    """Nothing is downloaded after *n*; exit code 1."""
    with terminal((*PULL, REPO), env=home.environment) as pull:
        pull.wait_for("Number or name [1]:")
        pull.send(ENTER)
        pull.wait_for(f"{REPO}:Q4_K_M: 1 file")
        pull.wait_for("Download it?")
        pull.send(f"n{ENTER}")
        assert pull.wait_for_exit() == 1
        assert "Nothing was downloaded." in pull.text
    assert json.loads(home.ok("list", "--json")) == []


@pytest.mark.usefixtures("hub")
def test_pipe_has_plain_lines(home: Home) -> None:
    """No escape sequences, and the plan with its place on stderr."""
    done = home.process("pull", f"{REPO}:Q8_0", "--no-mmproj")
    assert done.returncode == 0
    assert done.stderr.startswith(f"{REPO}:Q8_0: 1 file, 12 MB, fits this machine.\nTo {home.path}/models/")
    assert "\x1b" not in done.stderr + done.stdout
    assert done.stdout.splitlines()[-1] == "Chat with it: gglib run a-model-with-a-long-name-Q8_0"
