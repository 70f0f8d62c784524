"""The commands that control a service: ``systemctl`` and ``journalctl``, or ``launchctl``. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Protocol

from gglib.app.service.launchd import JOB_FILE, home_in_job, job_files
from gglib.app.service.plan import NAME, ServiceFile, ServicePlan
from gglib.app.service.systemd_units import SERVICE, UNITS, home_in_unit, unit_files

Words = tuple[str, ...]
"""A command to run."""


class Controls(Protocol):
    """How a service is controlled. Each method returns the commands to run, one after the other."""

    @property
    def file_names(self) -> Words:
        """All files that a service may have."""
        ...

    def files(self, plan: ServicePlan) -> tuple[ServiceFile, ...]:
        """Return the files of a service."""
        ...

    def home_in(self, text: str) -> str | None:
        """Return the data directory that a file sets; None if it sets none. Raises ValueError for other files."""
        ...

    def load(self, names: Sequence[str]) -> tuple[Words, ...]:
        """Read the files after they were written, and start them with the machine, or at the login."""
        ...

    def start(self, names: Sequence[str]) -> tuple[Words, ...]:
        """Start the service."""
        ...

    def stop(self, names: Sequence[str]) -> tuple[Words, ...]:
        """Stop the service, and what would start it again."""
        ...

    def restart(self, names: Sequence[str]) -> tuple[Words, ...]:
        """Start the program again; sockets of the service manager stay open."""
        ...

    def status(self, names: Sequence[str]) -> tuple[Words, ...]:
        """Show the state."""
        ...

    def logs(self, *, lines: int, follow: bool) -> tuple[Words, ...]:
        """Show the log; nothing if the service manager keeps none."""
        ...

    def main_process(self) -> Words:
        """Print what ``main_pid`` reads."""
        ...

    def main_pid(self, shown: str) -> int | None:
        """Return the process id of the running service; None if it does not run."""
        ...

    def disable(self, names: Sequence[str]) -> tuple[Words, ...]:
        """Stop the service, and do not start it any more."""
        ...

    def forget(self) -> tuple[Words, ...]:
        """Notice that the files are gone."""
        ...

    def clear_failures(self, names: Sequence[str]) -> Words:
        """Allow a start after too many failures; its failure means nothing. Nothing to run if it is not needed."""
        ...

    def is_done(self, words: Words, code: int) -> bool:
        """Return whether a command has done its work, by its exit code."""
        ...

    def fails_after(self, words: Words) -> Words:
        """Return a command that fails when what ``words`` began has ended; nothing if they wait for it."""
        ...


@dataclass(frozen=True, slots=True)
class Systemd:
    """Units of a user, or of the machine."""

    is_system: bool

    @property
    def file_names(self) -> Words:
        """The units."""
        return UNITS

    def files(self, plan: ServicePlan) -> tuple[ServiceFile, ...]:
        """Return the units."""
        return unit_files(plan)

    def home_in(self, text: str) -> str | None:
        """Read the line ``Environment=``."""
        return home_in_unit(text)

    def load(self, names: Sequence[str]) -> tuple[Words, ...]:
        """Read the units and enable them."""
        return (self._systemctl("daemon-reload"), self._systemctl("enable", *names))

    def start(self, names: Sequence[str]) -> tuple[Words, ...]:
        """Start the sockets first: the service takes those that are open."""
        return (self._systemctl("start", *sorted(names, key=lambda name: name == SERVICE)),)

    def stop(self, names: Sequence[str]) -> tuple[Words, ...]:
        """Stop sockets and service in one step: a socket that stays open would start the service again."""
        return (self._systemctl("stop", *names),)

    def restart(self, names: Sequence[str]) -> tuple[Words, ...]:  # noqa: ARG002 - the sockets stay open
        """Restart the service alone."""
        return (self._systemctl("restart", SERVICE),)

    def status(self, names: Sequence[str]) -> tuple[Words, ...]:
        """Show the state, with the last lines of the log."""
        return (self._systemctl("status", "--no-pager", *names),)

    def logs(self, *, lines: int, follow: bool) -> tuple[Words, ...]:
        """Show the journal."""
        scope = () if self.is_system else ("--user",)
        options = ("--no-pager", "--lines", str(lines), *(("--follow",) if follow else ()))
        return (("journalctl", *scope, "--unit", NAME, *options),)

    def main_process(self) -> Words:
        """Print the process id; 0 if it does not run."""
        return self._systemctl("show", "--property=MainPID", "--value", SERVICE)

    def main_pid(self, shown: str) -> int | None:
        """Return the number."""
        return int(shown) or None if shown.strip().isdecimal() else None

    def disable(self, names: Sequence[str]) -> tuple[Words, ...]:
        """Stop and disable the units."""
        return (self._systemctl("disable", "--now", *names),)

    def forget(self) -> tuple[Words, ...]:
        """Read the units again."""
        return (self._systemctl("daemon-reload"),)

    def clear_failures(self, names: Sequence[str]) -> Words:
        """Forget the starts that count for ``StartLimitBurst=``: the next one may come at once."""
        return self._systemctl("reset-failed", *names)

    def is_done(self, words: Words, code: int) -> bool:  # noqa: ARG002 - the same for all
        """Return whether it succeeded: what is done already is a success."""
        return code == 0

    def fails_after(self, words: Words) -> Words:  # noqa: ARG002 - the same for all
        """Return nothing: systemctl waits."""
        return ()

    def _systemctl(self, *words: str) -> Words:
        return ("systemctl", *(() if self.is_system else ("--user",)), *words)


_PID = re.compile(r"^\s*pid = (\d+)$", re.MULTILINE)
_NOT_LOADED = frozenset((3, 113))
"""Exit codes of ``launchctl bootout``: ``ESRCH``, and "Could not find specified service"."""
_IN_PROGRESS = 36
"""Of ``bootout``: the job has not ended yet."""
_ALREADY = 37
"""``EALREADY``, of ``bootstrap`` and ``kickstart``."""
_LOADED = frozenset((5, _ALREADY))
"""Of ``bootstrap``: the job may be there already. ``EIO`` has other causes, too, with which ``kickstart`` fails."""


@dataclass(frozen=True, slots=True)
class Launchd:
    """A job of a user, or of the machine. launchd reads a file when the job is loaded, which also starts it."""

    domain: str
    """``gui/UID``, or ``system``."""
    directory: str

    @property
    def file_names(self) -> Words:
        """The property list."""
        return (JOB_FILE,)

    def files(self, plan: ServicePlan) -> tuple[ServiceFile, ...]:
        """Return the property list."""
        return job_files(plan)

    def home_in(self, text: str) -> str | None:
        """Read the dictionary of variables."""
        return home_in_job(text)

    def load(self, names: Sequence[str]) -> tuple[Words, ...]:  # noqa: ARG002 - one job
        """Enable the job, which a user may have disabled."""
        return (("launchctl", "enable", self._job),)

    def start(self, names: Sequence[str]) -> tuple[Words, ...]:  # noqa: ARG002 - one job
        """Load the job; one that is loaded and has ended is started. The second command fails if the first has."""
        return (
            ("launchctl", "bootstrap", self.domain, str(PurePath(self.directory, JOB_FILE))),
            ("launchctl", "kickstart", self._job),
        )

    def stop(self, names: Sequence[str]) -> tuple[Words, ...]:  # noqa: ARG002 - one job
        """Unload the job, which sends SIGTERM; it is loaded again at the next login."""
        return (("launchctl", "bootout", self._job),)

    def restart(self, names: Sequence[str]) -> tuple[Words, ...]:
        """Unload the job and load it again."""
        return (*self.stop(names), *self.start(names))

    def status(self, names: Sequence[str]) -> tuple[Words, ...]:  # noqa: ARG002 - one job
        """Show the state of the job."""
        return (("launchctl", "print", self._job),)

    def logs(self, *, lines: int, follow: bool) -> tuple[Words, ...]:  # noqa: ARG002 - launchd keeps none
        """Return nothing: gglib's own log has it."""
        return ()

    def main_process(self) -> Words:
        """Print the state of the job, which has the process id."""
        return self.status(())[0]

    def main_pid(self, shown: str) -> int | None:
        """Return the number in the line ``pid = NUMBER``."""
        found = _PID.search(shown)
        return None if found is None else int(found[1])

    def disable(self, names: Sequence[str]) -> tuple[Words, ...]:
        """Unload the job; without its file it is not loaded again."""
        return self.stop(names)

    def forget(self) -> tuple[Words, ...]:
        """Return nothing: launchd keeps no copy."""
        return ()

    def clear_failures(self, names: Sequence[str]) -> Words:  # noqa: ARG002 - as above
        """Return nothing: launchd delays starts, and refuses none."""
        return ()

    def is_done(self, words: Words, code: int) -> bool:
        """Return whether the job is in the wanted state: unlike systemctl, launchctl fails if it was before."""
        done = {
            "bootout": _NOT_LOADED | {_IN_PROGRESS},
            "bootstrap": _LOADED,
            "kickstart": frozenset((_ALREADY,)),
        }
        return code == 0 or code in done.get(words[1], ())

    def fails_after(self, words: Words) -> Words:
        """Return the command that shows the job: ``bootout`` may return before the job has ended."""
        return self.status(())[0] if words[1] == "bootout" else ()

    @property
    def _job(self) -> str:
        return f"{self.domain}/{NAME}"
