"""Installs and removes the service."""

import os
from typing import TYPE_CHECKING

from gglib.app.service.detection import ServiceManager, find_manager
from gglib.app.service.files import remove_files, require_own, write_files
from gglib.app.service.systemd_units import SERVICE
from gglib.cli.service.planning import (
    check_user,
    chosen_home,
    home_settings,
    make_plan,
    variables_not_taken,
)
from gglib.cli.service.running import clear_failures, look, require_installed, run_all
from gglib.cli.views import render
from gglib.core.errors import InvalidSettingError

if TYPE_CHECKING:
    from gglib.app.service.plan import ServicePlan
    from gglib.app.settings import Settings
    from gglib.cli.context import Options


def install_service(
    options: "Options", *, user: str | None, has_sockets: bool | None, starts: bool, prints: bool
) -> None:
    """Write the files of the service, enable and start it; with ``prints`` only show the files.

    ``user`` is that of a service of the machine. ``has_sockets``: None opens sockets where the service manager can.
    """
    manager = find_manager(is_system=user is not None, may_be_absent=prints)
    settings, plan = _plan(options, manager, user=user, has_sockets=has_sockets)
    files = manager.controls.files(plan)
    if prints:
        for file in files:
            render.echo(f"# {manager.directory / file.name}")
            render.show_verbatim(file.text)
        return
    check_user(plan, makes_home=SERVICE in manager.controls.file_names)
    changed = write_files(manager.directory, files, manager.controls.file_names)
    for file in files:
        done = "Wrote" if file.name in changed else "Unchanged:"
        render.echo(f"{done} {manager.directory / file.name}")
    names = tuple(file.name for file in files)
    run_all(manager, manager.controls.load(names), failure="The service could not be enabled.")
    for name in variables_not_taken(os.environ):
        render.warn(
            f"{name} of this shell is not set for the service: 'gglib config set' stores settings for it."
        )
    if starts and not _runs_elsewhere(settings, manager):
        _start(manager, names, changed)
    if user is None and SERVICE in manager.controls.file_names:
        render.echo("The service runs while you are logged in: 'loginctl enable-linger' keeps it running.")


def uninstall_service(*, is_system: bool) -> None:
    """Stop the service and remove its files. The home stays."""
    manager = find_manager(is_system=is_system)
    names = require_installed(manager)
    require_own(manager.directory, names)
    run_all(
        manager,
        manager.controls.disable(names),
        failure=f"The service could not be stopped, so its files are still there: see {manager.command('status')}.",
    )
    remove_files(manager.directory, names)
    for name in names:
        render.echo(f"Removed {manager.directory / name}")
    run_all(manager, manager.controls.forget(), failure="The service manager could not read its files again.")


def _plan(
    options: "Options", manager: ServiceManager, *, user: str | None, has_sockets: bool | None
) -> "tuple[Settings, ServicePlan]":
    can_open_sockets = SERVICE in manager.controls.file_names
    if has_sockets and not can_open_sockets:
        raise InvalidSettingError("launchd opens no sockets for gglib: leave out --socket.")
    settings = home_settings(chosen_home(options, is_system=user is not None))
    for warning in settings.warnings:
        render.warn(warning)
    plan = make_plan(
        settings,
        os.environ,
        user=user,
        has_sockets=can_open_sockets if has_sockets is None else has_sockets,
    )
    return settings, plan


def _runs_elsewhere(settings: "Settings", manager: ServiceManager) -> bool:
    """Whether a gglib that this service did not start uses the home, which has one server at a time."""
    from gglib.cli.server.instance import find_instance
    from gglib.cli.service.running import is_main_process

    instance = find_instance(settings)
    if instance is None or is_main_process(manager, instance.pid):
        return False
    render.warn(
        f"gglib runs already with this home (pid {instance.pid}), so the service was not started: "
        f"'gglib stop --server' stops that one, and {manager.command('start')} starts the service."
    )
    return True


def _start(manager: ServiceManager, names: tuple[str, ...], changed: tuple[str, ...]) -> None:
    """Start the service; one that runs starts again, and its sockets only if they were changed."""
    failure = f"The service did not start: {look(manager)}."
    clear_failures(manager, names)
    if any(name != SERVICE for name in changed):
        run_all(manager, manager.controls.stop(names), failure=failure)
    elif SERVICE in changed:
        run_all(manager, manager.controls.restart(names), failure=failure)
    run_all(manager, manager.controls.start(names), failure=failure)
