"""What a change of ``config.toml`` means for a running server: when it is used, and what overrides it."""

import os
from typing import TYPE_CHECKING

from gglib.app.settings.config_reader import first_problem
from gglib.app.settings.effective import effect_of_change, overriding
from gglib.cli.server.instance import find_instance
from gglib.cli.views import render
from gglib.system.process_arguments import process_arguments

if TYPE_CHECKING:
    from gglib.app.settings import Settings
    from gglib.app.settings.spec import SettingSpec


def effect_on_server(settings: "Settings", spec: "SettingSpec") -> str | None:
    """Return how the running server of this home gets the change; None if none runs."""
    problem = first_problem(settings.config_path)
    return effect_of_change(spec, is_running=find_instance(settings) is not None, problem=problem)


def warn_of_overrides(settings: "Settings", spec: "SettingSpec") -> None:
    """Warn if the environment, or an option of the running server, overrides ``config.toml``."""
    instance = find_instance(settings)
    arguments = [] if instance is None else process_arguments(instance.pid)
    for warning in overriding(spec, os.environ, arguments):
        render.warn(warning)
