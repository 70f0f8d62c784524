"""The job of launchd, checked against the keys that launchd.plist(5) documents. It was never run on a Mac here."""

import plistlib

import pytest

from gglib.app.service.launchd import KEYS, home_in_job, job_files
from gglib.app.service.marked_text import FileState, state_of, with_mark
from gglib.app.service.plan import ServicePlan


def test_the_job_has_documented_keys_of_the_documented_types() -> None:
    """Also with gglib's mark in it."""
    plan = ServicePlan(program=("/opt/my gglib",), home="/data & more", user="_gglib")
    (file,) = job_files(plan)
    assert file.name == "gglib.plist"
    marked = with_mark(file.text)
    assert state_of(marked) is FileState.OURS
    job = plistlib.loads(marked.encode())
    assert {key: type(value) for key, value in job.items()} == KEYS
    assert job["ProgramArguments"] == ["/opt/my gglib", "serve"]
    assert job["EnvironmentVariables"] == {"GGLIB_HOME": "/data & more"}
    assert job["KeepAlive"] == {"SuccessfulExit": False}
    assert job["ExitTimeOut"] == 45


def test_a_job_of_a_user_names_none() -> None:
    """It runs as the user whose session it is."""
    (file,) = job_files(ServicePlan(program=("/opt/gglib",)))
    assert "UserName" not in plistlib.loads(file.text.encode())
    assert home_in_job(file.text) is None


def test_the_home_is_read_from_the_job() -> None:
    """Other texts raise ValueError."""
    (file,) = job_files(ServicePlan(program=("/opt/gglib",), home="/data & more"))
    assert home_in_job(with_mark(file.text)) == "/data & more"
    for other in ("", "<plist>", plistlib.dumps([]).decode()):
        with pytest.raises(ValueError):  # noqa: PT011 - of the parser
            home_in_job(other)
