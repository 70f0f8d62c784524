"""``gglib node``: adds, lists, drains and removes the gglibs of other machines; joins and leaves a cluster."""

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

    Shows what the running server uses, or probes each node, for at most three seconds, if none runs. Names that
    stand for different files are listed with the command that renames a model.
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


@command.command("join")
@click.argument("address", metavar="HOST:PORT")
@click.option(
    "--token-file", metavar="FILE", required=True, help="File with the token of the cluster; '-': stdin."
)
@click.option("--name", metavar="NAME", help="Name of this node. Default: that of this machine.")
@click.option(
    "--node-ip", metavar="IP", help="Address of this machine for the others. Default: the one towards HOST."
)
@click.option(
    "--first-port", type=int, metavar="PORT", help="First of 40 ports for the cluster. Default: 6400."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def join(  # noqa: PLR0913 - click passes each option
    options: Options,
    address: str,
    *,
    token_file: str,
    name: str | None,
    node_ip: str | None,
    first_port: int | None,
    as_json: bool,
) -> None:
    """Make this machine a node of a cluster, and keep its gglib running for it.

    HOST:PORT is the address of the cluster's head: 'gglib cluster init' there prints the command. Needs Linux and
    gglib[ray].
    """
    from gglib.cli.nodes.cluster import join_cluster

    join_cluster(
        options.settings(),
        address,
        token_file,
        name=name,
        node_ip=node_ip,
        first_port=first_port,
        as_json=as_json,
    )


@command.command("leave")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def leave(options: Options, *, as_json: bool) -> None:
    """End this machine's part in a cluster: its gglib, if the cluster started it, and all processes of Ray.

    On the head's machine it ends the cluster; the gglibs of the nodes go on.
    """
    from gglib.cli.nodes.cluster import leave_cluster

    leave_cluster(options.tolerant_settings(), as_json=as_json)


def _end(options: Options) -> "Settings":
    """Print the warnings of the settings after a change, and what overrides it."""
    from gglib.app.settings.entries import NODES, find_entry
    from gglib.cli.config_changes import warn_of_overrides

    settings = options.tolerant_settings()
    warn_of_overrides(settings, find_entry(NODES).spec)
    return settings
