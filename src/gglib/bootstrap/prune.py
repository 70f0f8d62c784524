"""Settings become what frees the files that no model uses."""

from gglib.bootstrap.catalog import own_files
from gglib.hf.note import decode
from gglib.settings import Settings
from gglib.starter.fetch import WORK_NAME
from gglib.usecases.prune_models import Pruner
from gglib.usecases.pull_journal import PullJournal


def pruner(settings: Settings) -> Pruner:
    """Return the pruner of a home."""
    return Pruner(
        own=own_files(settings),
        journal=PullJournal(settings.models_dir),
        is_part_note=lambda content: decode(content) is not None,
        work_name=WORK_NAME,
    )
