"""The steps of ``gglib cluster``, ``gglib node join`` and ``gglib node leave``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gglib.cli.views import cluster, render
from gglib.core.errors import InvalidSettingError, NodeError

if TYPE_CHECKING:
    from gglib.app.cluster.home import ClusterPart
    from gglib.app.settings import Settings

_MAX_TOKEN = 4096
_STATUS_S = 20.0
_STDIN = "-"


def init_cluster(  # noqa: PLR0913 - the options of the command
    settings: "Settings",
    *,
    port: int | None,
    name: str | None,
    node_ip: str | None,
    first_port: int | None,
    as_json: bool,
) -> None:
    """Start a head, and print what to type on the other machines."""
    from gglib.app.cluster.home import ClusterHome
    from gglib.app.cluster.joining import PartOptions, start_head

    _check_ports(port, first_port)
    part, is_new = start_head(settings, PartOptions(name=name, node_ip=node_ip, first_port=first_port), port)
    token_file = ClusterHome(settings.home).token_file
    if as_json:
        render.show_json(
            {
                "address": part.address,
                "token_file": str(token_file),
                "node_ip": part.node_ip,
                "name": part.name,
                "first_port": part.first_port,
                "is_new": is_new,
            }
        )
        return
    verb = "is ready" if is_new else "is running already"
    render.echo(f"The head of the cluster {verb} at {part.address}.")
    for line in cluster.join_lines(part.address, str(token_file), _port_line(settings, part)):
        # Not by render, which puts how this machine's gglib was called into commands: it is for other machines.
        click.echo(line)


def join_cluster(  # noqa: PLR0913 - the options of the command
    settings: "Settings",
    address: str,
    token_file: str,
    *,
    name: str | None,
    node_ip: str | None,
    first_port: int | None,
    as_json: bool,
) -> None:
    """Join a cluster, and print how this machine's gglib serves it."""
    from gglib.app.cluster.joining import PartOptions, join, require_ray
    from gglib.app.settings.parsers import parse_cluster_address

    _check_ports(first_port)
    require_ray()
    try:
        head = parse_cluster_address(address)
    except ValueError:
        head = None
    if head is None:
        raise InvalidSettingError(
            f"'{address}' is no address of a head: write it as HOST:PORT, such as box:6379."
        )
    options = PartOptions(name=name, node_ip=node_ip, first_port=first_port)
    part, report = join(settings, options, head, _read_token(token_file))
    if as_json:
        shown = None if report is None else {field: report[field] for field in report if field != "key"}
        render.show_json(
            {"name": part.name, "address": part.address, "node_ip": part.node_ip, "report": shown}
        )
        return
    if report is None or not report["url"]:
        reason = "" if report is None else report["failure"]
        raise NodeError(
            f"Node '{part.name}' has joined, but its gglib does not serve yet: {reason or 'its agent does not answer.'}"
        )
    render.echo(f"Node '{part.name}' of the cluster at {part.address} serves at {report['url']}.")
    render.echo(_port_line(settings, part))


def leave_cluster(settings: "Settings", *, as_json: bool) -> None:
    """End the part of this machine, and print what was ended."""
    from gglib.app.cluster.leaving import leave

    left = leave(settings)
    if as_json:
        render.show_json(
            {
                "name": left.part.name,
                "stopped_pid": left.stopped_pid,
                "still_served_pid": left.still_served_pid,
                "problem": left.problem or None,
            }
        )
        return
    what = "The cluster" if left.part.is_head else f"Node '{left.part.name}'"
    end = "has ended" if left.part.is_head else f"has left the cluster at {left.part.address}"
    stopped = "" if left.stopped_pid is None else f", and its gglib (pid {left.stopped_pid}) has stopped"
    render.echo(f"{what} {end}{stopped}.")
    if left.still_served_pid is not None:
        render.echo(f"gglib (pid {left.still_served_pid}) keeps running: the cluster did not start it.")
    if left.problem:
        render.warn(left.problem)


def show_cluster(settings: "Settings", *, as_json: bool) -> None:
    """Ask the cluster for its nodes, and print them."""
    from gglib.app.cluster.exchange import exchange
    from gglib.app.cluster.home import ClusterHome
    from gglib.app.cluster.joining import require_ray

    require_ray()
    home = ClusterHome(settings.home)
    part = home.read()
    if part is None:
        raise InvalidSettingError(
            "This home has no part in a cluster: 'gglib cluster init' starts one, 'gglib node join HOST:PORT "
            "--token-file FILE' joins one."
        )
    members = exchange(home, part, "status", within_s=_STATUS_S)["members"]
    if as_json:
        shown = [{**member, "state": cluster.member_state(member)} for member in members]
        render.show_json({"address": part.address, "members": shown})
        return
    render.show_note(f"Cluster at {part.address}")
    if not members:
        render.show_note(cluster.NO_MEMBERS)
        return
    render.show_table(
        cluster.COLUMNS,
        cluster.member_rows(members),
        droppable=cluster.DROPPABLE,
        styles={"STATE": cluster.STATE_STYLES},
    )
    for line in cluster.member_failures(members):
        render.echo(line, is_error=True)


def _port_line(settings: "Settings", part: "ClusterPart") -> str:
    from gglib.nodes.ray.environment import PORT_COUNT

    return cluster.port_line(
        part.first_port,
        part.first_port + PORT_COUNT - 1,
        head_port=int(part.address.rpartition(":")[2]) if part.is_head else None,
        gglib_port=None if part.is_head else settings.port or None,
    )


def _read_token(token_file: str) -> str:
    """Return the token. Raises ``InvalidSettingError``."""
    try:
        text = (
            sys.stdin.read(_MAX_TOKEN) if token_file == _STDIN else Path(token_file).read_text()[:_MAX_TOKEN]
        )
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InvalidSettingError(
            f"The token file {token_file} cannot be read ({reason}): copy that of the cluster's head, 'gglib cluster "
            "init' there prints its path."
        ) from None
    token = text.strip()
    if not token or len(token.split()) != 1 or not token.isascii():
        raise InvalidSettingError(
            f"The file {token_file} has no token: copy that of the cluster's head again."
        )
    return token


def _check_ports(*ports: int | None) -> None:
    if any(port is not None and not 1 <= port <= 65_000 for port in ports):
        raise InvalidSettingError("A port has to be a whole number from 1 to 65000.")
