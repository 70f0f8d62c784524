"""``gglib cluster``: starts a cluster of machines, and shows it."""

import click

from gglib.cli.context import Options
from gglib.cli.help.pages import HelpGroup


@click.group("cluster", cls=HelpGroup)
def command() -> None:
    """Start a cluster, whose machines join by themselves and whose gglibs are kept running.

    Needs Linux and Ray: pip install 'gglib[ray]'. Without it, 'gglib node add URL' adds other machines by address.
    """


@command.command("init")
@click.option("--port", type=int, metavar="PORT", help="Port of the cluster's head. Default: 6379.")
@click.option("--name", metavar="NAME", help="Name of this machine. Default: its host name.")
@click.option(
    "--node-ip", metavar="IP", help="Address of this machine for the others. Default: found by itself."
)
@click.option("--first-port", type=int, metavar="PORT", help="First of 40 further ports. Default: 6400.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def init(  # noqa: PLR0913 - click passes each option
    options: Options,
    *,
    port: int | None,
    name: str | None,
    node_ip: str | None,
    first_port: int | None,
    as_json: bool,
) -> None:
    """Start the head of a cluster on this machine, and print the command for the other machines.

    This home's gglib uses the nodes from then on. A head that has ended is started again with its nodes.
    """
    from gglib.cli.nodes.cluster import init_cluster

    init_cluster(
        options.settings(), port=port, name=name, node_ip=node_ip, first_port=first_port, as_json=as_json
    )


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def status(options: Options, *, as_json: bool) -> None:
    """List the nodes of the cluster that this machine is a part of."""
    from gglib.cli.nodes.cluster import show_cluster

    show_cluster(options.tolerant_settings(), as_json=as_json)
