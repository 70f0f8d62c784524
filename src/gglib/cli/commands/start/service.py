"""``gglib service``: installs and controls gglib as a service of the system."""

import click

from gglib.cli.help.pages import HelpGroup

_system = click.option(
    "--system", "is_system", is_flag=True, help="The service of the machine, not the one of this user."
)


@click.group("service", cls=HelpGroup)
def command() -> None:
    """Run gglib in the background, started with the machine or at the login.

    With systemd, its address stays open while it restarts: responses end, and new connections wait. On a Mac, launchd
    runs it.
    """


@command.command("install")
@_system
@click.option(
    "--run-as",
    metavar="USER",
    help="User of the service of the machine. Default: gglib. Only with --system.",
)
@click.option(
    "--socket/--no-socket",
    "has_sockets",
    default=None,
    help="Let systemd open the address, so that it stays open during restarts. Default: --socket.",
)
@click.option("--no-start", is_flag=True, help="Start it at the next boot or login only.")
@click.option("--print", "prints", is_flag=True, help="Print the files, and change nothing.")
@click.pass_context
def install(  # noqa: PLR0913 - click passes each option
    ctx: click.Context,
    *,
    is_system: bool,
    run_as: str | None,
    has_sockets: bool | None,
    no_start: bool,
    prints: bool,
) -> None:
    """Write the units, enable them and start the service.

    The program that runs now is used, with the address of the settings. Run it again after an update that moved the
    program, or a change of the address. Files that were not written by gglib are never replaced.
    """
    from gglib.cli.service.installing import install_service

    if run_as is not None and not is_system:
        raise click.UsageError("--run-as needs --system.", ctx)
    install_service(
        ctx.obj,
        user=(run_as or "gglib") if is_system else None,
        has_sockets=has_sockets,
        starts=not no_start,
        prints=prints,
    )


@command.command("start")
@_system
def start(*, is_system: bool) -> None:
    """Start the service, and open its address."""
    from gglib.cli.service.controlling import start_service

    start_service(is_system=is_system)


@command.command("stop")
@_system
def stop(*, is_system: bool) -> None:
    """Stop the service, and close its address; responses in flight end first.

    It starts again with the machine, or at the next login: 'gglib service uninstall' ends that.
    """
    from gglib.cli.service.controlling import stop_service

    stop_service(is_system=is_system)


@command.command("restart")
@_system
def restart(*, is_system: bool) -> None:
    """Start it again, after an update for example: responses in flight end, new connections wait.

    Settings that could not be loaded again are refused, and the service keeps running.
    """
    from gglib.cli.service.controlling import restart_service

    restart_service(is_system=is_system)


@command.command("status")
@_system
@click.pass_context
def status(ctx: click.Context, *, is_system: bool) -> None:
    """Show whether it runs, with the exit code of the service manager's command."""
    from gglib.cli.service.controlling import show_status

    ctx.exit(show_status(is_system=is_system))


@command.command("logs")
@_system
@click.option("-n", "--lines", type=int, default=20, show_default=True, metavar="N", help="Number of lines.")
@click.option("-f", "--follow", is_flag=True, help="Print new lines until Ctrl-C.")
def logs(*, is_system: bool, lines: int, follow: bool) -> None:
    """Show its log, with what it printed before it had a log of its own.

    On a Mac it is the log of gglib itself, as of 'gglib logs'.
    """
    from gglib.cli.service.controlling import show_logs

    show_logs(is_system=is_system, lines=lines, follow=follow)


@command.command("uninstall")
@_system
def uninstall(*, is_system: bool) -> None:
    """Stop the service and remove its files. Models and settings stay."""
    from gglib.cli.service.installing import uninstall_service

    uninstall_service(is_system=is_system)
