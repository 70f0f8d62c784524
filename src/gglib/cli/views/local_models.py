"""The output of ``verify``, ``outdated``, ``rm`` and ``import``: one sentence per item, with the next step. Pure.

File names and the model names of other programs are untrusted, so they are escaped for the terminal.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from gglib.cli.views import render
from gglib.cli.views.model_list import SHORT_COMMIT_CHARACTERS
from gglib.core.file_names import escaped
from gglib.core.hub.shown_source import pull_target
from gglib.core.hub.updates import Upstream, UpstreamCheck
from gglib.core.models import ModelSummary
from gglib.core.ports import RemovedModel
from gglib.core.shell_quoting import quoted_command, shell_command
from gglib.core.verification import FileCheck, FileVerdict
from gglib.library.disk_use import DiskUse
from gglib.library.file_state import FileState
from gglib.library.importers.import_models import ImportItem, ImportState
from gglib.library.prune import Pruned, PrunePlan
from gglib.library.remove import RemovalPlan
from gglib.library.versions.deletable_files import DeletableFile


def format_check(check: FileCheck) -> str:
    """Return the result for one file."""
    what = escaped(f"{check.model.name}: {check.path.name}")
    match check.verdict:
        case FileVerdict.GOOD:
            other = (
                ", but it is not the file that gglib wrote: gglib never deletes it"
                if check.is_replaced
                else ""
            )
            return f"{what} matches its source{other}."
        case FileVerdict.UNKNOWN:
            return f"{what} has SHA-256 {check.found}; no expected hash is known."
        case FileVerdict.DIFFERS:
            how = "damaged or was changed"
            if check.is_replaced:
                how = "no longer the file that gglib wrote (modified or replaced), and gglib never deletes it"
            return f"{what} is {how}: {recovery_hint(check.model)}"
        case FileVerdict.GONE:
            return f"{what} is missing: {recovery_hint(check.model, is_missing=True)}"
        case FileVerdict.UNREADABLE:
            return f"{what} cannot be read ({check.reason}): make it readable for this user."


_REPLACEMENT = {True: "it again", False: "a copy managed by gglib"}


def recovery_hint(model: ModelSummary, *, is_missing: bool = False) -> str:
    """Return how to restore a file of the model: a missing one of the starter model without removing the model."""
    target = pull_target(model)
    if target is not None:
        return f"{quoted_command('pull', target)} downloads {_REPLACEMENT[model.is_downloaded]}."
    match model.source.origin:
        case "starter" if is_missing:
            return f"{quoted_command('pull')} at a terminal, and 1 in its list, downloads it again."
        case "starter":
            return f"{quoted_command('rm', '--files', model.name)}, then {quoted_command('pull')} offers it again."
        case "url":
            return "'gglib pull' with its full URL downloads it again."
        case "ollama":
            return "'ollama pull' downloads it again."
    return f"restore the file, or remove the model: {quoted_command('rm', model.name)}."


def format_upstream(check: UpstreamCheck) -> str:
    """Return how one model compares with its source."""
    name = escaped(check.model.name)
    pull = (
        "gglib pull with its full URL (its query is not shown)"
        if check.target is None
        else shell_command("pull", check.target)
    )
    match check.state:
        case Upstream.CURRENT:
            return f"{name}: matches {check.repo}."
        case Upstream.CHANGED:
            files = escaped(", ".join(change.name for change in check.changes))
            revisions = _revisions(check)
            size = sum(change.new_size_bytes or 0 for change in check.changes)
            what = ", ".join(filter(None, (revisions, render.size(size) if size else "")))
            return f"{name}: {check.repo} has a newer {files} ({what}). Update: {pull}"
        case Upstream.GONE:
            how = "no longer has its file" if check.reason is None else "was deleted or is private"
            return f"{name}: {check.repo} {how}; the local copy keeps working."
        case Upstream.PINNED:
            return f"{name}: pinned {check.reason}. Update to the latest: {pull}"
        case Upstream.UNCHECKED:
            return f"{name}: {check.repo} could not be compared: {check.reason}"
        case Upstream.UNKNOWN:
            return f"{name}: no version information from {check.repo}, so it could not be compared."


def _revisions(check: UpstreamCheck) -> str:
    if check.new_revision is None:
        return ""  # a URL
    new = check.new_revision[:SHORT_COMMIT_CHARACTERS]
    return (
        f"{check.old_revision[:SHORT_COMMIT_CHARACTERS]} -> {new}" if check.old_revision else f"now at {new}"
    )


def removal_plan_lines(plan: RemovalPlan) -> Iterator[str]:
    """Return the files that will be deleted, and those that stay."""
    yield from map(_deleted_line, plan.deletable)
    for file in plan.retained:
        yield _kept_line(file.path, file.reason)


def removal_lines(removal: RemovedModel, state: str | None) -> Iterator[str]:
    """Return the result of removing a model with its files; ``state`` is its state in a running server."""
    name = escaped(removal.model.name)
    if removal.waiting and state is not None:
        yield (
            f"Removed '{name}'. It is loaded by the running gglib ({state}): "
            f"{_size_or_nothing(removal.waiting_bytes)} of disk space are freed when it is unloaded. "
            "'gglib stop' unloads it now."
        )
    elif removal.waiting:
        yield (
            f"Removed '{name}'. Its files are in use now: {_size_or_nothing(removal.waiting_bytes)} of disk "
            "are freed by the first gglib command after that."
        )
    elif removal.deleted:
        yield f"Removed '{name}' and freed {_size_or_nothing(removal.freed_bytes)} of disk."
    else:
        yield f"Removed '{name}'; no file was deleted."
    for path, reason in removal.undeleted:
        yield f"{_shown(path)} could not be deleted ({reason}): the next gglib command retries."
    for path, reason in removal.retained:
        yield _kept_line(path, reason)


def prune_plan_lines(plan: PrunePlan, models_dir: Path) -> Iterator[str]:
    """Return the files that will be deleted, those that stay with the reason, and a total."""
    yield from map(_deleted_line, plan.deletable)
    for file in plan.retained:
        yield _kept_line(file.path, file.reason)
    emptied = {parent for file in plan.deletable for parent in file.path.parents}
    for directory in plan.directories:
        if directory in emptied:
            continue  # deleted with its last file
        yield f"Removes the empty directory {_shown(directory)}"
    if plan.deletable:
        yield f"{_file_count(len(plan.deletable))}, {_size_or_nothing(plan.freed_bytes)} in total."
    elif not plan.directories:
        yield f"Nothing to free in {_shown(models_dir)}."


def prune_lines(done: Pruned) -> Iterator[str]:
    """Return the result of a prune."""
    if done.deleted:
        yield f"Deleted {_file_count(len(done.deleted))} and freed {_size_or_nothing(done.freed_bytes)}."
    if done.waiting:
        what = "1 file is" if len(done.waiting) == 1 else f"{len(done.waiting)} files are"
        yield f"{what} in use; a later gglib command deletes what is left."
    for file in done.undeleted:
        yield f"{_shown(file.path)} could not be deleted ({file.reason}): make its directory writable and try again."


def format_disk_use(use: DiskUse) -> str:
    """Return the last line of a list: the models' disk use, and gglib's own share."""
    models = "1 model" if use.models == 1 else f"{use.models} models"
    shared = (
        f" {render.size(use.shared_bytes)} are shared between models and counted once."
        if use.shared_bytes
        else ""
    )
    own = render.size(use.own_bytes)
    return f"{models}, {render.size(use.total_bytes)} on disk, {own} of that managed by gglib.{shared}"


def format_missing(names: Sequence[str]) -> str:
    """Return the line below a list that names the models without their files."""
    return f"Files are missing of: {escaped(', '.join(names))}. {quoted_command('doctor')} says how to restore them."


def sharers_suffix(names: Sequence[str]) -> str:
    """Return the suffix of a file that other models share."""
    return f"  (shared with {escaped(', '.join(names))})" if names else ""


def _file_count(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _size_or_nothing(size_bytes: int) -> str:
    return render.size(size_bytes) if size_bytes else "nothing"


def _deleted_line(file: DeletableFile) -> str:
    other = "" if file.freed_bytes or not file.size_bytes else ", hard-linked elsewhere: frees nothing"
    return f"Deletes {_shown(file.path)} ({render.size(file.size_bytes)}{other})"


def _kept_line(path: Path, reason: str) -> str:
    return f"Keeps {_shown(path)}: {escaped(reason)}."


def format_freed(freed_bytes: Sequence[int]) -> str:
    """Return the last line of removing several models with their files."""
    return f"Freed {_size_or_nothing(sum(freed_bytes))} of disk in total."


def forgotten_lines(model: ModelSummary, *, with_hint: bool = True) -> Iterator[str]:
    """Return the result of removing a model without its files; ``with_hint``: with the commands that delete these."""
    if not model.all_files:
        yield f"Removed '{escaped(model.name)}'."
        return
    is_one = len(model.all_files) == 1
    files = ", ".join(map(_shown, model.all_files))
    yield f"Removed '{escaped(model.name)}'. {'Its file stays' if is_one else 'Its files stay'}: {files}"
    if model.is_downloaded and with_hint:
        it = "it" if is_one else "them"
        yield f"'gglib prune' deletes {it} now; 'gglib rm --files' deletes the files with the model."


def references_line(name: str, references: Sequence[str]) -> str:
    """Return the sentence for settings that have the name of a model that was renamed or removed."""
    return f"These settings still name '{escaped(name)}': {', '.join(references)}."


def not_added_lines(items: Sequence[ImportItem]) -> Iterator[str]:
    """Return the models that are not added, with the reason."""
    for item in items:
        name, path = escaped(item.name), _shown(item.path)
        if item.state is ImportState.KNOWN:
            yield f"Already added: {path} is '{name}'."
        elif item.state is ImportState.SKIPPED:
            what = path if item.name == item.path.name else f"{name} ({path})"
            yield f"Skipped: {what}: {escaped(item.reason or '')}."


def format_imported(item: ImportItem) -> str:
    """Return the result for one model."""
    name = escaped(item.name)
    if item.state is ImportState.ADDED:
        return f"Added '{name}'."
    return f"'{name}' was not added: {escaped(item.reason or '')}."


def file_state_suffix(state: FileState) -> str:
    """Return the suffix of a file that cannot be used."""
    match state:
        case FileState.HERE:
            return ""
        case FileState.GONE:
            return "  (missing)"
        case FileState.HIDDEN:
            return "  (not accessible: grant this user search permission on its parent directories)"


def _shown(path: Path) -> str:
    return escaped(str(path))
