"""``gglib set``: changes the settings of one model."""

from typing import TYPE_CHECKING, Any

import click

from gglib.cli.context import IDLE_TTL_HELP, MMPROJ_HELP, Options, kind_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gglib.core.addresses import Endpoint


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

    Aliases take effect immediately, the idle timeout and the priority at the next request. After a change of context,
    engine arguments, kind or projector, a running server unloads the model after its requests, and the next request
    loads it again.
    """
    from dataclasses import replace

    from gglib.app.catalog import change_projector, reread_header, validated_engine_args
    from gglib.cli.model_edits import edit_aliases
    from gglib.cli.model_settings import kind_from_flags, parse_mmproj, parse_model_settings
    from gglib.cli.runner import with_catalog
    from gglib.cli.server.instance import model_states
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

    replacement = aliases if aliases or no_alias else None
    settings = parse_model_settings(ctx=ctx, idle_ttl=idle_ttl, priority=priority)
    if any(kinds.values()):
        settings["kind"] = kind
    if options.remote is not None:
        if engine_args is not None or mmproj is not None or added or removed:
            raise click.UsageError(
                "On a remote server, set does not take --engine-args, --mmproj, --add-alias and --remove-alias: "
                "run it there for these."
            )
        _set_remote(options.remote, model, settings, aliases=replacement)
        return
    own = options.settings()
    if engine_args is not None:
        # Outside of the event loop, which would delay Ctrl-C: the engine may take 20 s to respond.
        settings["engine_args"] = validated_engine_args(engine_args, own)

    is_launch_changed = not (ctx is None and engine_args is None and mmproj is None) or any(kinds.values())

    def edit(now: ModelSummary) -> ModelEdit:
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
    _show_changed(changed.name, is_replaced=is_launch_changed and changed.id in model_states(own))
    _warn_above_trained(settings.get("context"), changed.trained_context)


def _show_changed(name: str, *, is_replaced: bool) -> None:
    from gglib.cli.views import render

    render.echo(f"Changed '{name}'.")
    if is_replaced:
        click.echo("It is in memory: it is unloaded after its requests, and the next request loads it again.")


def _warn_above_trained(context: int | None, trained: int | None) -> None:
    from gglib.cli.views import render
    from gglib.core.context import UNLIMITED_CONTEXT

    if context is not None and trained is not None and trained < context < UNLIMITED_CONTEXT:
        render.echo(
            f"Warning: the model was trained for {trained} tokens: requests get at most that.", is_error=True
        )


def _set_remote(
    server: "Endpoint", model: str, settings: "Mapping[str, Any]", *, aliases: tuple[str, ...] | None
) -> None:
    """Change settings, given as fields of ``ModelSettings``, and replace the aliases unless they are None."""
    from gglib.cli.server.models import change

    changes = dict(settings)
    if aliases is not None:
        changes["aliases"] = aliases
    if (priority := changes.get("priority")) is not None:
        changes["priority"] = priority.name.lower()
    changed = change(server, model, changes)
    is_replaced = not changes.keys().isdisjoint(("context", "kind")) and changed["state"] is not None
    _show_changed(changed["name"], is_replaced=is_replaced)
    _warn_above_trained(settings.get("context"), changed["trained_context"])
