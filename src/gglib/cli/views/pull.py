"""The user interface of a pull: prompts, a progress bar and a result line, or JSON events for programs."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from shlex import quote
from typing import TYPE_CHECKING, Protocol

import click

from gglib.cli.views import render
from gglib.cli.views.model_list import usage_hint
from gglib.core.errors import GglibError, VariantChoiceError
from gglib.core.hub.shown_source import shown_target
from gglib.core.memory import Fit
from gglib.core.plain_text import escape_line, json_text
from gglib.library.variants.pull_source import names_job

if TYPE_CHECKING:
    from gglib.app.settings import Settings
    from gglib.core.models import ModelSummary
    from gglib.core.ports.store import HomeStorePort
    from gglib.core.versions import PullJob
    from gglib.library.pull.execute import OnPullProgress, PulledModel, PullProgress
    from gglib.library.pull.plan import PullPlan

EVENT_INTERVAL_S = 0.5
"""Interval of progress events for programs."""
SHOWN_FILE_CHARACTERS = 28
"""Length of a file name next to a progress bar in 80 columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullOutcome:
    """The outcome of a pull."""

    plan: "PullPlan"
    result: "PulledModel"
    took_s: float
    is_in_memory: bool
    """Whether a running server has the older version in memory."""
    alias_lists: tuple[str, ...] = ()
    """The alias lists and patterns of the settings that name the model."""

    @property
    def model(self) -> "ModelSummary":
        """The model as it is now."""
        return self.result.model


class PullReporter(Protocol):
    """Reports the progress of a pull."""

    def planned(self, plan: "PullPlan") -> None:
        """Report what will be downloaded."""

    def progress(self) -> AbstractContextManager["OnPullProgress"]:
        """Report progress for the duration of the block."""
        ...

    def pulled(self, pulled: PullOutcome) -> None:
        """Report the outcome."""

    def failed(self, error: GglibError) -> None:
        """Report an error, in addition to the sentence on stderr."""


