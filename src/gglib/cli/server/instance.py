"""Finds the running gglib of a home, and queries its status."""

from typing import Any

from gglib.app.serving.instance import Instance, running_instance
from gglib.app.settings import Settings
from gglib.cli.context import Options
from gglib.core.addresses import Endpoint
from gglib.core.errors import GglibError

STATUS_PATH = "/gglib/status"
NOT_RUNNING = "No gglib is running with this home: start one with 'gglib serve'."


def require_endpoint(settings: Settings) -> Endpoint:
    """Return the endpoint of this home's gglib. Raises ``GglibError`` if none is running."""
    instance = find_instance(settings)
    if instance is None:
        raise GglibError(NOT_RUNNING)
    if instance.endpoint is None:
        raise GglibError("gglib is starting or stopping: try again in a moment.")
    return instance.endpoint


def server_endpoint(options: Options, *, is_quiet: bool = False) -> Endpoint:
    """Return the remote server, else that of this home. Raises ``GglibError`` if there is none.

    Warnings of the settings of this home are printed unless ``is_quiet``.
    """
    if options.remote is not None:
        return options.remote
    return require_endpoint(options.tolerant_settings(is_quiet=is_quiet))


def find_instance(settings: Settings) -> Instance | None:
    """Return the running gglib of this home, or None."""
    return running_instance(settings.run_dir)


def get_status(server: Endpoint) -> dict[str, Any]:
    """Return the status of a running gglib; ``docs/api.md`` has the fields."""
    from gglib.cli.server.client import get_json

    status: dict[str, Any] = get_json(server, STATUS_PATH, "Status")
    return status


def model_states(settings: Settings) -> dict[int, str]:
    """Return the states of the models in memory, by id; empty if no server runs or responds."""
    instance = find_instance(settings)
    if instance is None or instance.endpoint is None:
        return {}
    try:
        status = get_status(instance.endpoint)
    except GglibError:
        return {}
    return {resident["model_id"]: resident["state"] for resident in status["residents"]}
