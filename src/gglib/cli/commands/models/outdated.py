"""``gglib outdated``: which models their repositories have in a newer version."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gglib.cli.context import Options
    from gglib.core.models import ModelSummary
    from gglib.core.ports.store import HomeStorePort
    from gglib.library.outdated import UpstreamCheck


@click.command("outdated")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """List models with a newer version at their source.

    Checks hub repositories and URLs. A model pulled at a named revision stays pinned to it. The exit code is 1 if a
    repository or a server could not be checked.
    """
    from gglib.app.hub import open_hub
    from gglib.cli.runner import with_catalog
    from gglib.cli.views import local_models, render
    from gglib.library.outdated import Upstream, check_upstream

    options: Options = ctx.obj
    settings = options.settings()

    async def check(store: "HomeStorePort") -> "tuple[list[ModelSummary], list[UpstreamCheck]]":
        models = await store.list_models()
        async with open_hub() as hub:
            return models, await check_upstream(models, await store.list_versions(), hub)

    models, checks = with_catalog(settings, check)
    if as_json:
        render.show_json([_as_json(one) for one in checks])
    else:
        current = [one for one in checks if one.state is Upstream.CURRENT]
        for one in checks:
            if one not in current:
                render.show_line(local_models.format_upstream(one))
        _print_totals(len(current), len(models) - len(checks))
    if any(one.state is Upstream.UNCHECKED for one in checks):
        ctx.exit(1)


def _print_totals(current: int, elsewhere: int) -> None:
    if current:
        click.echo(f"{_model_count(current)} up to date.")
    if elsewhere:
        click.echo(f"{_model_count(elsewhere)} local files without a source to compare with.")


def _model_count(number: int) -> str:
    return "1 model is" if number == 1 else f"{number} models are"


def _as_json(check: "UpstreamCheck") -> dict[str, object]:
    return {
        "model": check.model.name,
        "repo": check.repo,
        "asked_revision": check.model.source.asked_revision,
        "size_bytes": check.model.size_bytes,
        "state": check.state.value,
        "old_revision": check.old_revision,
        "new_revision": check.new_revision,
        "changes": [
            {
                "file": change.name,
                "old_sha256": change.old_sha256,
                "new_sha256": change.new_sha256,
                "new_size_bytes": change.new_size_bytes,
            }
            for change in check.changes
        ],
        "pull": check.target,
        "reason": check.reason,
    }
