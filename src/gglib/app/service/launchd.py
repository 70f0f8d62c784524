"""The job of launchd for a service, as a property list (launchd.plist(5)). Pure. Never run on a Mac by this project."""

import plistlib
from typing import Any
from xml.parsers.expat import ExpatError

from gglib.app.service.plan import HOME_VARIABLE, NAME, ServiceFile, ServicePlan

JOB_FILE = f"{NAME}.plist"
KEYS = {
    "Label": str,
    "ProgramArguments": list,
    "EnvironmentVariables": dict,
    "UserName": str,
    "RunAtLoad": bool,
    "KeepAlive": dict,
    "ExitTimeOut": int,
    "ProcessType": str,
}
"""The keys of launchd.plist(5) that are used, with the types that it documents."""


def job_files(plan: ServicePlan) -> tuple[ServiceFile, ...]:
    """Return the file of a service. launchd passes no sockets in the way of systemd, so gglib opens its own."""
    job: dict[str, Any] = {
        "Label": NAME,
        "ProgramArguments": list(plan.arguments),
        "EnvironmentVariables": plan.environment,
        "RunAtLoad": True,
        # Restarted after a failure, not after a stop in order.
        "KeepAlive": {"SuccessfulExit": False},
        "ExitTimeOut": plan.stop_timeout_s,
        # Without limits of processor and I/O that launchd applies to background jobs.
        "ProcessType": "Interactive",
    }
    if plan.user is not None:
        job["UserName"] = plan.user
    return (ServiceFile(JOB_FILE, plistlib.dumps(job, sort_keys=False).decode()),)


def home_in_job(text: str) -> str | None:
    """Return the data directory that a job sets; None if it sets none. Raises ValueError for other texts."""
    try:
        variables = plistlib.loads(text.encode()).get("EnvironmentVariables", {})
        home = variables.get(HOME_VARIABLE)
    except (AttributeError, ExpatError, plistlib.InvalidFileException) as error:
        raise ValueError(str(error)) from error
    return home if isinstance(home, str) else None
