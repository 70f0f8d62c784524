"""``gglib add``: adds files to the catalogue; a directory is imported, a model of the hub is pulled."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gglib.cli.context import IDLE_TTL_HELP, MMPROJ_HELP, Options, kind_options
from gglib.cli.models.backend_options import BackendOptions, backend_options, take_backend_options
from gglib.cli.models.engine_words import (
    ENGINE_ARGS_HELP,
    EXTRA_ARGS,
    ExtraArgsCommand,
    engine_word_options,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gglib.app.settings import Settings
    from gglib.cli.models.add_targets import TargetKind
    from gglib.cli.models.adding import AddedFile
    from gglib.core.models import ModelSummary
    from gglib.library.add import AddRequest


@click.command("add", cls=ExtraArgsCommand)
@click.argument("files", metavar="[FILE]...", nargs=-1)
@click.option("--name", help="Name of the model. Default: the file's name.")
@click.option("--alias", "aliases", multiple=True, help="Alias of the model; may be repeated.")
@click.option("--ctx", metavar="N|max", help="Context size in tokens for this model.")
@click.option("--engine-args", metavar="ARGS", help=f"{ENGINE_ARGS_HELP}.")
@engine_word_options
@click.option("--idle-ttl", metavar="TIME|off", help=IDLE_TTL_HELP)
@kind_options
@backend_options
@click.option(
    "--mmproj",
    metavar="FILE|none",
    help=f"{MMPROJ_HELP}. Default: the projector in the same directory, if there is exactly one.",
)
@click.option("-y", "--yes", is_flag=True, help="Add a directory, or pull a model, without a prompt.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(  # noqa: PLR0913 - click passes each option
    ctx: click.Context,
    /,
    files: tuple[str, ...],
    *,
    name: str | None,
    aliases: tuple[str, ...],
    yes: bool,
    as_json: bool,
    **settings: Any,  # noqa: ANN401 - the options of one model
) -> None:
    """Add GGUF files to the catalogue without moving them.

    With --command or --url: add a model that another program serves, on this machine or elsewhere.

    For a model split into shards, FILE is any of the shards. A projector (mmproj) in the same directory is added too.
    With 'gglib --url', FILE is a path on the server.

    A directory is added as by 'gglib import', and owner/name[:QUANT] or a URL as by 'gglib pull', unless such a path
    exists.

    Arguments after '--' are passed to a llama-server unchecked, after all others.
    """
    from gglib.cli.commands.hub.pull import command as pull
    from gglib.cli.commands.models.import_ import command as import_
    from gglib.cli.models.add_targets import TargetKind, check_hub_target

    options: Options = ctx.obj
    backend = take_backend_options(settings)
    if backend.makes_backend:
        _add_backend(ctx, files, name, aliases, settings, backend, as_json=as_json)
        return
    _require_files(files, backend)
    kinds = {_kind_of(options, file) for file in files}
    if kinds == {TargetKind.FILE}:
        _require_one_model(files, name=name, aliases=aliases, mmproj=settings["mmproj"])
        add = _add_files if options.remote is None else _add_remote
        add(ctx, files, name, aliases, settings, as_json=as_json)
        return
    if len(files) > 1:
        raise click.UsageError(
            "Several arguments must be files: add a directory or a model of the hub alone."
        )
    if (
        any(settings.values())
        or EXTRA_ARGS in ctx.meta
        or ((name or aliases) and kinds == {TargetKind.DIRECTORY})
    ):
        raise click.UsageError(
            "These options are for one file: add the model first, then change it with 'gglib set'."
        )
    if kinds == {TargetKind.DIRECTORY}:
        where = files[0] if "/" in files[0] else f"./{files[0]}"  # 'hf' names a source
        ctx.invoke(import_, where=where, yes=yes, as_json=as_json)
    else:
        check_hub_target(files[0])
        ctx.invoke(pull, target=files[0], name=name, aliases=aliases, yes=yes, as_json=as_json)


def _require_files(files: "Sequence[str]", backend: BackendOptions) -> None:
    """Raise ``click.UsageError`` without a file, or for options of a backend without one."""
    if backend.is_given:
        raise click.UsageError("These options need --command or --url.")
    if not files:
        raise click.UsageError("Missing argument 'FILE...': give a GGUF file, or --command or --url.")


def _add_backend(  # noqa: PLR0913, PLR0917 - the options
    ctx: click.Context,
    files: "Sequence[str]",
    name: str | None,
    aliases: tuple[str, ...],
    own: dict[str, Any],
    backend: BackendOptions,
    *,
    as_json: bool,
) -> None:
    """Add a model that a command or a server elsewhere serves."""
    from gglib.cli.models.adding_backends import NewBackend, add_backend
    from gglib.cli.models.engine_words import backend_environment, is_given
    from gglib.cli.models.model_json import model_json
    from gglib.cli.models.model_settings import parse_model_settings
    from gglib.cli.views import model_list, render
    from gglib.core.models import ModelSettings
    from gglib.library.backend_rules import describe_backend

    options: Options = ctx.obj
    if options.remote is not None:
        raise click.UsageError(
            "Commands and servers cannot be added over HTTP: run this on the server's machine."
        )
    base = ModelSettings(**parse_model_settings(ctx=own["ctx"], idle_ttl=own["idle_ttl"]))
    if is_given(ctx, own) or own["mmproj"] is not None:
        change = backend_environment(ctx, own, backend.made(has_file=bool(files)))
        if change is None or own["mmproj"] is not None:
            raise click.UsageError(
                "--mmproj and engine options are for llama.cpp: write them into the command."
            )
        base = change(base)
    settings = options.settings()
    new = NewBackend(
        name=name,
        aliases=aliases,
        capabilities=backend.model_capabilities(
            embedding=own["embedding"], rerank=own["rerank"], chat=own["chat"]
        ),
        settings=base,
        options=backend,
    )
    model, models = add_backend(new, files, settings)
    if as_json:
        render.show_json(
            [{"path": None, "state": "added", "reason": None, "model": model_json(model, models, settings)}]
        )
    else:
        render.echo(f"Added '{model.name}' (id {model.id}), served by: {describe_backend(model)}")
        render.echo(model_list.usage_hint(model))


def _kind_of(options: Options, file: str) -> "TargetKind":
    """Return what an argument is; the paths of a remote server cannot be looked at from here."""
    import os

    from gglib.cli.models.add_targets import kind_of_target

    if options.remote is not None:
        return kind_of_target(file, exists=lambda _: False, is_directory=lambda _: False)
    return kind_of_target(
        file,
        exists=lambda text: os.path.lexists(os.path.expanduser(text)),  # noqa: PTH111 - no Path of a NUL
        is_directory=lambda text: os.path.isdir(os.path.expanduser(text)),  # noqa: PTH111, PTH112
    )


def _require_one_model(
    files: "Sequence[str]", *, name: str | None, aliases: "Sequence[str]", mmproj: str | None
) -> None:
    """Raise ``click.UsageError`` if options of one model are given for the files of several."""
    from gglib.cli.models.model_settings import parse_mmproj
    from gglib.library.add_plan import plan_files

    is_own = name or aliases or (mmproj is not None and parse_mmproj(mmproj) is not None)
    if is_own and len(plan_files(map(Path, files), {}).models) > 1:
        raise click.UsageError("--name, --alias and --mmproj are for one model: add each file by itself.")


def _add_files(  # noqa: PLR0913 - the options
    ctx: click.Context,
    files: "Sequence[str]",
    name: str | None,
    aliases: tuple[str, ...],
    own: dict[str, Any],
    *,
    as_json: bool,
) -> None:
    """Add files of this machine. Exits with 1 if one of several failed, raises the error of a single one."""
    import os

    from gglib.cli.models.add_targets import check_is_file
    from gglib.cli.models.adding import AddedFile, AddState, add_one, add_planned
    from gglib.cli.sessions import catalog_session
    from gglib.library.add import absolute_path
    from gglib.library.add_plan import plan_files

    options: Options = ctx.obj
    settings = options.settings()
    with catalog_session(settings) as catalog:
        models = catalog.run(lambda store: store.list_models())
        request = _request(ctx, files, own, name=name, aliases=aliases, settings=settings, models=models)
        known = {path: model.name for model in models for path in model.paths}
        plan = plan_files((absolute_path(Path(file)) for file in files), known)
        if len(plan.models) == 1 and not plan.projectors:
            check_is_file(files[0], exists=os.path.lexists)
            added = add_one(plan.models[0], request, catalog, settings)
            results = [AddedFile(path=plan.models[0].path, state=AddState.ADDED, model=added)]
        else:
            results = add_planned(plan, request, catalog, settings)
        models = catalog.run(lambda store: store.list_models())
    _show_results(results, models, settings, as_json=as_json)
    if any(result.state is AddState.FAILED for result in results):
        ctx.exit(1)


def _request(  # noqa: PLR0913 - the options
    ctx: click.Context,
    files: "Sequence[str]",
    own: dict[str, Any],
    *,
    name: str | None,
    aliases: tuple[str, ...],
    settings: "Settings",
    models: "Sequence[ModelSummary]",
) -> "AddRequest":
    """Return what the options say of each model; the path is set for each."""
    from gglib.cli.models.engine_words import added_settings
    from gglib.cli.models.model_settings import kind_from_flags, parse_ctx, parse_idle_ttl, parse_mmproj
    from gglib.core.models import ModelSettings
    from gglib.library.add import AddRequest

    projector = None if own["mmproj"] is None else parse_mmproj(own["mmproj"])
    return AddRequest(
        path=Path(),
        name=name,
        aliases=aliases,
        settings=added_settings(
            ctx,
            own,
            ModelSettings(
                context=parse_ctx(own["ctx"]),
                idle_ttl_s=None if own["idle_ttl"] is None else parse_idle_ttl(own["idle_ttl"]),
                kind=kind_from_flags(embedding=own["embedding"], rerank=own["rerank"], chat=own["chat"]),
            ),
            files=files,
            models=models,
            settings=settings,
        ),
        projector=projector,
        has_projector=own["mmproj"] is None or projector is not None,
    )


def _show_results(
    results: "Sequence[AddedFile]",
    models: "Sequence[ModelSummary]",
    settings: "Settings",
    *,
    as_json: bool,
) -> None:
    from gglib.cli.models.adding import AddState
    from gglib.cli.views import render

    if as_json:
        render.show_json([result.as_json(models, settings) for result in results])
    elif len(results) == 1 and results[0].model is not None:
        _show_added(results[0].model)
        return
    for result in results:
        if result.state is AddState.FAILED:
            render.echo(f"Error: {result.line()}", is_error=True)
        elif not as_json:
            render.echo(result.line())


def _show_added(model: "ModelSummary") -> None:
    from gglib.cli.views import model_list, render
    from gglib.core.file_names import escaped

    render.echo(f"Added '{model.name}' (id {model.id}). {model_list.usage_hint(model)}")
    if model.projector is not None:
        render.echo(f"It accepts images, with the projector {escaped(model.projector.name)}.")


def _add_remote(  # noqa: PLR0913 - the options
    ctx: click.Context,
    files: "Sequence[str]",
    name: str | None,
    aliases: tuple[str, ...],
    own: dict[str, Any],
    *,
    as_json: bool,
) -> None:
    """Add one file of the server's machine."""
    from gglib.cli.models.adding import AddState
    from gglib.cli.remote import commands, decode
    from gglib.cli.views import render

    options: Options = ctx.obj
    if len(files) > 1 or any(own.values()) or EXTRA_ARGS in ctx.meta or not Path(files[0]).is_absolute():
        raise click.UsageError(
            "On a remote server, add takes one absolute path on the server, --name and --alias: "
            "run it there for the others."
        )
    assert options.remote is not None  # noqa: S101 - checked by the caller
    fields = commands.add_model(options.remote, files[0], name, aliases)
    if as_json:
        item = {"path": files[0], "state": AddState.ADDED.value, "reason": None, "model": fields}
        render.show_json([item])
    else:
        _show_added(decode.model_of(fields))
