"""Starts, stops and shows the service."""

from dataclasses import replace

from gglib.app.service.detection import find_manager
from gglib.cli.service.planning import home_settings
from gglib.cli.service.running import clear_failures, installed_home, look, require_installed, run, run_all


def start_service(*, is_system: bool) -> None:
    """Start the service."""
    manager = find_manager(is_system=is_system)
    names = require_installed(manager)
    clear_failures(manager, names)
    run_all(manager, manager.controls.start(names), failure=f"The service did not start: {look(manager)}.")


def stop_service(*, is_system: bool) -> None:
    """Stop the service and its sockets."""
    manager = find_manager(is_system=is_system)
    names = require_installed(manager)
    run_all(manager, manager.controls.stop(names), failure=f"The service was not stopped: {look(manager)}.")


def restart_service(*, is_system: bool) -> None:
    """Restart the service; its sockets stay open. Raises ``InvalidSettingError`` for settings that would not start."""
    manager = find_manager(is_system=is_system)
    names = require_installed(manager)
    home_settings(installed_home(manager))
    clear_failures(manager, names)
    run_all(
        manager, manager.controls.restart(names), failure=f"The service did not restart: {look(manager)}."
    )


def show_status(*, is_system: bool) -> int:
    """Show the state, and return the exit code of the service manager's command."""
    manager = find_manager(is_system=is_system, shows_only=True)
    names = require_installed(manager)
    return max(run(manager, words) for words in manager.controls.status(names))


def show_logs(*, is_system: bool, lines: int, follow: bool) -> None:
    """Show the log of the service manager, or else gglib's own."""
    manager = find_manager(is_system=is_system, shows_only=True)
    commands = manager.controls.logs(lines=max(0, lines), follow=follow)
    for words in commands:
        run(manager, words)
    if not commands:
        _show_own_log(installed_home(manager), lines=lines, follow=follow)


def _show_own_log(home: str | None, *, lines: int, follow: bool) -> None:
    import click

    from gglib.cli.commands.running.logs import command

    context = click.get_current_context()
    context.obj = replace(context.obj, home=home)
    context.invoke(command, model=None, lines=lines, follow=follow, as_json=False)
