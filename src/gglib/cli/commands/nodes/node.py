"""``gglib node``: adds, lists, drains and removes the gglibs of other machines."""

from typing import TYPE_CHECKING

import click

from gglib.cli.context import Options
from gglib.cli.help.pages import HelpGroup

if TYPE_CHECKING:
    from gglib.app.settings import Settings


@click.group("node", cls=HelpGroup)
def command() -> None:
    """Add, list and remove nodes: the gglibs of other machines.

    A node keeps its own models, queue and engines. Nodes are in config.toml below [nodes].
    """


@command.command("add")
@click.argument("url")
@click.option("--name", metavar="NAME", help="Name of the node. Default: that of its host.")
@click.option("--key-env", metavar="VARIABLE", help="Environment variable with an admin key of the node.")
@click.option("--ca", metavar="FILE", help="Certificates that the node's own is verified with.")
@click.option("--force", is_flag=True, help="Add it even if it cannot be used now.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def add(  # noqa: PLR0913 - click passes each option
    options: Options,
    url: str,
    *,
    name: str | None,
    key_env: str | None,
    ca: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Add a node, or change the address, key or certificates of one.

    URL is the address of its server: box, box:8080, https://box. It is probed first. On its machine
    'gglib key new front --admin' makes the key.
    """
    from gglib.cli.nodes.adding import add_node, new_node

    settings = options.tolerant_settings(is_quiet=True)
    node = new_node(url, name=name, key_env=key_env, ca=ca, existing=settings.nodes)
    add_node(settings, *node, is_forced=force, as_json=as_json)
    _end(options)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(options: Options, *, as_json: bool) -> None:
    """List the nodes: their state, the models in their memory, free memory, and waiting requests.

    Each node is probed, for at most three seconds.
    """
    from gglib.cli.nodes.listing import show_nodes

    show_nodes(options.tolerant_settings(), as_json=as_json)


@command.command("drain")
@click.argument("name")
@click.option("--undo", is_flag=True, help="Let it get new requests again.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def drain(options: Options, name: str, *, undo: bool, as_json: bool) -> None:
    """Send a node no new requests; it finishes those that it has."""
    from gglib.app.settings.node_writer import drain_node
    from gglib.cli.nodes.known import require_known
    from gglib.cli.views import render

    settings = options.tolerant_settings(is_quiet=True)
    require_known(settings, name)
    drain_node(settings.config_path, name, is_drained=not undo)
    if as_json:
        render.show_json({"name": name, "drain": not undo})
    elif undo:
        render.echo(f"Node '{name}' gets new requests again.")
    else:
        render.echo(f"Node '{name}' gets no new requests: 'gglib node drain {name} --undo' undoes it.")
    _end(options)


@command.command("remove")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def remove(options: Options, name: str, *, as_json: bool) -> None:
    """Remove a node from config.toml. Its gglib keeps running."""
    from gglib.app.settings.node_writer import remove_node
    from gglib.cli.nodes.known import require_known
    from gglib.cli.views import render

    settings = options.tolerant_settings(is_quiet=True)
    require_known(settings, name)
    remove_node(settings.config_path, name)
    if as_json:
        render.show_json({"removed": name})
    else:
        render.echo(f"Removed the node '{name}'.")
    _end(options)


def _end(options: Options) -> "Settings":
    """Print the warnings of the settings after a change, and what overrides it."""
    from gglib.app.settings.entries import NODES, find_entry
    from gglib.cli.config_changes import warn_of_overrides

    settings = options.tolerant_settings()
    warn_of_overrides(settings, find_entry(NODES).spec)
    return settings
