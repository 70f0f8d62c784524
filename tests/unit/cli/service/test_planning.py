"""Who can run a service of the machine."""

import os
import pwd
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from gglib.app.service.plan import SYSTEM_HOME, ServicePlan
from gglib.cli.service import planning
from gglib.cli.service.planning import check_user, closed_part
from gglib.core.errors import InvalidSettingError

UID = os.getuid() or 4242


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Make a program in a directory."""
    program = tmp_path / "directory/program"
    program.parent.mkdir()
    program.touch(0o755)
    return program


@pytest.mark.parametrize(("mode", "is_closed"), [(0o700, False), (0o077, True)])
def test_the_bits_of_the_owner_decide_for_the_owner(program: Path, mode: int, is_closed: bool) -> None:  # noqa: FBT001
    """A program in the home directory of its user can be run, and a link is followed."""
    link = program.parent.parent / "link"
    link.symlink_to(program)
    program.parent.chmod(mode)
    closed = closed_part(link, program.parent.stat().st_uid, ())
    program.parent.chmod(0o700)
    assert closed == (program.parent if is_closed else None)


def test_the_bits_of_a_group_decide_for_its_members(program: Path) -> None:
    """Also those of the program itself; another user has the last bits."""
    stranger, group = program.stat().st_uid + 1, program.stat().st_gid
    groups = {part.stat().st_gid for part in program.parents} - {group}
    program.chmod(0o650)
    open_parents = all(part.stat().st_mode & 0o001 for part in program.parents)
    if open_parents:
        assert closed_part(program, stranger, (group, *groups)) is None
    assert closed_part(program, stranger, ()) in (program, *program.parents)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a user who can run everything, and its home."""
    user = SimpleNamespace(pw_uid=UID, pw_gid=UID, pw_name="gglib")
    monkeypatch.setattr(pwd, "getpwnam", {"gglib": user}.__getitem__)
    monkeypatch.setattr(os, "getgrouplist", lambda *_: [UID])
    monkeypatch.setattr(planning, "closed_part", lambda *_: None)
    home = tmp_path / "the home"
    home.mkdir()
    if os.getuid() == 0:
        os.chown(home, UID, UID)
    return home


def plan(home: str | Path, user: str | None = "gglib") -> ServicePlan:
    """Return the plan of a service of the machine."""
    return ServicePlan(program=("/bin/gglib",), user=user, home=str(home))


def test_the_home_has_to_be_the_users(home: Path) -> None:
    """Only the default is made by systemd; a unit with another one that is missing would not start."""
    check_user(plan(home), makes_home=True)
    check_user(plan(SYSTEM_HOME), makes_home=True)
    check_user(plan(home / "x", user=None), makes_home=True)
    with pytest.raises(InvalidSettingError, match=r"install -d -o gglib -m 700 '.*the home/x'"):
        check_user(plan(home / "x"), makes_home=True)
    with pytest.raises(InvalidSettingError, match="/sys is not a directory of the user"):
        check_user(plan("/sys"), makes_home=True)


def test_a_missing_user_and_a_closed_program_are_refused_with_what_to_do(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interpreter may be closed, too, although the program is not."""
    with pytest.raises(InvalidSettingError, match=r"useradd --system --home-dir .* bob"):
        check_user(plan(home, user="bob"), makes_home=True)
    monkeypatch.setattr(sys, "executable", "/root/python")
    monkeypatch.setattr(
        planning, "closed_part", lambda part, *_: Path("/root") if part == Path("/root/python") else None
    )
    with pytest.raises(InvalidSettingError, match="cannot run /root/python, because /root is closed to it"):
        check_user(plan(home), makes_home=True)
