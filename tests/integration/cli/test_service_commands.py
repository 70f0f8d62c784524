"""``gglib service`` with a ``systemctl`` that records its command lines; the units are real files."""

from functools import partial
from pathlib import Path

import pytest

from gglib.app.service import detection
from gglib.cli.service import controlling, installing, running
from gglib.testing import Script

from .conftest import Home

FAKE = '#!/bin/sh\necho "$(basename $0) $*" >> "{record}"\ncase "$*" in *"{failing}"*) exit 3;; esac\n'


class Machine:
    """A machine with systemd below a directory."""

    def __init__(self, home: Home, root: Path) -> None:
        self.home = home
        self.record = root / "record"
        self.units = root / "config/systemd/user"
        self._bin = root / "bin"
        self._bin.mkdir()
        (root / "run/systemd/system").mkdir(parents=True)
        (root / "run/user/7/systemd").mkdir(parents=True)
        (root / "run/user/7/systemd/private").touch()
        home.variables |= {
            "PATH": f"{self._bin}:{home.environment['PATH']}",
            "XDG_CONFIG_HOME": str(root / "config"),
            "XDG_RUNTIME_DIR": "/run/user/7",
        }
        self.fail_at("nothing")

    def fail_at(self, words: str) -> None:
        """Make commands with these words fail."""
        for name in ("systemctl", "journalctl"):
            program = self._bin / name
            program.write_text(FAKE.format(record=self.record, failing=words))
            program.chmod(0o755)

    def commands(self) -> list[str]:
        """Return the command lines since the last call."""
        lines = self.record.read_text().splitlines() if self.record.exists() else []
        self.record.unlink(missing_ok=True)
        return lines


