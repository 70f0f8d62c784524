"""``gglib add``: adds a file to the catalogue."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gglib.cli.context import IDLE_TTL_HELP, MMPROJ_HELP, Options, kind_options

if TYPE_CHECKING:
    from gglib.core.addresses import Endpoint


@click.command("add")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the model. Default: the file's name.")
@click.option("--alias", "aliases", multiple=True, help="Alias of the model; may be repeated.")
@click.option("--ctx", metavar="N|max", help="Context size in tokens for this model.")
@click.option(
    "--engine-args", default="", metavar="ARGS", help="Additional llama-server arguments for this model."
)
@click.option("--idle-ttl", metavar="TIME|off", help=IDLE_TTL_HELP)
@kind_options
@click.option(
    "--mmproj",
    metavar="FILE|none",
    help=f"{MMPROJ_HELP}. Default: the projector in the same directory, if there is exactly one.",
)
@click.pass_obj
def command(  # noqa: PLR0913 - click passes each option
    options: Options,
    /,
    file: Path,
    *,
    name: str | None,
    aliases: tuple[str, ...],
    ctx: str | None,
    engine_args: str,
    idle_ttl: str | None,
    mmproj: str | None,
    **kinds: bool,
) -> None:
    """Add a GGUF file to the catalogue without moving it.

    For a model split into shards, FILE is any of the shards. A projector (mmproj) in the same directory is added too.
    With --url, FILE is a path on the server.
    """
    from gglib.app.catalog import add_file, validated_engine_args
    from gglib.cli.model_settings import kind_from_flags, parse_ctx, parse_idle_ttl, parse_mmproj
    from gglib.cli.runner import with_catalog
    from gglib.cli.views import model_list, render
    from gglib.core.file_names import escaped
    from gglib.core.models import ModelSettings
    from gglib.library.add import AddRequest

    if options.remote is not None:
        if ctx or engine_args or idle_ttl or mmproj or any(kinds.values()) or not file.is_absolute():
            raise click.UsageError(
                "On a remote server, add takes an absolute path on the server, --name and --alias: "
                "run it there for the others."
            )
        _add_remote(options.remote, file, name, aliases)
        return
    settings = options.settings()
    own = ModelSettings(
        context=parse_ctx(ctx),
        engine_args=validated_engine_args(engine_args, settings),
        idle_ttl_s=None if idle_ttl is None else parse_idle_ttl(idle_ttl),
        kind=kind_from_flags(**kinds),
    )
    projector = None if mmproj is None else parse_mmproj(mmproj)
    request = AddRequest(
        path=file,
        name=name,
        aliases=aliases,
        settings=own,
        projector=projector,
        has_projector=mmproj is None or projector is not None,
    )
    model = with_catalog(settings, lambda store: add_file(request, store, settings))
    render.echo(f"Added '{model.name}' (id {model.id}). {model_list.usage_hint(model)}")
    if model.projector is not None:
        render.echo(f"It accepts images, with the projector {escaped(model.projector.name)}.")


def _add_remote(server: "Endpoint", file: Path, name: str | None, aliases: tuple[str, ...]) -> None:
    from gglib.cli.remote import commands, decode
    from gglib.cli.views import model_list, render

    model = decode.model_of(commands.add_model(server, str(file), name, aliases))
    render.echo(f"Added '{model.name}' (id {model.id}). {model_list.usage_hint(model)}")
