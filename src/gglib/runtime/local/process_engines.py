"""Which engine runs a model: that of its backend, else the one that is configured for all models."""

from gglib.core.backends import CommandBackend
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.engines.base import ProcessEngine
from gglib.runtime.engines.command.engine import CommandEngine
from gglib.runtime.local.launch_config import LaunchConfig


def engine_of(spec: ModelLaunchSpec, config: LaunchConfig) -> ProcessEngine:
    """Return the engine that launches a model."""
    return CommandEngine(spec.backend) if isinstance(spec.backend, CommandBackend) else config.engine
