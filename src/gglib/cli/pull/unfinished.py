"""Lists and discards unfinished pulls."""

from shlex import quote
from typing import TYPE_CHECKING

from gglib.cli.views import render
from gglib.core.errors import VariantChoiceError
from gglib.core.hub.shown_source import shown_target
from gglib.library.variants.pull_source import names_job

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gglib.app.settings import Settings
    from gglib.core.ports.store import HomeStorePort
    from gglib.core.versions import PullJob


def show_unfinished(settings: "Settings", *, as_json: bool) -> bool:
    """List the unfinished pulls, and how to resume them; return whether there are any."""
    from gglib.app.models.pulls import are_running, downloaded_bytes
    from gglib.cli.sessions import with_catalog

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
        return bool(jobs)
    if not jobs:
        render.echo("No unfinished pulls.")
    for job, here_bytes, is_running in zip(jobs, here, running, strict=True):
        what = f"{render.size(here_bytes)} downloaded" if here_bytes else "nothing downloaded yet"
        next_step = "Another gglib is pulling it now." if is_running else _resume_hint(job)
        render.echo(f"{job.name}: {what}. {next_step}")
    if not all(running):
        render.echo("'gglib pull --discard TARGET' discards a pull and its partial files.")
    return bool(jobs)


def _resume_hint(job: "PullJob") -> str:
    shown = shown_target(job.asked)
    if shown == job.asked:
        return f"Resume: gglib pull {quote(shown)}"
    return f"Resume: gglib pull with the full URL of {shown} (its query is not shown)"


def discard(settings: "Settings", target: str) -> None:
    """Discard the unfinished pull that matches ``target``, and print the freed size. Raises ``VariantChoiceError``."""
    from gglib.app.models.pulls import discard_pull
    from gglib.cli.sessions import with_catalog

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
