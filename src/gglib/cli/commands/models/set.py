"""``gglib set``: changes the settings of one model."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from gglib.cli.context import IDLE_TTL_HELP, MMPROJ_HELP, Options, kind_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gglib.app.settings import Settings
    from gglib.core.addresses import Endpoint
    from gglib.core.models import ModelSummary
    from gglib.core.ports.catalog import ModelStorePort


@click.command("set")
@click.argument("model")
@click.option("--name", "new_name", metavar="NAME", help="Rename the model.")
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
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(  # noqa: PLR0913 - click passes each option
    options: Options,
    /,
    model: str,
    *,
    new_name: str | None,
    ctx: str | None,
    aliases: tuple[str, ...],
    no_alias: bool,
    added: tuple[str, ...],
    removed: tuple[str, ...],
    engine_args: str | None,
    idle_ttl: str | None,
    priority: str | None,
    mmproj: str | None,
    as_json: bool,
    **kinds: bool,
) -> None:
    """Change a model's name, aliases, settings, kind or projector.

    Options that are not given keep their values, even if another command changes them at the same time.

    Names take effect immediately, the idle timeout and the priority at the next request. After a change of name,
    context, engine arguments, kind or projector, a running server unloads the model after its requests, and the next
    request loads it again.
    """
    from gglib.cli.models.model_settings import kind_from_flags, parse_model_settings

    kind = kind_from_flags(**kinds)
    values = (new_name, ctx, engine_args, idle_ttl, priority, mmproj)
    _require_change(*values, *filter(None, (aliases, no_alias, added, removed, any(kinds.values()))))

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
        _set_remote(options.remote, model, new_name, settings, aliases=replacement, as_json=as_json)
        return
    names = _NewNames(name=new_name, aliases=replacement, added=added, removed=removed)
    changes = _Changes(
        names=names, settings=settings, engine_args=engine_args, mmproj=mmproj, is_reread=kinds["auto"]
    )
    _set_here(options, model, changes, as_json=as_json)


@dataclass(frozen=True, slots=True, kw_only=True)
class _NewNames:
    """The options for the name and the aliases; None: unchanged."""

    name: str | None
    aliases: tuple[str, ...] | None
    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Changes:
    """The changes of a model of this home."""

    names: _NewNames
    settings: dict[str, Any]
    """Fields of ``ModelSettings``."""
    engine_args: str | None
    mmproj: str | None
    is_reread: bool
    """Whether to read the header of the file again, for ``--auto``."""

    @property
    def is_launch_changed(self) -> bool:
        """Whether a running engine has to be replaced."""
        has_launch_setting = not self.settings.keys().isdisjoint(("context", "kind"))
        given = (self.names.name, self.engine_args, self.mmproj)
        return has_launch_setting or any(value is not None for value in given)


def _set_here(options: Options, model: str, changes: _Changes, *, as_json: bool) -> None:
    from gglib.app.models.catalog import validated_engine_args
    from gglib.app.settings.name_references import lost_references
    from gglib.cli.models.model_json import model_json
    from gglib.cli.server.instance import model_states
    from gglib.cli.sessions import with_catalog
    from gglib.cli.views import render

    own = options.settings()
    if changes.engine_args is not None:
        # Outside of the event loop, which would delay Ctrl-C: the engine may take 20 s to respond.
        arguments = validated_engine_args(changes.engine_args, own)
        changes = replace(changes, settings={**changes.settings, "engine_args": arguments})
    before, changed, models = with_catalog(own, lambda store: _edit(store, model, changes, own))
    state = model_states(own).get(changed.id)
    if as_json:
        render.show_json(model_json(changed, models, own, state))
    else:
        _show_changed(before.name, changed.name, is_replaced=state is not None and changes.is_launch_changed)
    if changes.names.aliases is not None:
        _note_lost_aliases(before, changed)
    _note_old_name(before.name, changed.name, models, tuple(lost_references(own, before, models)))
    _warn_above_trained(changes.settings.get("context"), changed.trained_context)


def _note_lost_aliases(before: "ModelSummary", changed: "ModelSummary") -> None:
    """Name the aliases that ``--alias`` has replaced: their requests fail from now on."""
    from gglib.cli.views import render
    from gglib.core.file_names import escaped
    from gglib.core.shell_quoting import quoted_command

    left = {changed.name.casefold(), *(alias.casefold() for alias in changed.aliases)}
    for alias in before.aliases:
        if alias.casefold() not in left:
            command = quoted_command("set", "--add-alias", alias, changed.name)
            render.echo(f"'{escaped(alias)}' is no alias any more: {command} adds it again.", is_error=True)


async def _edit(
    store: "ModelStorePort", typed: str, changes: _Changes, own: "Settings"
) -> "tuple[ModelSummary, ModelSummary, list[ModelSummary]]":
    """Change a model; return it as it was and as it is, and all models."""
    from gglib.app.models.catalog import change_projector, reread_header
    from gglib.cli.models.alias_edits import edit_aliases
    from gglib.cli.models.model_settings import parse_mmproj
    from gglib.cli.models.typed_names import require_typed_model
    from gglib.core.models import ModelEdit
    from gglib.library.edit import edit_model

    names = changes.names

    def edit(now: "ModelSummary") -> ModelEdit:
        aliases = edit_aliases(
            now, replacement=names.aliases, added=names.added, removed=names.removed, new_name=names.name
        )
        return ModelEdit(name=names.name, aliases=aliases, settings=replace(now.settings, **changes.settings))

    known = await require_typed_model(store, typed, own.aliases)
    if changes.is_reread:
        await reread_header(known, store)
    if changes.mmproj is not None:
        await change_projector(known, parse_mmproj(changes.mmproj), store)
    return known, await edit_model(str(known.id), edit, store=store), await store.list_models()


def _require_change(*values: object) -> None:
    """Raise ``click.UsageError`` if no option is given."""
    if all(value is None for value in values):
        raise click.UsageError(
            "Nothing to change: give --name, --ctx, --alias, --no-alias, --add-alias, --remove-alias, --engine-args, "
            "--idle-ttl, --priority, --embedding, --rerank, --chat, --auto or --mmproj."
        )


def _show_changed(before: str, name: str, *, is_replaced: bool) -> None:
    from gglib.cli.views import render

    render.echo(f"Changed '{name}'." if name == before else f"Renamed '{before}' to '{name}'.")
    if is_replaced:
        click.echo("It is in memory: it is unloaded after its requests, and the next request loads it again.")


def _note_old_name(
    before: str, name: str, models: "Sequence[ModelSummary]", references: "Sequence[str]" = ()
) -> None:
    """Say, after a renaming, that the old name means nothing any more, and which settings have it."""
    from gglib.cli.views import local_models, render
    from gglib.core.names import find_model
    from gglib.core.shell_quoting import quoted_command

    if references:
        render.echo(local_models.references_line(before, references), is_error=True)
    if find_model(before, models) is None:
        keep = quoted_command("set", "--add-alias", before, name)
        render.echo(f"Requests for '{before}' fail from now on: {keep} keeps the name.", is_error=True)


def _warn_above_trained(context: int | None, trained: int | None) -> None:
    from gglib.cli.views import render
    from gglib.core.context import UNLIMITED_CONTEXT

    if context is not None and trained is not None and trained < context < UNLIMITED_CONTEXT:
        render.warn(f"the model was trained for {trained} tokens: requests get at most that.")


def _set_remote(  # noqa: PLR0913 - what may change
    server: "Endpoint",
    model: str,
    new_name: str | None,
    settings: "Mapping[str, Any]",
    *,
    aliases: tuple[str, ...] | None,
    as_json: bool,
) -> None:
    """Change settings, given as fields of ``ModelSettings``, and replace names unless they are None."""
    from gglib.cli.remote.decode import model_of
    from gglib.cli.server.models import change, require_models
    from gglib.cli.views import render

    changes = dict(settings)
    if new_name is not None:
        changes["name"] = new_name
    if aliases is not None:
        changes["aliases"] = aliases
    if (priority := changes.get("priority")) is not None:
        changes["priority"] = priority.name.lower()
    (before,) = require_models(server, [model])
    changed = change(server, str(before.id), changes)  # by id: the name may refer to another model by now
    if as_json:
        render.show_json(changed)
    else:
        is_launch_changed = not changes.keys().isdisjoint(("name", "context", "kind"))
        is_replaced = is_launch_changed and changed["state"] is not None
        _show_changed(before.name, changed["name"], is_replaced=is_replaced)
    _note_old_name(before.name, changed["name"], [model_of(changed)])
    _warn_above_trained(settings.get("context"), changed["trained_context"])
