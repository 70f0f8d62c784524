"""``gglib rm``: removes models from the catalogue, and with ``--files`` also their files."""

from typing import TYPE_CHECKING, Any

import click

from gglib.cli.context import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from gglib.app.settings import Settings
    from gglib.core.models import ModelSummary
    from gglib.core.ports import RemovedModel
    from gglib.library.remove import RemovalPlan, Removals


@click.command("rm")
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@click.option("--files", "with_files", is_flag=True, help="Also delete the files that gglib downloaded.")
@click.option("-y", "--yes", is_flag=True, help="Delete without a prompt.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, without a prompt.")
@click.pass_context
def command(
    ctx: click.Context, models: tuple[str, ...], *, with_files: bool, yes: bool, as_json: bool
) -> None:
    """Remove models from the catalogue; their files stay.

    '--files' also deletes the files that gglib downloaded and no other model uses, and prints the space freed.

    Nothing is removed if one of the names is unknown. A terminal is asked before '--files' deletes, and if MODEL is
    only the beginning of a name; without a prompt, '--files' needs whole names. The exit code is 1 if a model could not
    be removed.
    """
    from gglib.cli.terminal.console import is_interactive
    from gglib.cli.views import local_models, render

    options: Options = ctx.obj
    can_prompt = is_interactive() and not (yes or as_json)
    remove = _remove_here if options.remote is None else _remove_remote
    removed, failures = remove(options, models, with_files=with_files, can_prompt=can_prompt)
    if as_json:
        render.show_json([fields for fields, _ in removed])
    else:
        for _, lines in removed:
            for line in lines:
                render.echo(line)
        if with_files and len(removed) > 1:
            render.echo(local_models.format_freed([fields["freed_bytes"] for fields, _ in removed]))
    for failure in failures:
        render.echo(f"Error: {failure}", is_error=True)
    if failures:
        ctx.exit(1)


_Removed = list[tuple[dict[str, Any], list[str]]]
"""The JSON form of each removal, ``responses.RemovedModel``, and its lines."""


def _remove_here(
    options: Options, typed: "Sequence[str]", *, with_files: bool, can_prompt: bool
) -> tuple[_Removed, list[str]]:
    """Remove models of this home; return the removed ones, and why the others could not be removed."""
    from gglib.app.models.library import removals
    from gglib.cli.models.typed_names import require_typed_models
    from gglib.cli.server.instance import model_states
    from gglib.cli.sessions import catalog_session

    settings = options.settings()
    with catalog_session(settings) as catalog:
        models = catalog.run(lambda store: require_typed_models(store, typed, settings.aliases))
        if _needs_prompt(typed, models, with_files=with_files, can_prompt=can_prompt):
            plans = catalog.run(lambda store: _plans(removals(settings, store), models))
            _confirm_removals(plans, with_files=with_files)
        states = model_states(settings) if with_files else {}

        def remove(model: "ModelSummary") -> tuple[dict[str, Any], list[str]]:
            # By id: the name may refer to another model by now.
            removed = catalog.run(
                lambda store: removals(settings, store).remove_model(str(model.id), with_files=with_files)
            )
            return _shown(removed, states, with_files=with_files, is_last=model is models[-1])

        done = _each(models, remove)
        _note_references(settings, models, catalog.run(lambda store: store.list_models()))
        return done


def _note_references(
    settings: "Settings", models: "Iterable[ModelSummary]", left: "Sequence[ModelSummary]"
) -> None:
    """Name the settings that still have the name of a removed model; ``left`` are the models after the removal."""
    from gglib.app.settings.name_references import lost_references
    from gglib.cli.views import local_models, render

    left_ids = {model.id for model in left}
    for model in models:
        references = () if model.id in left_ids else tuple(lost_references(settings, model, left))
        if references:
            render.echo(local_models.references_line(model.name, references), is_error=True)


