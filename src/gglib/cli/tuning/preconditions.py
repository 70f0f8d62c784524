"""Refuses a tuning beside models that would slow the measurement down."""

from gglib.app.settings import Settings
from gglib.cli.server.instance import find_instance, get_status
from gglib.core.errors import AlreadyRunningError, GglibError


def require_quiet_server(settings: Settings) -> None:
    """Raise ``GglibError`` if the server of this home has models in memory, with the command that unloads them."""
    instance = find_instance(settings)
    if instance is None:
        return
    if instance.is_private:
        raise AlreadyRunningError(
            f"A chat has a model in memory, which would slow the measurement down (pid {instance.pid}): leave the chat "
            "with /bye and try again, or add --beside."
        )
    if instance.endpoint is None:
        raise GglibError("gglib is starting or stopping: try again in a moment.")
    names = [f"'{resident['model_name']}'" for resident in get_status(instance.endpoint)["residents"]]
    if names:
        raise GglibError(
            f"gglib has {', '.join(names)} in memory, which would slow the measurement down: run 'gglib stop' first, "
            "or add --beside."
        )