@pytest.fixture
def machine(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return a machine whose user 7 has a running systemd."""
    for module in (installing, controlling):
        found = partial(detection.find_manager, platform="linux", uid=7, root=tmp_path)
        monkeypatch.setattr(module, "find_manager", found)
    (home.path / "config.toml").write_text("port = 8123\nollama_port = 8124\ndrain_s = 60\n")
    return Machine(home, tmp_path)


def test_install_writes_enables_and_starts_and_uninstall_leaves_nothing(machine: Machine) -> None:
    """The second install restarts nothing; a change of the address stops the socket before it starts again."""
    home = machine.home
    shown = home.ok("service", "install")
    names = "gglib.service gglib.socket gglib-ollama.socket"
    assert f"Wrote {machine.units}/gglib.socket" in shown
    assert machine.commands() == [
        "systemctl --user daemon-reload",
        f"systemctl --user enable {names}",
        f"systemctl --user reset-failed {names}",
        f"systemctl --user stop {names}",
        "systemctl --user start gglib.socket gglib-ollama.socket gglib.service",
    ]
    unit = (machine.units / "gglib.service").read_text()
    assert f"Environment=GGLIB_HOME={home.path}" in unit
    assert "TimeoutStopSec=75" in unit
    assert "ListenStream=127.0.0.1:8123" in (machine.units / "gglib.socket").read_text()
    assert "Unchanged: " in home.ok("service", "install")
    assert not [line for line in machine.commands() if " stop " in line or "restart" in line]
    (home.path / "config.toml").write_text("port = 8125\n")
    assert f"Wrote {machine.units}/gglib.socket" in home.ok("service", "install", "--no-start")
    assert machine.commands()[-1] == "systemctl --user enable gglib.service gglib.socket"
    assert sorted(path.name for path in machine.units.iterdir()) == ["gglib.service", "gglib.socket"]
    assert f"Removed {machine.units}/gglib.socket" in home.ok("service", "uninstall")
    assert machine.commands() == [
        "systemctl --user disable --now gglib.service gglib.socket",
        "systemctl --user daemon-reload",
    ]
    assert list(machine.units.iterdir()) == []
    assert (home.path / "config.toml").exists()
    assert "No service is installed" in home.refused("service", "start")


def test_the_service_is_controlled_by_its_manager(machine: Machine) -> None:
    """Each command shows what it runs; the exit code of ``status`` is that of ``systemctl``."""
    home = machine.home
    home.ok("service", "install", "--no-socket")
    machine.commands()
    machine.fail_at("reset-failed")  # as for a unit that has not been loaded
    for word in ("start", "restart", "stop"):
        home.ok("service", word)
    home.ok("service", "logs", "-n", "3")
    words = ("reset-failed", "start", "reset-failed", "restart", "stop")
    assert machine.commands() == [
        *(f"systemctl --user {word} gglib.service" for word in words),
        "journalctl --user --unit gglib --no-pager --lines 3",
    ]
    machine.fail_at("status")
    assert home.run("service", "status").returncode == 3
    machine.fail_at("start")
    assert home.refused("service", "start").startswith("The service did not start: 'gglib service status'")
    machine.fail_at("disable")
    assert "its files are still there" in home.refused("service", "uninstall")
    assert (machine.units / "gglib.service").exists()


def test_files_of_others_and_settings_that_cannot_start_are_refused(machine: Machine) -> None:
    """Nothing runs then: a service that serves is not stopped for one that would not start."""
    home = machine.home
    home.ok("service", "install")
    machine.commands()
    with (machine.units / "gglib.service").open("a") as unit:
        unit.write("# mine\n")
    for word in ("install", "uninstall"):
        assert "changed since: move it away and put your changes into a drop-in" in home.refused(
            "service", word
        )
    (home.path / "config.toml").write_text('port = "many"\n')
    assert "port" in home.refused("service", "restart")
    assert machine.commands() == []


def test_a_restart_checks_the_settings_of_the_service_alone(machine: Machine, tmp_path: Path) -> None:
    """Not those of the shell's own home, or of its variables."""
    home = machine.home
    home.ok("service", "install")
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.toml").write_text('port = "many"\n')
    home.variables |= {"GGLIB_HOME": str(other), "GGLIB_PORT": "few"}
    home.ok("service", "restart")
    (home.path / "config.toml").write_text('port = "many"\n')
    home.variables["GGLIB_HOME"] = str(tmp_path / "none")
    assert str(home.path / "config.toml") in home.refused("service", "restart")


def test_print_shows_the_files_and_changes_nothing(machine: Machine) -> None:
    """Also those of the machine, for another user than root."""
    shown = machine.home.ok("service", "install", "--print", "--system", "--run-as", "alice")
    assert "User=alice" in shown
    assert "[Socket]" in shown
    assert machine.commands() == []
    assert not machine.units.exists()
    assert "with sudo" in machine.home.refused("service", "stop", "--system")
    assert "'gglib service install --system' installs one" in machine.home.refused(
        "service", "status", "--system"
    )


def test_what_the_service_would_not_have_is_a_warning(machine: Machine) -> None:
    """A variable of this shell, also one of the address; a port that changes at each start is refused."""
    machine.home.variables["GGLIB_PORT"] = "8999"
    done = machine.home.run("service", "install", "--no-start")
    assert "GGLIB_PORT of this shell is not set for the service" in done.stderr
    assert "ListenStream=127.0.0.1:8123" in (machine.units / "gglib.socket").read_text()
    (machine.home.path / "config.toml").write_text("port = 0\n")
    assert "use --no-socket" in machine.home.refused("service", "install")
    (machine.home.path / "config.toml").write_text('host = "no.such.host.invalid"\n')
    assert "has no address" in machine.home.refused("service", "install")


def test_a_gglib_that_runs_with_the_home_keeps_running(machine: Machine, stocked: Home) -> None:
    """The service is installed, and not started: its start would fail."""
    stocked.script(Script())
    with stocked.serving() as server:
        done = stocked.run("service", "install", "--no-socket")
        assert done.returncode == 0, done.stderr
        assert f"(pid {server.process.pid}), so the service was not started" in done.stderr
        assert not [line for line in machine.commands() if " start " in line]


LAUNCHCTL = """#!/bin/sh
echo "$1" >> "{root}/record"
case "$1" in
bootstrap) [ ! -e "{root}/loaded" ] || exit 5; touch "{root}/loaded" ;;
bootout) [ -e "{root}/loaded" ] || exit 3; touch "{root}/ending"; exit 36 ;;
kickstart) [ -e "{root}/loaded" ] || exit 113 ;;
print) [ -e "{root}/loaded" ] || exit 113; [ ! -e "{root}/ending" ] || rm "{root}/ending" "{root}/loaded" ;;
esac
"""
"""Fails as launchctl does when there is nothing to do; ``bootout`` returns before the job has ended."""


def test_launchd_may_be_in_the_wanted_state_before(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first install, two starts, two stops, and an uninstallation of a job that was stopped."""
    for module in (installing, controlling):
        found = partial(detection.find_manager, platform="darwin", uid=501)
        monkeypatch.setattr(module, "find_manager", found)
    monkeypatch.setattr(running, "_POLL_S", 0)
    program = tmp_path / "bin/launchctl"
    program.parent.mkdir()
    program.write_text(LAUNCHCTL.format(root=tmp_path))
    program.chmod(0o755)
    home.variables |= {"HOME": str(tmp_path), "PATH": f"{program.parent}:{home.environment['PATH']}"}
    home.ok("service", "install")
    assert (tmp_path / "loaded").exists()
    assert (tmp_path / "record").read_text().split() == [
        "enable",
        "bootout",
        "print",
        "bootstrap",
        "kickstart",
    ]
    home.ok("service", "start")
    home.ok("service", "restart")
    assert (tmp_path / "loaded").exists()
    assert not (tmp_path / "ending").exists()
    for word in ("stop", "stop", "uninstall"):
        home.ok("service", word)
        assert not (tmp_path / "loaded").exists()
    assert not list((tmp_path / "Library/LaunchAgents").iterdir())
