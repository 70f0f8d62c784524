"""The commands that control a service."""

from gglib.app.service.controls import Launchd, Systemd
from gglib.app.service.plan import ServicePlan

NAMES = ("gglib.service", "gglib.socket")
PLAN = ServicePlan(program=("/opt/gglib",))


def test_systemd_stops_the_sockets_with_the_service_and_restarts_the_service_alone() -> None:
    """A socket that stays open would start a stopped service; one that closes would refuse connections."""
    user, machine = Systemd(is_system=False), Systemd(is_system=True)
    assert user.start(NAMES) == (("systemctl", "--user", "start", "gglib.socket", "gglib.service"),)
    assert user.stop(NAMES) == (("systemctl", "--user", "stop", *NAMES),)
    assert machine.restart(NAMES) == (("systemctl", "restart", "gglib.service"),)
    assert machine.load(NAMES) == (("systemctl", "daemon-reload"), ("systemctl", "enable", *NAMES))
    assert machine.disable(NAMES) == (("systemctl", "disable", "--now", *NAMES),)
    assert machine.forget() == (("systemctl", "daemon-reload"),)
    assert machine.clear_failures(NAMES) == ("systemctl", "reset-failed", *NAMES)
    assert machine.is_done(("systemctl", "stop"), 0)
    assert not machine.is_done(("systemctl", "stop"), 3)
    assert machine.fails_after(("systemctl", "stop")) == ()
    assert machine.status(NAMES) == (("systemctl", "status", "--no-pager", *NAMES),)
    assert machine.main_process() == ("systemctl", "show", "--property=MainPID", "--value", "gglib.service")
    assert [machine.main_pid(shown) for shown in ("17\n", "0\n", "")] == [17, None, None]
    (unit,) = user.files(PLAN)
    assert unit.name == "gglib.service"
    assert user.home_in(unit.text) is None
    assert set(NAMES) < set(user.file_names)


def test_the_journal_is_that_of_the_user_or_of_the_machine() -> None:
    """Followed on request."""
    shown = Systemd(is_system=False).logs(lines=5, follow=True)
    assert shown == (("journalctl", "--user", "--unit", "gglib", "--no-pager", "--lines", "5", "--follow"),)
    shown = Systemd(is_system=True).logs(lines=5, follow=False)
    assert shown == (("journalctl", "--unit", "gglib", "--no-pager", "--lines", "5"),)


def test_launchd_loads_and_unloads_a_job() -> None:
    """Which starts and stops it."""
    job = Launchd("gui/501", "/Users/a/Library/LaunchAgents")
    start = (
        ("launchctl", "bootstrap", "gui/501", "/Users/a/Library/LaunchAgents/gglib.plist"),
        ("launchctl", "kickstart", "gui/501/gglib"),
    )
    stop = ("launchctl", "bootout", "gui/501/gglib")
    assert job.load(()) == (("launchctl", "enable", "gui/501/gglib"),)
    assert job.start(()) == start
    assert job.stop(()) == job.disable(()) == (stop,)
    assert job.restart(()) == (stop, *start)
    assert job.status(()) == (("launchctl", "print", "gui/501/gglib"),)
    assert job.logs(lines=1, follow=False) == job.forget() == ()
    assert job.clear_failures(()) == ()
    assert job.main_process() == ("launchctl", "print", "gui/501/gglib")
    assert job.main_pid("gui/501/gglib = {\n\tstate = running\n\tpid = 17\n}\n") == 17
    assert job.main_pid("gui/501/gglib = {\n\tstate = not running\n\tlast pid = 3\n}\n") is None
    (file,) = job.files(PLAN)
    assert (file.name,) == job.file_names
    assert job.home_in(file.text) is None


def test_launchd_is_waited_for_and_a_job_that_is_in_the_wanted_state_is_no_failure() -> None:
    """Its commands fail then, and ``bootout`` returns early; other failures are failures."""
    job = Launchd("gui/501", "/Users/a/Library/LaunchAgents")
    stop, (load, start) = job.stop(())[0], job.start(())
    assert job.fails_after(stop) == ("launchctl", "print", "gui/501/gglib")
    assert job.fails_after(load) == job.fails_after(start) == ()
    assert all(job.is_done(stop, code) for code in (0, 3, 36, 113))
    assert all(job.is_done(load, code) for code in (0, 5, 37))
    assert all(job.is_done(start, code) for code in (0, 37))
    assert not any(job.is_done(words, 1) for words in (stop, load, start))
    assert not job.is_done(start, 113)
