"""The texts of a pull before its first byte: the choices, the plan, and how to resume. Pure."""

from collections.abc import Iterator
from shlex import quote
from typing import TYPE_CHECKING

from gglib.cli.views import render
from gglib.core import shell_quoting
from gglib.core.hub.shown_source import shown_target
from gglib.core.memory import Fit
from gglib.core.sizes import format_size_of
from gglib.library.pull.disk_space import PullPlace

if TYPE_CHECKING:
    from gglib.core.hub.variants import Variant
    from gglib.library.fit.slots import SlotFit
    from gglib.library.pull.plan import PullPlan

CHOICE_COLUMNS = ("", "QUANT", "SIZE", "FIT", "")
_RECOMMENDED = "recommended"
_FIT_TEXT = {
    Fit.FITS: "fits this machine",
    Fit.TIGHT: "a tight fit for this machine",
    Fit.TOO_LARGE: "too large for this machine's free memory",
}


def needs_choice(plan: "PullPlan") -> bool:
    """Whether the user has to choose a quantization: several match, and neither a model nor a begun pull has one."""
    return plan.was_chosen and plan.known is None and not plan.is_resumed


def choice_rows(plan: "PullPlan") -> list[list[str]]:
    """Return a numbered row for each quantization; the planned one is recommended."""
    return [
        [
            str(number),
            variant.label,
            render.size(variant.size_bytes),
            _fit_cell(slot_fit),
            _RECOMMENDED if _is_planned(variant, plan) else "",
        ]
        for number, (variant, slot_fit) in enumerate(plan.choices, 1)
    ]


def planned_index(plan: "PullPlan") -> int:
    """Return the position of the planned quantization among the choices."""
    return next(index for index, (variant, _) in enumerate(plan.choices) if _is_planned(variant, plan))


def choice_target(plan: "PullPlan", index: int) -> str:
    """Return the target that pulls one of the choices."""
    return plan.choices[index][0].target(plan.source.repo or "", plan.asked_revision)


def choices_text(plan: "PullPlan") -> str:
    """Return the variants and their commands, for non-interactive mode."""
    repo = plan.source.repo or ""
    ordered = sorted(plan.choices, key=lambda choice: not _is_planned(choice[0], plan))
    lines = (
        f"  gglib pull {quote(variant.target(repo, plan.asked_revision))}  ({_note(variant, slot_fit, plan)})"
        for variant, slot_fit in ordered
    )
    return "\n".join(("The repository has several quantizations: choose one.", *lines))


def plan_lines(plan: "PullPlan", place: PullPlace) -> Iterator[str]:
    """Yield what is downloaded, where to, and what there is to know: a resumed download, an update, little memory."""
    yield summary(plan)
    if plan.needs_bytes or plan.total_bytes is None:
        yield f"To {place.directory}, {render.size(place.free_bytes)} free."
    if plan.projector is not None and plan.had_projector is None:
        size = render.size(plan.projector.remote.size_bytes)
        yield f"The projector ({size}) is for images; --no-mmproj leaves it out."
    if plan.is_resumed and plan.here_bytes:
        yield resume_line(plan.here_bytes, plan.total_bytes)
    elif plan.here_bytes and plan.known is None and plan.total_bytes is not None:
        yield f"{render.size(plan.here_bytes)} of it are on the disk: {render.size(plan.needs_bytes)} to download."
    if plan.known is not None and plan.needs_bytes:
        yield (
            f"Updates '{plan.name}': needs {render.size(plan.needs_bytes)} of disk space; the older version is "
            f"deleted at the end, which frees {render.size(plan.frees_bytes)}."
        )
    if plan.fit is Fit.TOO_LARGE and plan.need is not None:
        yield f"Note: it needs about {render.size(plan.need.total_bytes)} of memory, more than is free now."


def summary(plan: "PullPlan") -> str:
    """Return what is downloaded, in one sentence."""
    what = (
        f"{plan.source.repo}:{plan.quantization}"
        if plan.source.repo and plan.quantization
        else shown_target(plan.asked)
    )
    files = "1 file" if len(plan.files) == 1 else f"{len(plan.files)} files"
    if plan.projector is not None:
        files += " and a projector"
    fit = "" if plan.fit is None else f", {_FIT_TEXT[plan.fit]}"
    if plan.slot_fit is not None and plan.slot_fit.is_short and plan.fit is Fit.FITS:
        fit += f" ({plan.slot_fit.requests} at a time)"
    size = "size unknown" if plan.total_bytes is None else render.size(plan.total_bytes)
    return f"{what}: {files}, {size}{fit}."


def resume_line(here_bytes: int, total_bytes: int | None) -> str:
    """Return how far a begun download is: ``Resuming at 41 %: 1.9 of 4.7 GB.``."""
    if not total_bytes:
        return f"Resuming at {render.size(here_bytes)}."
    return f"Resuming at {100 * here_bytes // total_bytes} %: {format_size_of(here_bytes, total_bytes)}."


def interrupted_text(plan: "PullPlan") -> str:
    """Return how to resume after Ctrl-C; the query of a URL is not shown."""
    if shown_target(plan.asked) != plan.asked:
        return "Interrupted: the same command resumes."
    return f"Interrupted: {shell_quoting.quoted_command('pull', plan.asked)} resumes."


def _is_planned(variant: "Variant", plan: "PullPlan") -> bool:
    return variant.first.name == plan.files[0].remote.name


def _fit_cell(slot_fit: "SlotFit") -> str:
    return slot_fit.fit.value


def _note(variant: "Variant", slot_fit: "SlotFit", plan: "PullPlan") -> str:
    suggested = "; suggested, --yes selects it" if _is_planned(variant, plan) else ""
    return f"{render.size(variant.size_bytes)}, {_fit_cell(slot_fit)}{suggested}"