async def _plans(removals: "Removals", models: "Sequence[ModelSummary]") -> "list[RemovalPlan]":
    return [await removals.plan(str(model.id)) for model in models]


def _each(
    models: "Iterable[ModelSummary]", remove: "Callable[[ModelSummary], tuple[dict[str, Any], list[str]]]"
) -> tuple[_Removed, list[str]]:
    from gglib.core.errors import GglibError

    removed: _Removed = []
    failures = []
    for model in models:
        try:
            removed.append(remove(model))
        except GglibError as error:
            failures.append(str(error))
    return removed, failures


def _shown(
    removed: "RemovedModel", states: "Mapping[int, str]", *, with_files: bool, is_last: bool
) -> tuple[dict[str, Any], list[str]]:
    import msgspec

    from gglib.cli.views import local_models
    from gglib.proxy.routes import responses

    state = states.get(removed.model.id)
    lines = (
        local_models.removal_lines(removed, state)
        if with_files
        else local_models.forgotten_lines(removed.model, with_hint=is_last)
    )
    return msgspec.to_builtins(responses.RemovedModel.of(removed, state)), list(lines)


def _needs_prompt(
    typed: "Sequence[str]", models: "Sequence[ModelSummary]", *, with_files: bool, can_prompt: bool
) -> bool:
    """Whether to ask before the removal. Raises ``InvalidSettingError`` if files would be deleted by a mere prefix.

    A script that removes a model twice must not delete the files of another one, whose name begins alike.
    """
    from gglib.core.errors import InvalidSettingError
    from gglib.core.names import find_model

    prefixes = [name for name in typed if find_model(name, models) is None]
    if prefixes and with_files and not can_prompt:
        raise InvalidSettingError(
            f"'{prefixes[0]}' is only the beginning of a name: without a prompt, 'gglib rm --files' needs whole names "
            f"({', '.join(model.name for model in models)})."
        )
    return can_prompt and (with_files or bool(prefixes))


def _confirm_removals(plans: "Sequence[RemovalPlan]", *, with_files: bool) -> None:
    from gglib.cli.views import local_models, render
    from gglib.core.file_names import escaped

    for plan in plans if with_files else ():
        for line in local_models.removal_plan_lines(plan):
            render.echo(line)
    names = ", ".join(f"'{escaped(plan.model.name)}'" for plan in plans)
    click.confirm(f"Remove {names}?", abort=True)


def _remove_remote(
    options: Options, typed: "Sequence[str]", *, with_files: bool, can_prompt: bool
) -> tuple[_Removed, list[str]]:
    """Remove models of a remote server; return what ``_remove_here`` returns."""
    from gglib.cli.remote import commands
    from gglib.cli.server.models import require_models
    from gglib.core.file_names import escaped

    server = options.remote
    assert server is not None  # noqa: S101 - checked by the caller
    models = require_models(server, typed)
    if _needs_prompt(typed, models, with_files=with_files, can_prompt=can_prompt):
        names = ", ".join(f"'{escaped(model.name)}'" for model in models)
        files = (" and its files" if len(models) == 1 else " and their files") if with_files else ""
        click.confirm(f"Remove {names}{files} from {server.url}?", abort=True)

    def remove(model: "ModelSummary") -> tuple[dict[str, Any], list[str]]:
        removed = commands.remove_model(server, str(model.id), with_files=with_files)
        return removed, _remote_lines(model, removed, with_files=with_files)

    return _each(models, remove)


def _remote_lines(model: "ModelSummary", removed: dict[str, Any], *, with_files: bool) -> list[str]:
    from gglib.cli.views import local_models, render
    from gglib.core.file_names import escaped

    if not with_files:
        return list(local_models.forgotten_lines(model, with_hint=False))  # it is a command on the server
    lines = [f"Removed '{escaped(model.name)}'; {render.size(removed['freed_bytes'])} of disk are freed."]
    return lines + [f"{escaped(kept['path'])} is kept: {kept['reason']}." for kept in removed["kept"]]
