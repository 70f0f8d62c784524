"""The units of a service."""

import shutil
import subprocess
from configparser import RawConfigParser
from dataclasses import replace
from pathlib import Path

import pytest

from gglib.app.service.plan import SYSTEM_HOME, ServicePlan
from gglib.app.service.systemd_units import home_in_unit, unit_files

USERS = ServicePlan(program=("/opt/gglib",), listen=("127.0.0.1:8080",), search_path="/usr/bin")
MACHINES = replace(USERS, user="gglib", home=SYSTEM_HOME, search_path=None, groups=("render", "video"))


def texts(plan: ServicePlan) -> dict[str, str]:
    """Return the units by name."""
    return {file.name: file.text for file in unit_files(plan)}


def test_a_user_service_has_a_socket_and_starts_at_the_login() -> None:
    """The service takes the socket, and stopping it has time for the drain."""
    units = texts(replace(USERS, drain_s=60))
    assert list(units) == ["gglib.service", "gglib.socket"]
    service = units["gglib.service"].splitlines()
    for line in (
        *("Type=notify", "ExecStart=/opt/gglib serve", "Environment=PATH=/usr/bin", "TimeoutStopSec=75"),
        *("KillMode=mixed", "WatchdogSec=60", "Requires=gglib.socket", "WantedBy=default.target"),
        *("NoNewPrivileges=yes", "OOMPolicy=continue"),
    ):
        assert line in service
    # Options that need a user namespace, which hides the groups that may use the GPUs.
    assert not any(line.startswith(("Protect", "Private", "User=")) for line in service)
    socket = units["gglib.socket"].splitlines()
    assert "ListenStream=127.0.0.1:8080" in socket
    assert "FileDescriptorName=gglib" in socket


def test_a_service_of_the_machine_has_a_user_a_home_and_a_sandbox() -> None:
    """The default home is made by systemd; another one is made writable. GPUs stay visible."""
    service = texts(MACHINES)["gglib.service"].splitlines()
    for line in (
        "User=gglib",
        "SupplementaryGroups=render video",
        "StateDirectory=gglib",
        "ProtectSystem=strict",
    ):
        assert line in service
    assert f"Environment=GGLIB_HOME={SYSTEM_HOME}" in service
    assert not any(line.startswith(("PrivateDevices", "DevicePolicy", "MemoryDeny")) for line in service)
    other = texts(replace(MACHINES, home="/data/my home", groups=()))["gglib.service"]
    assert 'ReadWritePaths="/data/my home"\n' in other
    assert "StateDirectory" not in other
    assert "SupplementaryGroups" not in other
    assert "ReadWritePaths" not in texts(replace(MACHINES, home=None))["gglib.service"]


def test_the_second_port_has_a_socket_of_its_own_and_without_sockets_there_is_none() -> None:
    """Its name says which one it is."""
    units = texts(replace(USERS, ollama_listen=("127.0.0.1:11434",)))
    assert "FileDescriptorName=ollama" in units["gglib-ollama.socket"]
    assert "Service=gglib.service" in units["gglib-ollama.socket"]
    assert "Sockets=gglib-ollama.socket" in units["gglib.service"]
    plain = texts(replace(USERS, listen=()))
    assert list(plain) == ["gglib.service"]
    assert "Sockets=" not in plain["gglib.service"]


@pytest.mark.parametrize("plan", [USERS, MACHINES], ids=["user", "machine"])
def test_systemd_accepts_the_units(plan: ServicePlan, tmp_path: Path) -> None:
    """``systemd-analyze verify`` finds nothing to say, and each key is one of its section."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    plan = replace(plan, program=("/bin/true",), groups=(), user=None if plan.user is None else "root")
    for name, text in texts(replace(plan, ollama_listen=("[::1]:11434",))).items():
        (tmp_path / name).write_text(text)
        parser = RawConfigParser(strict=False)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string(text)
        assert set(parser.sections()) <= {"Unit", "Service", "Socket", "Install"}
    done = subprocess.run(
        [program, "verify", "--man=no", *map(str, tmp_path.iterdir())],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Failed to initialize manager" in done.stderr or str(tmp_path) not in done.stderr, done.stderr


@pytest.mark.parametrize("home", ["/data", '/a b%h$x"y\\z', None])
def test_the_home_is_read_from_the_unit(home: str | None) -> None:
    """As it was written, whatever is quoted in it."""
    assert home_in_unit(texts(replace(USERS, home=home))["gglib.service"]) == home
