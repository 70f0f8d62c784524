"""Starts the head of a cluster on this machine, or joins one as a node."""

import importlib.util
import os
import platform
import secrets
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gglib.app.cluster.exchange import exchange
from gglib.app.cluster.home import ClusterHome, ClusterPart, is_running
from gglib.app.cluster.served_home import KEY_NAME, node_key
from gglib.app.serving.supervisor import ForeignAddressError, bind
from gglib.app.settings import Settings, prepare_home
from gglib.app.settings.config_reader import read_content
from gglib.app.settings.config_writer import add_key, remove_key, set_setting
from gglib.app.settings.entries import KEYS
from gglib.app.settings.new_keys import KeyRights, generate_key, key_entry
from gglib.core.errors import InvalidSettingError, NodeError
from gglib.nodes.ray.environment import (
    FIRST_PORT,
    HEAD_PORT,
    RayletOptions,
    head_command,
    node_command,
    raylet_environment,
)
from gglib.nodes.ray.membership import is_member_name
from gglib.nodes.ray.raylet import start_ray, stop_ray
from gglib.nodes.ray.versions import unavailable
from gglib.system.network_addresses import host_name, network_addresses

CREATE_S = 120.0
"""How long an agent may take until its gglib serves: Python and Ray are loaded twice, then gglib starts."""
REMOVE_S = 20.0
ADDRESS_SETTING = "cluster_address"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOptions:
    """What the user says of the part of a machine; None: as before, or the default."""

    name: str | None = None
    node_ip: str | None = None
    first_port: int | None = None


def require_ray() -> None:
    """Raise ``InvalidSettingError`` where clusters cannot be used. Does not import Ray."""
    problem = unavailable(platform.system(), is_installed=importlib.util.find_spec("ray") is not None)
    if problem is not None:
        raise InvalidSettingError(problem)


def start_head(settings: Settings, options: PartOptions, port: int | None) -> tuple[ClusterPart, bool]:
    """Start the head of a cluster, and let this home's gglib use its nodes; returns its part, and False if it ran.

    A head that was ended starts again with what it had. Raises ``InvalidSettingError`` or ``NodeError``.
    """
    require_ray()
    home = ClusterHome(settings.home)
    prepare_home(settings)
    with home.locked():
        return _start_head(settings, home, options, port)


def _start_head(
    settings: Settings, home: ClusterHome, options: PartOptions, port: int | None
) -> tuple[ClusterPart, bool]:
    before = home.read()
    if before is not None and not before.is_head:
        raise InvalidSettingError(
            f"This home is a node of the cluster at {before.address}: 'gglib node leave' ends that, or use another "
            "--home."
        )
    node_ip = options.node_ip or (before.node_ip if before is not None else _own_address())
    address = _join_address(node_ip, port or (_port_of(before.address) if before is not None else HEAD_PORT))
    part = _part(options, before, is_head=True, address=address, node_ip=node_ip)
    if before is not None and is_running(before):
        _use_cluster(settings, part)
        return part, False
    is_first = before is None and home.read_token() is None
    home.prepare()
    home.make_token()
    home.write(part)
    try:
        _start_ray_head(home, part)
    except BaseException:  # also Ctrl-C
        if is_first:
            home.remove()
        else:
            home.restore(before)
        raise
    _use_cluster(settings, part)
    return part, True


def _start_ray_head(home: ClusterHome, part: ClusterPart) -> None:
    stop_ray(part.mark)
    # Ray takes this file and raylets of other nodes on this machine for a running head.
    (home.temp_dir / "ray_current_cluster").unlink(missing_ok=True)
    port = _port_of(part.address)
    with suppress(ForeignAddressError):
        # Ray would take another program on the port for a head that does not answer.
        bind(part.node_ip, port, busy_advice="pass --port with another one").close()
    _start(home, part, head_command(sys.executable, _raylet_options(home, part), port), storage=home.storage)


def join(
    settings: Settings, options: PartOptions, address: str, token: str, *, is_return: bool = False
) -> tuple[ClusterPart, dict[str, Any] | None]:
    """Join the cluster whose head is at ``address``; returns the part, and the agent's report (``AgentReport``).

    ``is_return``: only if the home is a node whose raylet has ended, which another process may change before this one
    gets to it. Raises ``InvalidSettingError`` or ``NodeError``, and changes nothing then.
    """
    require_ray()
    home = ClusterHome(settings.home)
    prepare_home(settings)
    with home.locked():
        before = home.read()
        if is_return and (before is None or is_running(before)):
            raise InvalidSettingError("The node has left or is back.")
        return _join(settings, home, options, address, token)


