"""What ``verify``, ``outdated``, ``rm`` and ``import`` say, a sentence for each thing, and what to do next. Pure.

Names of files and what other programs call a model are escaped: they are anybody's, and this goes to a terminal.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from gglib.cli import render
from gglib.cli.typed import command, said
from gglib.core.file_names import escaped
from gglib.core.models import ModelSummary
from gglib.usecases.disk_use import DiskUse
from gglib.usecases.file_state import FileState
from gglib.usecases.import_models import ImportItem, ImportState
from gglib.usecases.outdated_models import Upstream, UpstreamCheck, pinned_revision
from gglib.usecases.prune_models import Pruned, PrunePlan
from gglib.usecases.remove_model import Doomed, Removal, RemovalPlan
from gglib.usecases.verify_models import FileCheck, FileVerdict

SHORT_COMMIT = 7
"""Of a commit, as git shows it."""


def verified(check: FileCheck, models_dir: Path) -> str:
    """Return what became of one file."""
    what = escaped(f"{check.model.name}: {check.path.name}")
    match check.verdict:
        case FileVerdict.GOOD:
            return f"{what} is as its source has it."
        case FileVerdict.UNKNOWN:
            return f"{what} has SHA-256 {check.found}; nobody says what it should be."
        case FileVerdict.DIFFERS:
            return f"{what} is damaged or was changed: {what_next(check.model, models_dir)}"
        case FileVerdict.GONE:
            return f"{what} is gone: {what_next(check.model, models_dir)}"
        case FileVerdict.UNREADABLE:
            return f"{what} cannot be read ({check.reason}): make it readable for this user."


def what_next(model: ModelSummary, models_dir: Path) -> str:
    """Return how a file of the model becomes right again."""
    source = model.source
    name = model.name
    if model.is_downloaded and source.repo is not None and source.file is not None:
        pinned = pinned_revision(model, models_dir)
        at = "" if pinned is None else f"@{pinned}"
        return f"{said('pull', f'{source.repo}/{source.file}{at}')} fetches it again."
    if source.origin == "starter":
        return f"{said('rm', '--files', name)}, then 'gglib up' fetches it again."
    if source.origin == "url":
        return f"{said('rm', '--files', name)}, then 'gglib pull' with its address fetches it again."
    if source.origin == "ollama":
        return "'ollama pull' fetches it again."
    if source.repo is not None and source.file is not None:
        return f"{said('pull', f'{source.repo}/{source.file}')} fetches one of gglib's own."
    return f"put a good copy in its place, or {said('rm', name)}."


def upstream(check: UpstreamCheck) -> str:
    """Return how one model stands to its repository."""
    name = escaped(check.model.name)
    pull = command("pull", check.target)
    match check.state:
        case Upstream.CURRENT:
            return f"{name}: as {check.repo} has it."
        case Upstream.CHANGED:
            files = escaped(", ".join(change.name for change in check.changes))
            return f"{name}: {check.repo} has another {files} ({_revisions(check)}). Get it: {pull}"
        case Upstream.GONE:
            if check.reason is not None:
                return f"{name}: {check.repo} is gone, or hidden; what is here goes on working."
            return f"{name}: {check.repo} does not have its file any more; what is here goes on working."
        case Upstream.PINNED:
            return f"{name}: pinned {check.reason}. Get the newest: {pull}"
        case Upstream.NOT_TOLD:
            return f"{name}: {check.repo} could not be compared: {check.reason}"


def _revisions(check: UpstreamCheck) -> str:
    new = (check.new_revision or "")[:SHORT_COMMIT]
    return f"{check.old_revision[:SHORT_COMMIT]} -> {new}" if check.old_revision else f"now at {new}"


def to_be_removed(plan: RemovalPlan) -> Iterator[str]:
    """Return what will go and what will stay."""
    yield from map(_going, plan.doomed)
    yield from spared(plan)


def spared(plan: RemovalPlan) -> Iterator[str]:
    """Return what stays, and why."""
    for file in plan.spared:
        yield f"Keeps {_shown(file.path)}: {escaped(file.reason)}."


def removed(plan: RemovalPlan, removal: Removal, state: str | None) -> Iterator[str]:
    """Return what became of a removal; ``state`` is the model's in a running server, or None."""
    name = escaped(plan.model.name)
    size = render.size(removal.freed_bytes) if removal.freed_bytes else "nothing"
    if not removal.deleted:
        yield f"Forgot '{name}'; no file was deleted."
    elif state is None:
        yield f"Forgot '{name}' and freed {size} of disk."
    else:
        yield (
            f"Forgot '{name}'. It is in the memory of the running gglib ({state}): {size} of disk are freed when it "
            "leaves that. 'gglib stop' takes it out now."
        )
    for file in removal.undeleted:
        yield f"{_shown(file.path)} could not be deleted ({file.reason}): the next gglib command tries again."


