"""Settings become what frees the files that no model uses."""

from gglib.hf.note import decode
from gglib.settings import Settings
from gglib.starter.fetch import WORK_NAME
from gglib.usecases.prune_models import Pruner
from gglib.usecases.versions.locks import HomeLocks


def pruner(settings: Settings) -> Pruner:
    """Return the pruner of a home."""
    return Pruner(
        models_dir=settings.models_dir,
        locks=HomeLocks(settings.home),
        is_part_note=lambda content: decode(content) is not None,
        work_name=WORK_NAME,
    )