def _join(
    settings: Settings, home: ClusterHome, options: PartOptions, address: str, token: str
) -> tuple[ClusterPart, dict[str, Any] | None]:
    before = home.read()
    if before is not None and before.is_head:
        raise InvalidSettingError(
            f"This home has the head of the cluster at {before.address}, whose gglib needs no node: 'gglib node leave' "
            "ends the cluster, or use another --home."
        )
    if before is not None and before.address != address and is_running(before):
        raise InvalidSettingError(
            f"This home is a node of the cluster at {before.address}: 'gglib node leave' ends that, or use another "
            "--home."
        )
    node_ip = options.node_ip or (before.node_ip if before is not None else _address_towards(address))
    part = _part(options, before, is_head=False, address=address, node_ip=node_ip)
    was_running, token_before, has_new_key = is_running(part), home.read_token(), False
    home.prepare()
    home.keep_token(token)
    home.write(part)
    try:
        if not was_running:
            stop_ray(part.mark)
            _start(home, part, node_command(sys.executable, _raylet_options(home, part), address))
        # Not before: with the first key of a home, all its clients need one.
        has_new_key = _ensure_key(settings)
        report = _create_agent(home, part, before)
    except BaseException:  # also Ctrl-C
        if not was_running:
            stop_ray(part.mark)
        is_unused_key = (
            has_new_key and home.read_serve_record() is None
        )  # the agent has started no gglib with it
        _undo(home, before, token_before)
        if is_unused_key:
            remove_key(settings.config_path, KEY_NAME)
        raise
    return part, report


def _undo(home: ClusterHome, before: ClusterPart | None, token_before: str | None) -> None:
    """Restore what a home knew before a join that failed: a typo must not end its part in a cluster."""
    if before is None:
        home.remove()
        return
    home.restore(before)
    if token_before is not None:
        home.keep_token(token_before)


def _create_agent(home: ClusterHome, part: ClusterPart, before: ClusterPart | None) -> dict[str, Any] | None:
    """Create the agent of a node, and remove the one that it had under another name; returns its report."""
    answer = exchange(home, part, "create", within_s=CREATE_S)
    if "taken_at" in answer:
        raise NodeError(
            f"The cluster has a node '{part.name}' at {answer['taken_at']}: pass --name with another name."
        )
    if before is not None and before.address == part.address and before.name != part.name:
        with suppress(NodeError):  # the head has just been lost
            exchange(home, replace(part, name=before.name), "remove", within_s=REMOVE_S)
    report: dict[str, Any] | None = answer["report"]
    return report


def _part(
    options: PartOptions, before: ClusterPart | None, *, is_head: bool, address: str, node_ip: str
) -> ClusterPart:
    name = options.name or (before.name if before is not None else _own_name())
    if not is_member_name(name):
        raise InvalidSettingError(
            f"'{name}' cannot be the name of a node: pass --name with 1 to 64 letters (A to Z), digits, '.', '-' or "
            "'_', the first and the last a letter or a digit."
        )
    first_port = options.first_port or (before.first_port if before is not None else FIRST_PORT)
    part = ClusterPart(
        is_head=is_head,
        name=name,
        address=address,
        node_ip=node_ip,
        first_port=first_port,
        mark=secrets.token_hex(16) if before is None else before.mark,
    )
    if before is not None and part != before and is_running(before):
        raise InvalidSettingError(
            f"This home takes part in the cluster as '{before.name}' at {before.node_ip}, ports from "
            f"{before.first_port}: 'gglib node leave' ends that, then other options can be used."
        )
    return part


def _start(home: ClusterHome, part: ClusterPart, command: list[str], *, storage: Path | None = None) -> None:
    environment = raylet_environment(os.environ, home.token_file, mark=part.mark, storage=storage)
    start_ray(command, environment, home.ray_log, address=part.address, first_port=part.first_port)


def _raylet_options(home: ClusterHome, part: ClusterPart) -> RayletOptions:
    return RayletOptions(
        name=part.name, node_ip=part.node_ip, first_port=part.first_port, temp_dir=home.temp_dir
    )


def _ensure_key(settings: Settings) -> bool:
    """Make an admin key for the fronts, unless there is one, or the user serves other machines without keys.

    Returns whether it was made.
    """
    if node_key(settings) is not None or (settings.insecure and not settings.api_keys):
        return False
    existing = read_content(settings.config_path).get(KEYS)
    if KEYS in settings.sources and settings.sources[KEYS][0] != settings.config_path.name:
        raise InvalidSettingError(
            f"{settings.sources[KEYS][0]} sets the access keys, none of them with admin rights: add one, or unset it."
        )
    entry = key_entry(KEY_NAME, generate_key(), KeyRights(is_admin=True), existing)
    add_key(settings.config_path, KEY_NAME, entry)
    return True


def _use_cluster(settings: Settings, part: ClusterPart) -> None:
    """Let this home's gglib send requests to the nodes of the cluster."""
    if settings.cluster_address != part.address:
        set_setting(settings.config_path, (ADDRESS_SETTING,), part.address)


def _own_name() -> str:
    return host_name() or "node"


def _own_address() -> str:
    addresses = network_addresses()
    if not addresses:
        raise InvalidSettingError(
            "This machine has no address for other machines: pass --node-ip with the one to use."
        )
    return addresses[0]


def _address_towards(address: str) -> str:
    """Return the address of this machine that packets to the head have. Sends nothing."""
    host, _, port = address.rpartition(":")
    try:
        family, _, _, _, target = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(target)
            return str(probe.getsockname()[0]).partition("%")[0]
    except OSError as error:
        raise NodeError(
            f"The head of the cluster at {address} cannot be reached ({error.strerror or error}): check the address."
        ) from error


def _join_address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _port_of(address: str) -> int:
    return int(address.rpartition(":")[2])