def run(  # noqa: PLR0913 - the user's options, prompts and the reporter
    settings: "Settings",
    target: str,
    *,
    name: str | None,
    aliases: Sequence[str],
    prompts: "PullPrompts",
    reporter: PullReporter,
) -> None:
    """Pull ``target``: plan, prompt, download, add to the catalogue. After Ctrl-C the partial files are kept."""
    from gglib.app.hub import open_hub
    from gglib.app.pulls import planner, puller
    from gglib.cli.runner import catalog_session
    from gglib.cli.server.instance import model_states
    from gglib.library.variants.pull_target import read_target
    from gglib.proxy.names.alias_table import lists_by_model
    from gglib.proxy.names.aliases import AliasLists

    async def make_plan(store: "HomeStorePort") -> "PullPlan":
        async with open_hub() as hub:
            parsed = read_target(target)
            return await (await planner(settings, store, hub)).plan(parsed, name=name, aliases=aliases)

    async def pull(store: "HomeStorePort") -> "PulledModel":
        async with open_hub() as hub:
            with reporter.progress() as on_progress:
                return await puller(settings, store, hub).pull(plan, on_progress)

    try:
        with catalog_session(settings) as catalog:
            # Prompts between the calls, where Ctrl-C interrupts them (see ``catalog_session``).
            plan = prompts.confirmed(catalog.run(make_plan))
            reporter.planned(plan)
            started_s = time.monotonic()
            try:
                result = catalog.run(pull)
                models = catalog.run(lambda store: store.list_models())
            except KeyboardInterrupt:
                click.echo("\nInterrupted: run the same command again to resume.", err=True)
                raise
    except GglibError as error:
        reporter.failed(error)
        raise
    reporter.pulled(
        PullOutcome(
            plan=plan,
            result=result,
            took_s=time.monotonic() - started_s,
            is_in_memory=result.is_updated and result.model.id in model_states(settings),
            alias_lists=lists_by_model(models, AliasLists(settings.aliases)).get(result.model.id, ()),
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PullPrompts:
    """Prompts for what the options leave open."""

    assume_yes: bool
    wants_projector: bool | None
    is_non_interactive: bool = False
    """Whether the output is for a program: there are no prompts."""

    def confirmed(self, plan: "PullPlan") -> "PullPlan":
        """Return the confirmed plan. Raises ``VariantChoiceError`` if a prompt is needed but not possible."""
        from gglib.cli.terminal import is_interactive

        can_prompt = is_interactive() and not self.is_non_interactive
        if plan.was_chosen and plan.known is None and not self.assume_yes:
            if not can_prompt:
                raise VariantChoiceError(_choices_text(plan))
            render.echo(_summary(plan))
            if not click.confirm(f"Download {escape_line(plan.quantization or plan.name)}?", default=True):
                raise VariantChoiceError(_choices_text(plan))
        return self._with_projector(plan, can_prompt=can_prompt)

    def _with_projector(self, plan: "PullPlan", *, can_prompt: bool) -> "PullPlan":
        if plan.projector is None:
            if self.wants_projector:
                raise VariantChoiceError("The repository has no projector (mmproj): omit --mmproj.")
            return plan
        wants = self.wants_projector
        if wants is None:
            wants = plan.had_projector  # unchanged by an update
        if wants is None and can_prompt and not self.assume_yes:
            size = render.size(plan.projector.remote.size_bytes)
            wants = click.confirm(f"Also download its projector ({size}) for image input?", default=True)
        return plan if wants is not False else plan.without_projector()


class TextReporter:
    """Reports a pull to the user, as text."""

    def planned(self, plan: "PullPlan") -> None:
        """Report what will be downloaded, and how it fits this machine."""
        render.echo(_summary(plan), is_error=True)
        if (room := _disk_space_note(plan)) is not None:
            click.echo(room, err=True)
        if plan.fit is Fit.TOO_LARGE and plan.need is not None:
            click.echo(
                f"Note: it needs about {render.size(plan.need.total_bytes)} of memory, more than is free now.",
                err=True,
            )

    @contextmanager
    def progress(self) -> Iterator["OnPullProgress"]:
        """Show one progress bar for all files, with speed and remaining time, on a terminal only."""
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}", markup=False),  # a file's name may have brackets
            BarColumn(bar_width=None),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        waited_for: set[str] = set()
        with Progress(*columns, console=console, disable=not console.is_terminal, expand=True) as bars:
            task = bars.add_task("", total=None)

            def on_progress(progress: "PullProgress") -> None:
                if progress.phase == "waiting" and progress.file not in waited_for:
                    waited_for.add(progress.file)
                    click.echo(
                        f"Another gglib is downloading {escape_line(progress.file)}: waiting for it.",
                        err=True,
                    )
                what = (
                    progress.phase.capitalize()
                    if progress.phase != "downloading"
                    else _shortened(progress.file)
                )
                bars.update(task, description=what, completed=progress.done_bytes, total=progress.total_bytes)

            yield on_progress

    def pulled(self, pulled: PullOutcome) -> None:
        """Report the model's name and the next step."""
        model = pulled.model
        result = pulled.result
        done = "Pulled" if result.is_new else "Updated" if result.is_updated else "Up to date:"
        has_hashes = all(file.remote.sha256 for file in pulled.plan.all_files)
        verified = ", SHA-256 verified" if has_hashes else ""
        render.echo(
            f"{done} '{model.name}' (id {model.id}, {render.size(model.size_bytes)}, "
            f"{render.seconds(pulled.took_s)}{verified}). {usage_hint(model)}"
        )
        if result.freed_bytes:
            click.echo(f"Deleted the older version and freed {render.size(result.freed_bytes)}.")
        for name in result.refused_names:
            render.echo(f"The alias '{name}' belongs to another model and was not added.", is_error=True)
        if pulled.is_in_memory:
            click.echo(
                "The older version stays loaded until its requests complete; the next request loads the new one."
            )

    def failed(self, error: GglibError) -> None:
        """Do nothing: the command reports the error."""


@dataclass(slots=True)
class JsonReporter:
    """Reports a pull to programs: one JSON object per line of stdout, ``event`` first."""

    clock: Callable[[], float] = time.monotonic
    _last_event_s: float = field(default=float("-inf"))
    _phase: str = ""

    def planned(self, plan: "PullPlan") -> None:
        """Emit ``plan``."""
        emit(
            "plan",
            name=plan.name,
            repo=plan.source.repo,
            revision=plan.source.revision,
            quantization=plan.quantization,
            files=[file.remote.name for file in plan.all_files],
            total_bytes=plan.total_bytes,
            needs_bytes=plan.needs_bytes,
            frees_bytes=plan.frees_bytes,
            fit=None if plan.fit is None else plan.fit.value,
        )

    @contextmanager
    def progress(self) -> Iterator["OnPullProgress"]:
        """Emit ``progress`` twice a second, and when the phase changes."""

        def on_progress(progress: "PullProgress") -> None:
            now_s = self.clock()
            if progress.phase == self._phase and now_s - self._last_event_s < EVENT_INTERVAL_S:
                return
            self._last_event_s, self._phase = now_s, progress.phase
            emit(
                "progress",
                phase=progress.phase,
                file=progress.file,
                done_bytes=progress.done_bytes,
                total_bytes=progress.total_bytes,
            )

        yield on_progress

    def pulled(self, pulled: PullOutcome) -> None:
        """Emit ``done``."""
        import msgspec

        from gglib.proxy.routes.responses import Model

        emit(
            "done",
            is_new=pulled.result.is_new,
            is_updated=pulled.result.is_updated,
            freed_bytes=pulled.result.freed_bytes,
            refused_names=list(pulled.result.refused_names),
            took_s=round(pulled.took_s, 3),
            model=msgspec.to_builtins(Model.of(pulled.model, None, alias_lists=pulled.alias_lists)),
        )

    def failed(self, error: GglibError) -> None:
        """Emit ``error``."""
        emit("error", code=error.code, message=str(error))


def show_unfinished(settings: "Settings", *, as_json: bool) -> None:
    """List the unfinished pulls, and how to resume them."""
    from gglib.app.pulls import are_running, downloaded_bytes
    from gglib.cli.runner import with_catalog

    jobs = with_catalog(settings, lambda store: store.list_pulls())
    here, running = downloaded_bytes(settings, jobs), are_running(settings, jobs)
    if as_json:
        render.show_json(
            [
                {
                    "target": shown_target(job.asked),
                    "name": job.name,
                    "key": job.key,
                    "here_bytes": here_bytes,
                    "is_running": is_running,
                }
                for job, here_bytes, is_running in zip(jobs, here, running, strict=True)
            ]
        )
        return
    if not jobs:
        click.echo(
            "No unfinished pulls. 'gglib search QUERY' finds models, 'gglib pull REPO:QUANT' downloads one."
        )
    for job, here_bytes, is_running in zip(jobs, here, running, strict=True):
        what = f"{render.size(here_bytes)} downloaded" if here_bytes else "nothing downloaded yet"
        next_step = "Another gglib is pulling it now." if is_running else _resume_hint(job)
        render.echo(f"{job.name}: {what}. {next_step}")
    if not all(running):
        click.echo("'gglib pull --discard TARGET' discards a pull and its partial files.")


def _resume_hint(job: "PullJob") -> str:
    shown = shown_target(job.asked)
    if shown == job.asked:
        return f"Resume: gglib pull {quote(shown)}"
    return f"Resume: gglib pull with the full URL of {shown} (its query is not shown)"


def discard(settings: "Settings", target: str) -> None:
    """Discard the unfinished pull that matches ``target``, and print the freed size. Raises ``VariantChoiceError``."""
    from gglib.app.pulls import discard_pull
    from gglib.cli.runner import with_catalog

    async def give_up(store: "HomeStorePort") -> "tuple[PullJob, int]":
        job = _find_pull(target, await store.list_pulls())
        return job, await discard_pull(settings, store, job)

    job, freed = with_catalog(settings, give_up)
    render.echo(f"Discarded '{job.name}' and freed {render.size(freed)}.")


def _discard_target(job: "PullJob") -> str:
    """Return a name of the pull that may be shown: its key if the target is a URL with a query."""
    return job.asked if shown_target(job.asked) == job.asked else job.key


def _find_pull(target: str, jobs: "Sequence[PullJob]") -> "PullJob":
    found = [job for job in jobs if job.asked == target] or [job for job in jobs if names_job(target, job)]
    if len(found) == 1:
        return found[0]
    shown = shown_target(target)
    if not found:
        raise VariantChoiceError(
            f"No unfinished pull matches '{shown}': 'gglib pull' lists the unfinished pulls."
        )
    lines = (f"  gglib pull --discard {quote(_discard_target(job))}  ({job.name})" for job in found)
    raise VariantChoiceError("\n".join((f"'{shown}' matches several unfinished pulls: choose one.", *lines)))


def _summary(plan: "PullPlan") -> str:
    what = (
        f"{plan.source.repo}:{plan.quantization}"
        if plan.source.repo and plan.quantization
        else shown_target(plan.asked)
    )
    files = "1 file" if len(plan.files) == 1 else f"{len(plan.files)} files"
    files += "" if plan.projector is None else " and a projector"
    fit = "" if plan.fit is None else f", {_FIT_TEXT[plan.fit]}"
    if plan.slot_fit is not None and plan.slot_fit.is_short and plan.fit is Fit.FITS:
        fit += f" ({plan.slot_fit.requests} at a time)"
    size = "size unknown" if plan.total_bytes is None else render.size(plan.total_bytes)
    return f"{what}: {files}, {size}{fit}."


def _disk_space_note(plan: "PullPlan") -> str | None:
    """Return the disk space that a resumed pull or an update needs and frees; None for an ordinary pull."""
    here_bytes = (plan.total_bytes or 0) - plan.needs_bytes
    if plan.known is None:
        if plan.total_bytes is None or here_bytes <= 0:
            return None
        return f"{render.size(here_bytes)} is already downloaded: {render.size(plan.needs_bytes)} remaining."
    if not plan.needs_bytes:
        return None
    return (
        f"Updates '{escape_line(plan.name)}': needs {render.size(plan.needs_bytes)} of disk space; the older "
        f"version is deleted at the end, which frees {render.size(plan.frees_bytes)}."
    )


_FIT_TEXT = {
    Fit.FITS: "fits this machine",
    Fit.TIGHT: "a tight fit for this machine",
    Fit.TOO_LARGE: "too large for this machine's free memory",
}


def _choices_text(plan: "PullPlan") -> str:
    """Return the variants and their commands, if a prompt is not possible or was declined."""
    repo = plan.source.repo or ""
    chosen = f"{render.size(plan.total_bytes)}; suggested, --yes selects it"
    choices = [(plan.asked, chosen)]
    choices += [
        (variant.target(repo, plan.asked_revision), render.size(variant.size_bytes))
        for variant in plan.others
    ]
    lines = (f"  gglib pull {quote(target)}  ({note})" for target, note in choices)
    return "\n".join(("The repository has several quantizations: choose one.", *lines))


def _shortened(name: str) -> str:
    last = escape_line(name.rpartition("/")[2])
    return last if len(last) <= SHOWN_FILE_CHARACTERS else "..." + last[-SHOWN_FILE_CHARACTERS + 3 :]


def emit(event: str, **fields: object) -> None:
    """Print an event as one line of JSON."""
    with contextlib.suppress(BrokenPipeError):
        click.echo(json_text({"event": event, **fields}))
