"""``gglib prune``: deletes the files that gglib wrote and no model uses."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gglib.cli.context import Options
    from gglib.library.prune import Pruned, PrunePlan


@click.command("prune")
@click.option("-y", "--yes", is_flag=True, help="Delete without a prompt.")
@click.option("--dry-run", is_flag=True, help="Only list the files that would be deleted.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; deletes only with --yes.")
@click.pass_context
def command(ctx: click.Context, *, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Delete downloaded files that no model uses.

    Deletes files that gglib downloaded and no model in the catalogue uses, and partial files that no pull resumes.
    Keeps files that gglib did not write, links, and unfinished pulls ('gglib pull' lists those).
    """
    from gglib.app.models.prune import pruner
    from gglib.cli.sessions import catalog_session
    from gglib.cli.views import local_models, render

    options: Options = ctx.obj
    settings = options.settings()
    prunes = pruner(settings)

    done: Pruned | None = None
    with catalog_session(settings) as catalog:
        plan = catalog.run(prunes.plan)
        if not as_json:
            for line in local_models.prune_plan_lines(plan, settings.models_dir):
                render.echo(line)
        is_due = bool(plan.deletable or plan.directories) and not dry_run
        if is_due and _confirm_delete(plan, assume_yes=yes, is_non_interactive=as_json):
            done = catalog.run(lambda store: prunes.prune(plan, store))
    if done is not None and not as_json:
        for line in local_models.prune_lines(done):
            render.echo(line)
    if as_json:
        render.show_json(_as_json(plan, done))
    if done is not None and done.undeleted:
        ctx.exit(1)


def _confirm_delete(plan: "PrunePlan", *, assume_yes: bool, is_non_interactive: bool) -> bool:
    """Prompt the user on a terminal, unless the answer is preset."""
    from gglib.cli.terminal.console import require_interactive

    if assume_yes or is_non_interactive or not plan.deletable:
        return assume_yes or not is_non_interactive
    count = len(plan.deletable)
    what = "this file" if count == 1 else f"these {count} files"
    require_interactive("deleted", f"'gglib prune --yes' deletes {what}")
    return click.confirm(f"Delete {what}?", default=False)


def _as_json(plan: "PrunePlan", done: "Pruned | None") -> dict[str, object]:
    return {
        "files": [
            {"path": str(file.path), "size_bytes": file.size_bytes, "freed_bytes": file.freed_bytes}
            for file in plan.deletable
        ],
        "directories": [str(path) for path in plan.directories],
        "kept": [{"path": str(file.path), "reason": file.reason} for file in plan.retained],
        "total_bytes": plan.freed_bytes,
        "deleted": None if done is None else [str(path) for path in done.deleted],
        "freed_bytes": 0 if done is None else done.freed_bytes,
        "waiting": [] if done is None else [str(path) for path in done.waiting],
        "undeleted": []
        if done is None
        else [{"path": str(file.path), "reason": file.reason} for file in done.undeleted],
    }