def to_be_pruned(plan: PrunePlan, models_dir: Path) -> Iterator[str]:
    """Return what no model uses: what goes, what stays and why, and a total."""
    yield from map(_going, plan.doomed)
    for file in plan.spared:
        yield f"Keeps {_shown(file.path)}: {escaped(file.reason)}."
    emptied = {parent for file in plan.doomed for parent in file.path.parents}
    for directory in plan.directories:
        if directory in emptied:
            continue  # it goes with its last file
        yield f"Removes the empty directory {_shown(directory)}"
    if plan.doomed:
        yield f"{_files(len(plan.doomed))}, {_amount(plan.freed_bytes)} in all."
    elif not plan.directories:
        yield f"Nothing to free in {_shown(models_dir)}."


def pruned(done: Pruned) -> Iterator[str]:
    """Return what became of it."""
    if done.deleted:
        yield f"Deleted {_files(len(done.deleted))} and freed {_amount(done.freed_bytes)}."
    for file in done.undeleted:
        yield f"{_shown(file.path)} could not be deleted ({file.reason}): make its directory writable and try again."


def total(use: DiskUse) -> str:
    """Return the last line of a list: what the models take on the disk, and how much of that gglib may free."""
    models = "1 model" if use.models == 1 else f"{use.models} models"
    return (
        f"{models}, {render.size(use.total_bytes)} on disk, {render.size(use.own_bytes)} of it gglib's own."
    )


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _amount(size_bytes: int) -> str:
    return render.size(size_bytes) if size_bytes else "nothing"


def _going(file: Doomed) -> str:
    other = "" if file.freed_bytes or not file.size_bytes else ", which has another name and frees nothing"
    return f"Deletes {_shown(file.path)} ({render.size(file.size_bytes)}{other})"


def forgotten(model: ModelSummary) -> Iterator[str]:
    """Return what became of a model that was forgotten without its files."""
    is_one = len(model.all_files) == 1
    files = ", ".join(map(_shown, model.all_files))
    yield f"Forgot '{escaped(model.name)}'. {'Its file stays' if is_one else 'Its files stay'}: {files}"
    if model.is_downloaded:
        it = "it" if is_one else "them"
        yield f"'gglib rm --files' would have deleted {it}, too; 'gglib prune' does it now."


def found(items: Sequence[ImportItem]) -> Iterator[str]:
    """Return what is not added, and why."""
    for item in items:
        name, path = escaped(item.name), _shown(item.path)
        if item.state is ImportState.KNOWN:
            yield f"Known: {path} is '{name}'."
        elif item.state is ImportState.SKIPPED:
            what = path if item.name == item.path.name else f"{name} ({path})"
            yield f"Skipped: {what}: {escaped(item.reason or '')}."


def imported(item: ImportItem) -> str:
    """Return what became of one model."""
    name = escaped(item.name)
    if item.state is ImportState.ADDED:
        return f"Added '{name}'."
    return f"'{name}' was not added: {escaped(item.reason or '')}."


def of_file(state: FileState) -> str:
    """Return what is said behind a file that cannot be used."""
    match state:
        case FileState.HERE:
            return ""
        case FileState.GONE:
            return "  (gone)"
        case FileState.HIDDEN:
            return "  (hidden: let this user search the directories above it)"


def _shown(path: Path) -> str:
    return escaped(str(path))
