"""Which unfinished pulls a target means: to resume, also without a quantization; to discard, exactly. Pure."""

from collections.abc import Sequence

from gglib.core.errors import HubError
from gglib.core.versions import PullJob
from gglib.library.variants.pull_target import PullTarget, read_target


def resumed_target(target: PullTarget, jobs: Sequence[PullJob]) -> PullTarget:
    """Return the target of the only unfinished pull of the same repository and revision, else ``target``.

    A target with a quantization, a file or a URL says what it means.
    """
    if target.repo is None or target.quantization is not None or target.file is not None:
        return target
    found = [begun for job in jobs if (begun := _target_of(job)) is not None and _is_same(begun, target)]
    return found[0] if len(found) == 1 else target


def pulls_of(target: str, jobs: Sequence[PullJob]) -> list[PullJob]:
    """Return the unfinished pulls of exactly this target. Raises ``VariantChoiceError`` for an invalid target.

    A target without a quantization does not mean the unfinished pull of one: files are deleted by this list.
    """
    wanted = read_target(target)
    return [job for job in jobs if job.asked == target or _target_of(job) == wanted]


def _target_of(job: PullJob) -> PullTarget | None:
    try:
        return read_target(job.asked)
    except HubError:  # written by another version
        return None


def _is_same(begun: PullTarget, target: PullTarget) -> bool:
    return (begun.repo or "").casefold() == (
        target.repo or ""
    ).casefold() and begun.revision == target.revision
