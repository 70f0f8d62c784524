"""``gglib stop``: unloads all models, or stops the server."""

from typing import TYPE_CHECKING

import click

from gglib.cli.context import Options

if TYPE_CHECKING:
    from gglib.app.settings import Settings

STOP_TIMEOUT_S = 20.0
"""After the drain, the server closes its streams and stops its engines within about 12 s at worst."""
POLL_S = 0.05


@click.command("stop")
@click.option("--server", is_flag=True, help="Stop the gglib server itself.")
@click.pass_obj
def command(options: Options, *, server: bool) -> None:
    """Unload all models.

    Waits for responses in flight, for up to 'drain_s' seconds. The server keeps running: the next request loads a
    model again. '--server' stops the server, too.
    """
    from gglib.cli.server.client import post_json
    from gglib.cli.server.instance import require_endpoint
    from gglib.cli.views import render

    settings = options.settings()
    if server:
        _stop_server(settings)
        return
    endpoint = require_endpoint(settings)
    names = post_json(endpoint, "/gglib/stop", timeout_s=settings.drain_s + STOP_TIMEOUT_S)["stopped"]
    render.echo(f"Unloaded {', '.join(names)}." if names else "No model was loaded.")


def _stop_server(settings: "Settings") -> None:
    import os
    import signal
    import time

    from gglib.cli.server.instance import NOT_RUNNING, find_instance
    from gglib.core.errors import GglibError

    instance = find_instance(settings)
    if instance is None:
        raise GglibError(NOT_RUNNING)
    try:
        os.kill(instance.pid, signal.SIGTERM)
    except ProcessLookupError:
        pass  # it has exited in the meantime
    except PermissionError as error:
        raise GglibError(
            f"gglib (pid {instance.pid}) belongs to another user: only that user can stop it."
        ) from error
    limit_s = settings.drain_s + STOP_TIMEOUT_S
    deadline = time.monotonic() + limit_s
    while (now := find_instance(settings)) is not None and now.pid == instance.pid:
        if time.monotonic() > deadline:
            raise GglibError(
                f"gglib (pid {instance.pid}) did not stop within {limit_s:.0f} s: "
                f"'kill -9 {instance.pid}' kills it and its engines."
            )
        time.sleep(POLL_S)
    click.echo(f"Stopped gglib (pid {instance.pid}).")
