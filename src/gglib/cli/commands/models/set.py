"""``gglib set``: changes the settings of one model."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from gglib.cli.context import IDLE_TTL_HELP, MMPROJ_HELP, Options, kind_options
from gglib.cli.models.backend_options import BackendOptions, backend_edit_options, take_backend_options
from gglib.cli.models.engine_words import ENGINE_ARGS_HELP, WORDS, ExtraArgsCommand, engine_word_options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gglib.app.settings import Settings
    from gglib.core.addresses import Endpoint
    from gglib.core.models import ModelSettings, ModelSummary
    from gglib.core.ports.catalog import ModelStorePort


@click.command("set", cls=ExtraArgsCommand)
@click.argument("model")
@click.option("--name", "new_name", metavar="NAME", help="Rename the model.")
@click.option("--ctx", metavar="N|max|default", help="Context size in tokens; 'default' resets it.")
@click.option("--alias", "aliases", multiple=True, help="Replace all aliases; may be repeated.")
@click.option("--no-alias", is_flag=True, help="Remove all aliases.")
@click.option("--add-alias", "added", metavar="NAME", multiple=True, help="Add one alias, keep the others.")
@click.option(
    "--remove-alias", "removed", metavar="NAME", multiple=True, help="Remove one alias, keep the others."
)
@click.option("--engine-args", metavar="ARGS", help=f"{ENGINE_ARGS_HELP}; '' resets them.")
@engine_word_options
@click.option("--idle-ttl", metavar="TIME|off", help=IDLE_TTL_HELP)
@click.option(
    "--priority",
    metavar="LEVEL",
    type=click.Choice(["interactive", "batch", "default"]),
    help="Priority of its requests: 'interactive' or 'batch'; 'default' resets it.",
)
@click.option(
    "--keep-conversations",
    metavar="WHEN",
    type=click.Choice(["on", "off", "default"]),
    help="Keep its prompts while it is not in memory: 'on', 'off'; 'default' where no swap gets slower.",
)
@click.option(
    "--nodes",
    metavar="PATTERN",
    multiple=True,
    help="Serve it on these nodes only: names or patterns such as 'gpu*'; may be repeated; '' clears them.",
)
@kind_options
@backend_edit_options
@click.option("--auto", is_flag=True, help="Serve it as its header says; resets the three options above.")
@click.option("--mmproj", metavar="FILE|none", help=f"{MMPROJ_HELP}; 'none' removes it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(  # noqa: PLR0913 - click passes each option
    ctx_: click.Context,
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
    keep_conversations: str | None,
    nodes: tuple[str, ...],
    mmproj: str | None,
    as_json: bool,
    **others: Any,  # noqa: ANN401 - the kind, the options of a backend and of the engine
) -> None:
    """Change a model's name, aliases, settings, kind or projector.

    Options that are not given keep their values, even if another command changes them at the same time.

    Names take effect immediately, the idle timeout and the priority at the next request, --keep-conversations when
    the model is next unloaded. After a change of name, context, engine arguments, kind or projector, a running server
    unloads the model after its requests, and the next request loads it again.

    With --nodes, only these nodes serve the model, which may be a model of nodes alone: a table in config.toml, for a
    command of its own.

    Arguments after '--' are passed to a llama-server unchecked, after all others; '--' alone removes them.
    """
    from gglib.cli.models.engine_words import is_given
    from gglib.cli.models.model_settings import kind_from_flags, parse_model_settings

    options: Options = ctx_.obj
    backend = take_backend_options(others)
    words = {name: others.pop(name) for name in WORDS} | {"engine_args": engine_args}
    kinds: dict[str, bool] = others
    kind = kind_from_flags(**kinds)
    has_engine_words = is_given(ctx_, words)
    values = (new_name, ctx, idle_ttl, priority, keep_conversations, mmproj)
    flags = (aliases, no_alias, added, removed, any(kinds.values()), has_engine_words, backend.is_given)
    has_changes = any(value is not None for value in values) or any(flags)
    _require_change(is_given=has_changes or bool(nodes))

    replacement = aliases if aliases or no_alias else None
    settings = parse_model_settings(
        ctx=ctx, idle_ttl=idle_ttl, priority=priority, keep_conversations=keep_conversations
    )
    if any(kinds.values()):
        settings["kind"] = kind
    if options.remote is not None:
        if has_engine_words or mmproj is not None or added or removed or backend.is_given or nodes:
            raise click.UsageError(
                "On a remote server, set does not take options for the engine, commands and other servers, --mmproj, "
                "--nodes, --add-alias and --remove-alias: run it there for these."
            )
        _set_remote(options.remote, model, new_name, settings, aliases=replacement, as_json=as_json)
        return
    if has_changes and nodes:
        raise click.UsageError("--nodes is not a setting of the catalogue: set it with a command of its own.")
    if nodes:
        from gglib.cli.nodes.restricting import restrict

        restrict(options.settings(), model, nodes, as_json=as_json)
        return
    names = _NewNames(name=new_name, aliases=replacement, added=added, removed=removed)
    changes = _Changes(
        names=names,
        settings=settings,
        has_engine_words=has_engine_words,
        mmproj=mmproj,
        backend=backend,
        is_reread=kinds["auto"],
    )
    if has_engine_words:
        own = options.settings()
        changes = replace(changes, edit_engine=_engine_change(ctx_, own, model, words))
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
    has_engine_words: bool
    mmproj: str | None
    backend: BackendOptions
    is_reread: bool
    """Whether to read the header of the file again, for ``--auto``."""
    edit_engine: "Callable[[ModelSettings], ModelSettings] | None" = None
    """Changes the engine's part of the settings; None: unchanged."""

    @property
    def is_launch_changed(self) -> bool:
        """Whether a running engine has to be replaced."""
        has_launch_setting = not self.settings.keys().isdisjoint(("context", "kind"))
        has_options = self.has_engine_words or self.backend.is_given
        return has_launch_setting or has_options or self.names.name is not None or self.mmproj is not None


