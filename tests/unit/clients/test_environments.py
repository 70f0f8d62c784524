"""Environments of clients: made once, made again for other pins, and never a failure of the run."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.clients.environments import Environment, Made, Maker, last_error, run_logged, version_of

PIP = Environment(name="some", installer="pip", packages=("some==1.2", "other==3"))
NPM = Environment(name="node", installer="npm", packages=("@scope/some@1.2.3",))


class Commands:
    """Records the commands, and returns the reason of a failure for those that contain ``failing``."""

    def __init__(self, failing: str = "") -> None:
        self.seen: list[tuple[list[str], float]] = []
        self.failing = failing

    def run(self, command: Sequence[str], timeout_s: float, log: Path) -> str:
        """Take the place of ``run_logged``."""
        assert log.exists()
        self.seen.append((list(command), timeout_s))
        return "no such version" if self.failing and self.failing in command else ""


def maker(directory: Path, commands: Commands, now_s: float = 0.0) -> Maker:
    """Return a maker whose time stands still; its deadline is at 100 s."""
    return Maker(directory, 100.0, each_s=30.0, run=commands.run, clock=lambda: now_s)


def test_environment_is_made_once(tmp_path: Path) -> None:
    """The next run finds it, without a command."""
    commands = Commands()
    assert maker(tmp_path, commands).make(PIP) == Made("some", 0.0)
    assert [command[-2:] for command, _ in commands.seen] == [
        ["venv", str(tmp_path / "some")],
        ["some==1.2", "other==3"],
    ]
    assert maker(tmp_path, commands).make(PIP).is_ready
    assert len(commands.seen) == 2


def test_other_pins_make_it_anew(tmp_path: Path) -> None:
    """What the older pins left is removed."""
    commands = Commands()
    maker(tmp_path, commands).make(PIP)
    (tmp_path / "some" / "left").touch()
    newer = Environment(name="some", installer="pip", packages=("some==1.3",))
    assert maker(tmp_path, commands).make(newer).is_ready
    assert commands.seen[-1][0][-1] == "some==1.3"
    assert not (tmp_path / "some" / "left").exists()


def test_failed_installation_has_a_reason_and_is_tried_again(tmp_path: Path) -> None:
    """A package that cannot be had is not a failure of gglib; the next run may have it."""
    failing = Commands("some==1.2")
    made = maker(tmp_path, failing).make(PIP)
    assert (made.is_ready, made.reason) == (False, "no such version")
    assert not maker(tmp_path, failing).is_made(PIP)
    assert maker(tmp_path, Commands()).make(PIP).is_ready


def test_no_command_runs_longer_than_what_is_left(tmp_path: Path) -> None:
    """Each has its own limit, too."""
    commands = Commands()
    maker(tmp_path, commands, now_s=20.0).make(PIP)
    maker(tmp_path, commands, now_s=90.0).make(NPM)
    assert [timeout_s for _, timeout_s in commands.seen] == [30.0, 30.0, 10.0]


def test_nothing_is_begun_after_the_deadline(tmp_path: Path) -> None:
    """An environment of an earlier run is still used."""
    commands = Commands()
    maker(tmp_path, commands).make(PIP)
    late = maker(tmp_path, commands, now_s=100.0)
    assert late.make(PIP).is_ready
    assert late.make(NPM).reason == "the time for installing was over"
    assert len(commands.seen) == 2


def test_all_are_made_and_reported(tmp_path: Path) -> None:
    """One that fails does not stop the others."""
    reported: list[Made] = []
    commands = Commands("some==1.2")
    everything = Maker(tmp_path, 100.0, run=commands.run, clock=lambda: 0.0, on_made=reported.append)
    made = everything.make_all([PIP, NPM])
    assert {name: result.is_ready for name, result in made.items()} == {"some": False, "node": True}
    assert sorted(result.name for result in reported) == ["node", "some"]


def test_unwritable_directory_is_a_reason(tmp_path: Path) -> None:
    """The cache may be a file."""
    (tmp_path / "file").touch()
    made = maker(tmp_path / "file", Commands()).make(PIP)
    assert "Not a directory" in made.reason


def test_npm_gets_a_prefix_and_exact_versions(tmp_path: Path) -> None:
    """Nothing is installed globally."""
    (command,) = NPM.commands(tmp_path)
    assert command[:4] == ["npm", "install", "--prefix", str(tmp_path / "node")]
    assert "--save-exact" in command
    assert command[-1] == "@scope/some@1.2.3"
    assert NPM.binary(tmp_path, "some") == tmp_path / "node/node_modules/.bin/some"


@pytest.mark.parametrize(
    ("package", "version"),
    [("a==1.2", "1.2"), ("a[b,c]==1.2", "1.2"), ("a@1.2", "1.2"), ("@a/b@1.2", "1.2")],
)
def test_version_of_a_pin(package: str, version: str) -> None:
    """A scope of npm begins with the same sign as a version."""
    assert version_of(package) == version


@pytest.mark.parametrize("package", ["a", "@a/b", "a==", "@1.2", "a>=1"])
def test_package_without_a_version_is_refused(package: str) -> None:
    """It would be another one tomorrow."""
    with pytest.raises(ValueError, match="not pinned"):
        version_of(package)


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (
            "Collecting\nERROR: one\nERROR: No matching distribution found for a==1\nhint",
            "ERROR: No matching distribution found for a==1",
        ),
        (
            "npm error code E404\nnpm error 404 Not Found\nnpm error A complete log is in: /x/y.log",
            "npm error code E404; npm error 404 Not Found",
        ),
        (
            "npm error code ERESOLVE\nnpm error /home/user/.npm/_logs/eresolve-report.txt",
            "npm error code ERESOLVE",
        ),
        ("first\nlast\n\n", "last"),
        ("", ""),
    ],
)
def test_reason_is_the_installers_error(log: str, line: str) -> None:
    """Not its hints, and no path of this machine."""
    assert last_error(log) == line


def test_command_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    """The whole process group is killed."""
    pid = tmp_path / "pid"
    child = f"sleep 60 & echo $! > {pid}; wait"
    reason = run_logged(["sh", "-c", child], 0.5, tmp_path / "log")
    assert "took longer than" in reason
    deadline = time.monotonic() + 30
    while pid.read_text().strip() and is_running(int(pid.read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether a process exists that is no zombie."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_failed_command_has_the_last_error_of_its_log(tmp_path: Path) -> None:
    """An exit code alone says nothing to a person."""
    log = tmp_path / "log"
    script = "import sys; print('ERROR: not there'); sys.exit(1)"
    assert run_logged([sys.executable, "-c", script], 30, log) == "ERROR: not there"
    assert run_logged(["sh", "-c", "exit 3"], 30, tmp_path / "empty") == "exit code 3"
    assert run_logged(["sh", "-c", "exit 0"], 30, log) == ""


def test_missing_program_is_a_reason(tmp_path: Path) -> None:
    """A machine without Node has no npm."""
    assert "No such file" in run_logged(["no-such-program"], 30, tmp_path / "log")


def test_command_does_not_see_this_process_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``PYTHONPATH`` would put gglib's sources into the client's environment."""
    monkeypatch.setenv("PYTHONPATH", os.fspath(tmp_path))
    log = tmp_path / "log"
    assert run_logged(["sh", "-c", 'echo "[$PYTHONPATH]"'], 30, log) == ""
    assert log.read_text() == "[]\n"
