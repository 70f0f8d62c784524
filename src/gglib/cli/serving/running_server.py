"""What ``gglib up`` does if a gglib already runs with the home: waits until it listens, and says where."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from gglib.app.serving.instance import Instance, private_message
from gglib.app.settings import Settings
from gglib.cli.server.client import reachable
from gglib.cli.server.instance import find_instance, get_status
from gglib.cli.views import first_start, render
from gglib.core.errors import AlreadyRunningError, GglibError

STARTING_WAIT_S = 30.0
"""A start takes seconds, unless it downloads the starter model."""
_POLL_S = 0.2


def show_running(settings: Settings, given: Mapping[str, str | bool | None]) -> bool:
    """Print where the gglib of this home serves, and how to connect; return False if none runs.

    Raises ``AlreadyRunningError`` if a chat uses the home with a server of its own.
    ``given`` are the options of the command: the running server lacks those that differ.
    """
    instance = wait_until_listening(lambda: find_instance(settings))
    if instance is None:
        return False
    if instance.is_private:
        raise AlreadyRunningError(private_message(instance.pid))
    if instance.url is None:
        render.echo(
            f"Another gglib is still starting with this home (pid {instance.pid}): run 'gglib up' again in a moment; "
            "'gglib logs' shows what it does."
        )
        return True
    url = reachable(instance.url)
    lines = first_start.running_lines(
        url, instance.pid, _loaded(instance), first_start.unapplied_options(given, url)
    )
    for line in (*lines, *first_start.connect_lines()):
        render.show_line(line)
    return True


def wait_until_listening(
    find: Callable[[], Instance | None], *, limit_s: float = STARTING_WAIT_S
) -> Instance | None:
    """Return the running instance, once it listens or after ``limit_s``; None if there is none, or it has ended."""
    instance = find()
    if instance is None or instance.url is not None:
        return instance
    render.echo(
        f"Another gglib is starting with this home (pid {instance.pid}): waiting for it ...", is_error=True
    )
    deadline_s = time.monotonic() + limit_s
    while instance is not None and instance.url is None and time.monotonic() < deadline_s:
        time.sleep(_POLL_S)
        instance = find()
    return instance


def _loaded(instance: Instance) -> list[str] | None:
    """Return the names of the models in memory; None if the server does not respond."""
    if instance.endpoint is not None:
        with suppress(GglibError):
            return [resident["model_name"] for resident in get_status(instance.endpoint)["residents"]]
    return None
