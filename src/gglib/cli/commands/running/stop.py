"""``gglib stop``: unloads one model or all, or stops the server."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gglib.app.settings import Settings
    from gglib.cli.context import Options

POLL_S = 0.05


@click.command("stop")
@click.argument("model", required=False)
@click.option("--server", is_flag=True, help="Stop the gglib server itself.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, model: str | None, *, server: bool, as_json: bool) -> None:
    """Unload all models, or MODEL.

    Waits for responses in flight, for up to 'drain_s' seconds. The server keeps running: the next request loads a
    model again. '--server' stops the server, too.
    """
    from gglib.cli.commands.running.unload import command as unload
    from gglib.cli.server.instance import server_endpoint
    from gglib.cli.server.models import stop_timeout_s, unload_all
    from gglib.cli.views import render
    from gglib.core.errors import InvalidSettingError

    options: Options = ctx.obj
    if model is not None:
        if server:
            raise click.UsageError("Use either MODEL or --server.")
        ctx.invoke(unload, model=model, as_json=as_json)
        return
    if server:
        if options.remote is not None:
            raise InvalidSettingError(
                "'gglib stop --server' works only on the server's own machine: run it there."
            )
        _stop_server(options.tolerant_settings(), as_json=as_json)
        return
    names = unload_all(server_endpoint(options), timeout_s=stop_timeout_s(options))
    if as_json:
        render.show_json({"stopped": names})
    else:
        render.echo(f"Unloaded {', '.join(names)}." if names else "No model was loaded.")


def _stop_server(settings: "Settings", *, as_json: bool) -> None:
    import os
    import signal
    import time

    from gglib.app.serving.stop_requests import announced_stop
    from gglib.cli.server.instance import NOT_RUNNING, find_instance
    from gglib.cli.server.models import STOP_TIMEOUT_S
    from gglib.cli.views import render
    from gglib.core.errors import GglibError

    instance = find_instance(settings)
    if instance is None:
        raise GglibError(NOT_RUNNING)
    if instance.is_private:
        raise GglibError(
            f"The only server of this home belongs to a chat (pid {instance.pid}) and ends with it: /bye leaves it."
        )
    with announced_stop(settings.run_dir, instance.pid):
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
    if as_json:
        render.show_json({"server": {"pid": instance.pid, "url": instance.url}})
    else:
        click.echo(f"Stopped gglib (pid {instance.pid}).")
