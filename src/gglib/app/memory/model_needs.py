"""The memory that models of this machine take, as nodes report theirs by ``GET /gglib/fits``."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from gglib.app.memory.fitting import default_context
from gglib.app.settings import Settings
from gglib.core.backends import UrlBackend
from gglib.core.errors import EngineArgumentError
from gglib.core.kinds import launch_spec
from gglib.core.memory import DeviceBytes
from gglib.core.models import NO_FILE, ModelLaunchSpec, ModelSummary


class LaunchSizePort(Protocol):
    """Knows the size of a launch: ``app.memory.accounts``."""

    async def size_of(self, spec: ModelLaunchSpec, context: int) -> DeviceBytes:
        """Return what a launch takes, in bytes by device. Raises ``EngineArgumentError``."""
        ...


def model_needs(
    sizes: LaunchSizePort, settings_of: Callable[[], Settings]
) -> Callable[[ModelSummary], Awaitable[DeviceBytes]]:
    """Return a function that returns the memory of a launch with the model's own context.

    It is the size that the runtime reserves for such a launch. Empty if it is unknown: the model is at another server,
    or has an engine argument that the engine does not take.
    """

    async def need_of(model: ModelSummary) -> DeviceBytes:
        if isinstance(model.backend, UrlBackend):
            return {}
        spec = launch_spec(model, model.paths[0] if model.paths else NO_FILE)
        try:
            return await sizes.size_of(spec, default_context(spec, settings_of()))
        except EngineArgumentError:
            return {}

    return need_of
