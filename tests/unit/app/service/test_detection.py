"""Which service manager there is, and what is said without one."""

from pathlib import Path

import pytest

from gglib.app.service.controls import Launchd, Systemd
from gglib.app.service.detection import find_manager
from gglib.core.errors import InvalidSettingError


def booted(root: Path, *, uid: int | None = None) -> dict[str, str]:
    """Make the marks of a running systemd below a root directory, and return an environment."""
    (root / "run/systemd/system").mkdir(parents=True)
    (root / "bin").mkdir()
    (root / "bin/systemctl").touch(0o755)
    if uid is not None:
        (root / f"run/user/{uid}/systemd").mkdir(parents=True)
        (root / f"run/user/{uid}/systemd/private").touch()
    return {"PATH": str(root / "bin"), "HOME": "/home/a"}


def test_units_of_a_user_are_below_the_configuration_directory(tmp_path: Path) -> None:
    """The runtime directory is that of the user, also where the environment lacks it."""
    environment = booted(tmp_path, uid=7)
    found = find_manager(is_system=False, platform="linux", environment=environment, uid=7, root=tmp_path)
    assert found.controls == Systemd(is_system=False)
    assert found.directory == Path("/home/a/.config/systemd/user")
    assert found.variables == {"XDG_RUNTIME_DIR": "/run/user/7"}


def test_units_of_the_machine_need_root(tmp_path: Path) -> None:
    """Their directory is that of the administrator; any user may see the state."""
    environment = booted(tmp_path)
    found = find_manager(is_system=True, platform="linux", environment=environment, uid=0, root=tmp_path)
    assert found.directory == tmp_path / "etc/systemd/system"
    with pytest.raises(InvalidSettingError, match="run this command with sudo"):
        find_manager(is_system=True, platform="linux", environment=environment, uid=7, root=tmp_path)
    shown = find_manager(
        is_system=True, shows_only=True, platform="linux", environment=environment, uid=7, root=tmp_path
    )
    assert shown == found


@pytest.mark.parametrize(
    ("mark", "sentence"),
    [
        (
            None,
            r"systemd does not run on this machine: let your service manager run 'gglib serve'; 'gglib service",
        ),
        (
            ".dockerenv",
            r"systemd does not run in this container: let the container itself run 'gglib serve'\.$",
        ),
    ],
)
def test_without_systemd_a_sentence_says_what_to_do(tmp_path: Path, mark: str | None, sentence: str) -> None:
    """Another one in a container; files can be shown anyway."""
    if mark is not None:
        (tmp_path / mark).touch()
    for environment in ({"HOME": "/home/a"}, {"HOME": "/home/a", "PATH": str(tmp_path)}):
        with pytest.raises(InvalidSettingError, match=sentence):
            find_manager(is_system=False, platform="linux", environment=environment, uid=7, root=tmp_path)
    find_manager(
        is_system=True, may_be_absent=True, platform="linux", environment=environment, uid=7, root=tmp_path
    )


def test_a_user_without_a_session_cannot_have_units(tmp_path: Path) -> None:
    """As after ``su``."""
    with pytest.raises(InvalidSettingError, match="log in as this user"):
        find_manager(is_system=False, platform="linux", environment=booted(tmp_path), uid=7, root=tmp_path)


def test_a_mac_has_launchd(tmp_path: Path) -> None:
    """Agents of the user, or daemons of the machine."""
    environment = {"HOME": "/Users/a"}
    agent = find_manager(is_system=False, platform="darwin", environment=environment, uid=501, root=tmp_path)
    assert agent.controls == Launchd("gui/501", "/Users/a/Library/LaunchAgents")
    daemon = find_manager(is_system=True, platform="darwin", environment=environment, uid=0, root=tmp_path)
    assert daemon.controls == Launchd("system", str(tmp_path / "Library/LaunchDaemons"))
