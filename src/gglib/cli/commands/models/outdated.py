"""``gglib outdated``: lists models with a newer version at their source."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gglib.cli.context import Options
    from gglib.core.hub.updates import UpstreamCheck
    from gglib.core.models import ModelSummary
    from gglib.core.ports.store import HomeStorePort


@click.command("outdated")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """List models with a newer version at their source.

    Checks hub repositories and URLs. A model pulled at a named revision stays pinned to it. The exit code is 1 if a
    repository or a server could not be checked.
    """
    from gglib.app.models.hub import open_hub
    from gglib.cli.sessions import with_catalog
    from gglib.cli.views import local_models, render
    from gglib.core.hub.updates import Upstream
    from gglib.library.outdated import check_upstream

    options: Options = ctx.obj
    settings = options.settings()

    async def compare(store: "HomeStorePort") -> "tuple[list[ModelSummary], list[UpstreamCheck]]":
        models = await store.list_models()
        async with open_hub() as hub:
            return models, await check_upstream(models, await store.list_versions(), hub)

    models, checks = with_catalog(settings, compare)
    if as_json:
        render.show_json([_as_json(check) for check in checks])
    else:
        current = [check for check in checks if check.state is Upstream.CURRENT]
        for check in checks:
            if check not in current:
                render.show_line(local_models.format_upstream(check))
        _print_totals(len(current), len(models) - len(checks))
    if any(check.state is Upstream.UNCHECKED for check in checks):
        ctx.exit(1)


def _print_totals(current: int, elsewhere: int) -> None:
    if current:
        click.echo("1 model is up to date." if current == 1 else f"{current} models are up to date.")
    if elsewhere:
        has = "1 model has" if elsewhere == 1 else f"{elsewhere} models have"
        click.echo(f"{has} no source to compare with.")


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
