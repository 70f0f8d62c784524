"""``gglib set``: changes the settings of one model."""

import click

from gglib.cli.context import IDLE_TTL_HELP, MMPROJ_HELP, Options, kind_options


@click.command("set")
@click.argument("model")
@click.option("--ctx", metavar="N|max|default", help="Context size in tokens; 'default' resets it.")
@click.option("--alias", "aliases", multiple=True, help="Replace all aliases; may be repeated.")
@click.option("--no-alias", is_flag=True, help="Remove all aliases.")
@click.option("--add-alias", "added", metavar="NAME", multiple=True, help="Add one alias, keep the others.")
@click.option(
    "--remove-alias", "removed", metavar="NAME", multiple=True, help="Remove one alias, keep the others."
)
@click.option("--engine-args", metavar="ARGS", help="llama-server arguments in one string; '' resets them.")
@click.option("--idle-ttl", metavar="TIME|off", help=IDLE_TTL_HELP)
@click.option(
    "--priority",
    metavar="LEVEL",
    type=click.Choice(["interactive", "batch", "default"]),
    help="Priority of its requests: 'interactive' or 'batch'; 'default' resets it.",
)
@kind_options
@click.option("--auto", is_flag=True, help="Serve it as its header says; resets the three options above.")
@click.option("--mmproj", metavar="FILE|none", help=f"{MMPROJ_HELP}; 'none' removes it.")
@click.pass_obj
def command(  # noqa: PLR0913 - click passes each option
    options: Options,
    /,
    model: str,
    *,
    ctx: str | None,
    aliases: tuple[str, ...],
    no_alias: bool,
    added: tuple[str, ...],
    removed: tuple[str, ...],
    engine_args: str | None,
    idle_ttl: str | None,
    priority: str | None,
    mmproj: str | None,
    **kinds: bool,
) -> None:
    """Change a model's aliases, settings, kind or projector.

    Options that are not given keep their values, even if another command changes them at the same time.

    Context, engine arguments, kind and projector take effect at the next load, aliases immediately, the idle timeout
    and the priority at the next request.
    """
    from dataclasses import replace

    from gglib.app.catalog import change_projector, reread_header, validated_engine_args
    from gglib.cli.model_edits import edit_aliases
    from gglib.cli.model_settings import kind_from_flags, parse_mmproj, parse_model_settings
    from gglib.cli.runner import with_catalog
    from gglib.cli.views import render
    from gglib.core.models import ModelEdit, ModelSummary
    from gglib.core.names import require_model
    from gglib.core.ports.catalog import ModelStorePort
    from gglib.library.edit import edit_model

    kind = kind_from_flags(**kinds)
    has_no_values = all(value is None for value in (ctx, engine_args, idle_ttl, priority, mmproj))
    if has_no_values and not (aliases or no_alias or added or removed or any(kinds.values())):
        raise click.UsageError(
            "Nothing to change: give --ctx, --alias, --no-alias, --add-alias, --remove-alias, --engine-args, "
            "--idle-ttl, --priority, --embedding, --rerank, --chat, --auto or --mmproj."
        )

    own = options.settings()
    settings = parse_model_settings(ctx=ctx, idle_ttl=idle_ttl, priority=priority)
    if engine_args is not None:
        # Outside of the event loop, which would delay Ctrl-C: the engine may take 20 s to respond.
        settings["engine_args"] = validated_engine_args(engine_args, own)
    if any(kinds.values()):
        settings["kind"] = kind

    def edit(now: ModelSummary) -> ModelEdit:
        replacement = aliases if aliases or no_alias else None
        return ModelEdit(
            aliases=edit_aliases(now, replacement=replacement, added=added, removed=removed),
            settings=replace(now.settings, **settings),
        )

    async def change(store: ModelStorePort) -> ModelSummary:
        known = await require_model(store, model)
        if kinds["auto"]:
            await reread_header(known, store)
        if mmproj is not None:
            await change_projector(known, parse_mmproj(mmproj), store)
        return await edit_model(str(known.id), edit, store=store)

    changed = with_catalog(own, change)
    render.echo(f"Changed '{changed.name}'.")
