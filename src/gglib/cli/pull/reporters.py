"""Reports a pull: as text for users, or as JSON events for programs."""

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import click

from gglib.cli.pull import plan_text
from gglib.cli.views import render
from gglib.cli.views.model_list import usage_hint
from gglib.core.errors import GglibError
from gglib.core.plain_text import json_text

if TYPE_CHECKING:
    from gglib.core.models import ModelSummary
    from gglib.library.pull.disk_space import PullPlace
    from gglib.library.pull.execute import OnPullProgress, PulledModel, PullProgress
    from gglib.library.pull.plan import PullPlan


EVENT_INTERVAL_S = 0.5
"""Interval of progress events for programs."""


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

    def planned(self, plan: "PullPlan", place: "PullPlace") -> None:
        """Report what will be downloaded, and where to."""

    def progress(self) -> AbstractContextManager["OnPullProgress"]:
        """Report progress for the duration of the block."""
        ...

    def pulled(self, pulled: PullOutcome) -> None:
        """Report the outcome."""

    def failed(self, error: GglibError) -> None:
        """Report an error, in addition to the sentence on stderr."""


class TextReporter:
    """Reports a pull to the user, as text."""

    def planned(self, plan: "PullPlan", place: "PullPlace") -> None:
        """Report what will be downloaded, where to, and how it fits this machine."""
        for line in plan_text.plan_lines(plan, place):
            render.echo(line, is_error=True)

    @contextmanager
    def progress(self) -> Iterator["OnPullProgress"]:
        """Show the progress of all files: a bar with rate and remaining time on a terminal, lines elsewhere."""
        from gglib.cli.pull.progress import pull_progress

        with pull_progress() as on_progress:
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
            f"{render.seconds(pulled.took_s)}{verified}).\n{usage_hint(model)}"
        )
        if result.freed_bytes:
            render.echo(f"Deleted the older version and freed {render.size(result.freed_bytes)}.")
        for name in result.refused_names:
            render.echo(f"The alias '{name}' belongs to another model and was not added.", is_error=True)
        if pulled.is_in_memory:
            render.echo(
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

    def planned(self, plan: "PullPlan", place: "PullPlace") -> None:  # noqa: ARG002 - a program knows its disk
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


def emit(event: str, **fields: object) -> None:
    """Print an event as one line of JSON."""
    with contextlib.suppress(BrokenPipeError):
        click.echo(json_text({"event": event, **fields}))
