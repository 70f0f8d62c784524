"""Composes the pruner, which deletes the files that no model uses."""

from gglib.app.settings import Settings
from gglib.hf.download.manifest import decode
from gglib.library.prune import Pruner
from gglib.library.starter.fetch import WORK_NAME
from gglib.library.versions.locks import HomeLocks


def pruner(settings: Settings) -> Pruner:
    """Return the pruner of a home."""
    return Pruner(
        models_dir=settings.models_dir,
        locks=HomeLocks(settings.home),
        is_part_manifest=lambda content: decode(content) is not None,
        work_name=WORK_NAME,
        kept_dir=settings.kept_dir,
    )
