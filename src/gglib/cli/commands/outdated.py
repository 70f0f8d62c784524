"""``gglib outdated``: which models their repositories have in a newer version."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gglib.cli.context import Options
    from gglib.core.models import ModelSummary
    from gglib.core.ports import ModelStorePort
    from gglib.usecases.outdated_models import UpstreamCheck


@click.command("outdated")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """Say which models changed in the repository that they came from.

    A model that was pulled at a revision by name stays at that. The exit code is 1 when a repository could not be
    asked.
    """
    from gglib.bootstrap.hub import open_hub
    from gglib.cli import keep_words, render
    from gglib.cli.runner import with_catalog
    from gglib.usecases.outdated_models import Upstream, check_upstream

    options: Options = ctx.obj
    settings = options.settings()

    async def check(store: "ModelStorePort") -> "tuple[list[ModelSummary], list[UpstreamCheck]]":
        models = await store.list_models()
        async with open_hub() as hub:
            return models, await check_upstream(models, hub, settings.models_dir)

    models, checks = with_catalog(settings, check)
    if as_json:
        render.show_json([_as_json(one) for one in checks])
    else:
        current = [one for one in checks if one.state is Upstream.CURRENT]
        for one in checks:
            if one not in current:
                render.show_line(keep_words.upstream(one))
        _say_the_rest(len(current), len(models) - len(checks))
    if any(one.state is Upstream.NOT_TOLD for one in checks):
        ctx.exit(1)


def _say_the_rest(current: int, elsewhere: int) -> None:
    if current:
        click.echo(f"{_models(current)} as in the repository.")
    if elsewhere:
        click.echo(f"{_models(elsewhere)} from no repository, so there is nothing to compare.")


def _models(number: int) -> str:
    return "1 model is" if number == 1 else f"{number} models are"


def _as_json(check: "UpstreamCheck") -> dict[str, object]:
    return {
        "model": check.model.name,
        "repo": check.repo,
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
