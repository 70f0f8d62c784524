"""The offer of ``gglib up``: an engine for a GPU that the engine in use cannot use."""

from typing import TYPE_CHECKING

import click

from gglib.cli.terminal.console import is_interactive
from gglib.cli.views import render
from gglib.core.errors import EngineNotFoundError, GglibError

if TYPE_CHECKING:
    from gglib.app.memory.gpu_use import GpuUse
    from gglib.app.settings import Settings


def offer_engine(settings: "Settings") -> None:
    """Ask once, at a terminal only, whether to install an engine for the GPU; a failed installation is a warning."""
    from gglib.app.engines import offers

    if not is_interactive():
        return
    use = _gpu_use(settings)
    if use is None or not offers.is_due(settings, use):
        return
    if click.confirm(offers.question(use), default=True):
        _install(settings)
    else:
        offers.remember(settings, use)
        render.echo("'gglib engine install' does it later.")


def _gpu_use(settings: "Settings") -> "GpuUse | None":
    """Return the use of the GPUs; None without a GPU, whose engine is not asked then."""
    from gglib.app.memory.gpu_use import read_gpu_use
    from gglib.runtime.engines import find_engine
    from gglib.system.present_gpus import read_present_gpus

    if not any(gpu.is_discrete and gpu.has_driver for gpu in read_present_gpus()):
        return None
    try:
        return read_gpu_use(find_engine(settings.engine))
    except EngineNotFoundError:  # the start reports it
        return None


def _install(settings: "Settings") -> None:
    from gglib.cli.engines.installing import install_engine

    try:
        install_engine(settings, None, name=None, chooses=True, as_json=False)
    except GglibError as error:
        render.warn(f"{error} The start goes on with the engine that is there.")
