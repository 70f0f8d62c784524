"""``gglib set``: what holds for one model."""

import click

from gglib.cli.context import IDLE_TTL_HELP, Options


@click.command("set")
@click.argument("model")
@click.option("--ctx", metavar="N|max|default", help="Context in tokens; 'default' takes it back.")
@click.option("--alias", "aliases", multiple=True, help="Replaces its aliases; may be given more than once.")
@click.option("--no-alias", is_flag=True, help="Takes all of its aliases away.")
@click.option(
    "--engine-args", metavar="ARGS", help="Arguments of llama-server, in one string; '' takes them back."
)
@click.option("--idle-ttl", metavar="TIME|off", help=IDLE_TTL_HELP)
@click.pass_obj
def command(  # noqa: PLR0913 - click passes each option
    options: Options,
    model: str,
    *,
    ctx: str | None,
    aliases: tuple[str, ...],
    no_alias: bool,
    engine_args: str | None,
    idle_ttl: str | None,
) -> None:
    """Change what holds for a model: context, names, engine, idle time.

    Context and engine arguments hold from its next start on, its names at once, its idle time from the next request on.
    """
    from dataclasses import replace

    from gglib.bootstrap.catalog import engine_args_of
    from gglib.cli import render
    from gglib.cli.model_settings import DEFAULT_WORD, context_of, idle_ttl_of
    from gglib.cli.runner import with_catalog
    from gglib.core.models import ModelSummary
    from gglib.core.names import not_found, require_model
    from gglib.core.ports import ModelStorePort

    if ctx is None and engine_args is None and idle_ttl is None and not aliases and not no_alias:
        raise click.UsageError(
            "Nothing to change: give --ctx, --alias, --no-alias, --engine-args or --idle-ttl."
        )

    async def change(store: ModelStorePort) -> ModelSummary:
        known = await require_model(store, model)
        settings = known.settings
        if ctx is not None:
            settings = replace(settings, context=None if ctx == DEFAULT_WORD else context_of(ctx))
        if engine_args is not None:
            settings = replace(settings, engine_args=engine_args_of(engine_args))
        if idle_ttl is not None:
            settings = replace(settings, idle_ttl_s=idle_ttl_of(idle_ttl))
        changed = await store.change_model(
            known.name, aliases=aliases if aliases or no_alias else None, settings=settings
        )
        if changed is None:
            raise not_found(model, [])
        return changed

    changed = with_catalog(options.settings(), change)
    render.say(f"Changed '{changed.name}'.")
