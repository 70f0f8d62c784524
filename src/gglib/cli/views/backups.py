"""What ``gglib backup`` and ``gglib restore`` print."""

from collections.abc import Iterator
from pathlib import Path

from gglib.app.backup.manifest import Part
from gglib.app.backup.restoring import RestoredHome
from gglib.app.backup.writing import HomeBackup
from gglib.cli.views import render

_NAMES = {Part.CATALOG: "catalogue", Part.SETTINGS: "settings", Part.HISTORY: "request history"}


def written_lines(backup: HomeBackup) -> Iterator[str]:
    """Yield the sentences about a written backup."""
    what = []
    if backup.models is not None:
        what.append(f"the catalogue with {_count(len(backup.models), 'model')}")
    if backup.has_settings:
        what.append("the settings")
    if backup.history is not None:
        what.append(f"the history of {_count(backup.history.requests, 'request')}")
    yield (
        f"Wrote {_joined(what)} to {backup.path} ({render.size(backup.size_bytes)}). "
        "The models' files are not in it."
    )
    if backup.history is not None and backup.history.bodies:
        yield (
            f"It contains {_count(backup.history.bodies, 'recorded prompt')} with answers: "
            "'--no-history' leaves them out."
        )


def restored_lines(
    file: Path, restored: RestoredHome, models: int | None, *, is_running: bool
) -> Iterator[str]:
    """Yield the sentences about a restore; ``models`` is the number of models in a restored catalogue."""
    counted = "" if models is None else f" with {_count(models, 'model')}"
    what = [f"the {_NAMES[part]}{counted if part is Part.CATALOG else ''}" for part in restored.parts]
    yield f"Restored {_joined(what)} from {file}."
    for part, before in restored.before.items():
        yield f"The previous {_NAMES[part]} {'are' if part is Part.SETTINGS else 'is'} kept as {before}."
    if is_running and Part.SETTINGS in restored.parts:
        yield "The running gglib applies the settings at once: 'gglib reload' shows which of them need a restart."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _joined(words: list[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
