"""The plan of a service, from the settings, this program and the options of the command."""

import os
import shlex
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gglib.app.service.command import listen_address, service_program
from gglib.app.service.plan import DEFAULT_DRAIN_S, HOME_VARIABLE, SYSTEM_HOME, ServicePlan
from gglib.app.settings import SETTINGS
from gglib.app.settings.definitions import CONFIG_NAME
from gglib.core.errors import InvalidSettingError

if TYPE_CHECKING:
    from gglib.app.settings import Settings
    from gglib.cli.context import Options

GPU_GROUPS = ("render", "video")
"""Which may use the devices of GPUs on most distributions."""


def make_plan(
    settings: "Settings",
    environment: Mapping[str, str],
    *,
    user: str | None,
    has_sockets: bool,
) -> ServicePlan:
    """Return the plan for these settings, as of ``home_settings``.

    ``user`` is that of a service of the machine; None: of the user who runs this. Raises ``InvalidSettingError`` if a
    socket cannot be opened by the service manager.
    """
    host = socket_host(settings.host) if has_sockets else ""
    has_drain = CONFIG_NAME in settings.sources.get("drain_s", ())
    return ServicePlan(
        program=service_program(os.path.abspath(sys.argv[0]), sys.executable),  # noqa: PTH100 - keeps links
        # The default, too: it depends on variables of the shell.
        home=str(settings.home),
        user=user,
        groups=() if user is None else existing_groups(),
        listen=(listen_address(host, settings.port),) if has_sockets else (),
        ollama_listen=(listen_address(host, settings.ollama_port),)
        if has_sockets and settings.ollama_port is not None
        else (),
        drain_s=settings.drain_s if has_drain else DEFAULT_DRAIN_S,
        search_path=environment.get("PATH") if user is None else None,
    )


def chosen_home(options: "Options", *, is_system: bool) -> str | None:
    """Return the data directory of a service that is installed; None: the default of the user."""
    given = options.home or os.environ.get(HOME_VARIABLE)
    if given is not None:
        return str(Path(given).expanduser().absolute())
    return SYSTEM_HOME if is_system else None


def home_settings(home: str | None) -> "Settings":
    """Return the settings of the service in this home: without variables of this shell, which it does not have.

    Raises ``InvalidSettingError`` if they cannot be used.
    """
    from gglib.app.settings import load_settings

    kept = {name: value for name, value in os.environ.items() if not name.startswith("GGLIB_")}
    return load_settings({"home": home}, kept)


def variables_not_taken(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the variables of this shell whose settings the service will not have."""
    return tuple(sorted(spec.env for spec in SETTINGS if environment.get(spec.env)))


def socket_host(host: str) -> str:
    """Return the address of a host: socket units take no names. Raises ``InvalidSettingError`` if it has none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise InvalidSettingError(
            f"'{host}' has no address ({error.strerror}): 'gglib config set host 127.0.0.1' sets one."
        ) from None
    return str(found[0][4][0])


def existing_groups() -> tuple[str, ...]:
    """Return the groups of GPUs that this machine has; a unit that names another one would not start."""
    import grp

    present = {entry.gr_name for entry in grp.getgrall()}
    return tuple(name for name in GPU_GROUPS if name in present)


def check_user(plan: ServicePlan, *, makes_home: bool) -> None:
    """Raise ``InvalidSettingError`` if the user of a service of the machine cannot run it.

    ``makes_home``: the service manager makes ``SYSTEM_HOME``.
    """
    import pwd

    if plan.user is None:
        return
    home = plan.home or SYSTEM_HOME
    try:
        user = pwd.getpwnam(plan.user)
    except KeyError:
        command = shlex.join(("useradd", "--system", "--home-dir", home, plan.user))
        raise InvalidSettingError(
            f"There is no user '{plan.user}' for the service: {command!r} makes one, or choose another with --run-as."
        ) from None
    if user.pw_uid == 0:
        return
    for needed in (Path(plan.program[0]), Path(sys.executable)):
        closed = closed_part(needed, user.pw_uid, os.getgrouplist(user.pw_name, user.pw_gid))
        if closed is not None:
            raise InvalidSettingError(
                f"The user '{plan.user}' cannot run {shlex.quote(str(needed))}, because {closed} is closed to it: "
                "install gglib, and the Python that runs it, outside of home directories, for example into /opt/gglib."
            )
    makes_home = makes_home and home == SYSTEM_HOME
    if not makes_home and not (Path(home).is_dir() and Path(home).stat().st_uid == user.pw_uid):
        command = shlex.join(("install", "-d", "-o", plan.user, "-m", "700", home))
        raise InvalidSettingError(
            f"{home} is not a directory of the user '{plan.user}': {command!r} makes it one."
        )


def closed_part(program: Path, uid: int, groups: Sequence[int]) -> Path | None:
    """Return what a user may not enter on the way to a program, or the program itself; None if nothing is closed."""
    target = program.resolve()
    for part in (*reversed(target.parents), target):
        found = part.stat()
        shift = 6 if found.st_uid == uid else 3 if found.st_gid in groups else 0
        if not found.st_mode >> shift & 1:
            return part
    return None