def _engine_change(
    ctx: click.Context, own: "Settings", model: str, words: "Mapping[str, Any]"
) -> "Callable[[ModelSettings], ModelSettings]":
    """Return the checked change of the engine's part of the settings."""
    from gglib.app.models.engine_settings import model_facts
    from gglib.cli.models.engine_words import backend_environment, checked_edit, plan_edit
    from gglib.cli.models.typed_names import require_typed_model
    from gglib.cli.sessions import with_catalog
    from gglib.core.errors import InvalidSettingError

    async def find(store: "ModelStorePort") -> "tuple[ModelSummary, list[ModelSummary]]":
        return await require_typed_model(store, model, own.aliases), await store.list_models()

    found, models = with_catalog(own, find)
    if found.backend is not None:
        change = backend_environment(ctx, words, found.backend)
        if change is None:
            raise InvalidSettingError(_not_llama_cpp(found.name))
        return change
    # Outside of the event loop, which would delay Ctrl-C: the engine may take 20 s to respond.
    facts = model_facts(found)
    edit = plan_edit(ctx, words, model=found, facts=facts, models=models)
    return checked_edit(edit, found.settings, own, facts)


def _set_here(options: Options, model: str, changes: _Changes, *, as_json: bool) -> None:
    from gglib.app.settings.name_references import lost_references
    from gglib.cli.models.model_json import model_json
    from gglib.cli.server.instance import model_states
    from gglib.cli.sessions import with_catalog
    from gglib.cli.views import render
    from gglib.core.kinds import max_context

    own = options.settings()
    before, changed, models = with_catalog(own, lambda store: _edit(store, model, changes, own))
    state = model_states(own).get(changed.id)
    if as_json:
        render.show_json(model_json(changed, models, own, state))
    else:
        _show_changed(before.name, changed.name, is_replaced=state is not None and changes.is_launch_changed)
    if changes.names.aliases is not None:
        _note_lost_aliases(before, changed)
    _note_old_name(before.name, changed.name, models, tuple(lost_references(own, before, models)))
    _warn_above_trained(changes.settings.get("context"), max_context(changed))


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
    from gglib.cli.models.backend_options import edited_backend
    from gglib.cli.models.model_settings import parse_mmproj
    from gglib.cli.models.typed_names import require_typed_model
    from gglib.core.errors import InvalidSettingError
    from gglib.core.models import ModelEdit
    from gglib.library.edit import edit_model

    names = changes.names

    def edit(now: "ModelSummary") -> ModelEdit:
        aliases = edit_aliases(
            now, replacement=names.aliases, added=names.added, removed=names.removed, new_name=names.name
        )
        settings = replace(now.settings, **changes.settings)
        if changes.edit_engine is not None:
            settings = changes.edit_engine(settings)
        return ModelEdit(
            name=names.name,
            aliases=aliases,
            settings=settings,
            backend=edited_backend(now, changes.backend),
        )

    known = await require_typed_model(store, typed, own.aliases)
    if known.backend is not None and changes.mmproj is not None:
        raise InvalidSettingError(_not_llama_cpp(known.name))
    if changes.is_reread and known.backend is None:
        await reread_header(known, store)
    if changes.mmproj is not None:
        await change_projector(known, parse_mmproj(changes.mmproj), store)
    return known, await edit_model(str(known.id), edit, store=store), await store.list_models()


def _not_llama_cpp(name: str) -> str:
    return f"Model '{name}' is not served by llama.cpp: write arguments into its command, with --command."


def _require_change(*, is_given: bool) -> None:
    """Raise ``click.UsageError`` if no option is given."""
    if not is_given:
        raise click.UsageError(
            "Nothing to change: give --name, --ctx, --alias, --no-alias, --add-alias, --remove-alias, --idle-ttl, "
            "--priority, --keep-conversations, --embedding, --rerank, --chat, --auto, --mmproj, --nodes, "
            "--engine-args, --device, --gpu-layers, --kv-type, --draft, --lora, --template, --thinking, --env, "
            "arguments for the engine after '--', or an option of commands and servers."
        )


def _show_changed(before: str, name: str, *, is_replaced: bool) -> None:
    from gglib.cli.views import render

    render.echo(f"Changed '{name}'." if name == before else f"Renamed '{before}' to '{name}'.")
    if is_replaced:
        render.echo(
            "It is in memory: it is unloaded after its requests, and the next request loads it again."
        )


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
