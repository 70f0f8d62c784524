"""Adds a node to ``config.toml`` after a look at it."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gglib.app.nodes import look_at, peer_of
from gglib.app.settings.home import prepare_home
from gglib.app.settings.node_tables import NodeSetting, is_node_name, is_variable_name, name_of
from gglib.app.settings.node_writer import set_node
from gglib.cli.nodes.listing import node_json, show_table
from gglib.cli.remote.address import check_ca_address, plaintext_key_warning
from gglib.cli.server.instance import find_instance, get_status
from gglib.cli.views import nodes, render
from gglib.core.addresses import Endpoint, base_url
from gglib.core.errors import GglibError, InvalidSettingError
from gglib.core.nodes import NodeState
from gglib.nodes.peers import failures

if TYPE_CHECKING:
    from gglib.app.settings import Settings

_USABLE = frozenset((NodeState.READY, NodeState.DRAINING))


def new_node(
    url: str,
    *,
    name: str | None,
    key_env: str | None,
    ca: str | None,
    existing: Mapping[str, NodeSetting],
) -> tuple[str, NodeSetting]:
    """Return the name and the entry of a node from the command line. Raises ``InvalidSettingError``."""
    try:
        address = base_url(url)
    except ValueError:
        raise InvalidSettingError(
            "The address of a node must be like box, box:8080, http://box:8080 or https://box, with nothing after the "
            "port."
        ) from None
    if key_env is not None and not is_variable_name(key_env):
        # The value is not shown: it may be the key itself.
        raise InvalidSettingError(
            "--key-env must be the name of an environment variable that has the key, not the key itself."
        )
    check_ca_address(address, ca)
    chosen = name_of(address) if name is None else name
    if not is_node_name(chosen):
        raise InvalidSettingError(
            f"'{chosen}' cannot be the name of a node: pass --name with 1 to 64 letters (A to Z), digits, '.', '-' or "
            "'_', the first a letter or a digit."
        )
    before = existing.get(chosen)
    if name is None and before is not None and before.url != address:
        raise InvalidSettingError(
            f"There is a node '{chosen}' at {before.url}: pass --name with another name, or '--name {chosen}' to "
            "change its address."
        )
    return chosen, NodeSetting(
        url=address,
        key_env=key_env,
        ca=None if ca is None else Path(ca).expanduser().absolute(),
        is_drained=before is not None and before.is_drained,
    )


def add_node(settings: "Settings", name: str, node: NodeSetting, *, is_forced: bool, as_json: bool) -> None:
    """Probe a node, add it to ``config.toml``, and print what was found.

    Raises ``InvalidSettingError``, and adds nothing, if it cannot be used, unless ``is_forced``.
    """
    peer = peer_of(name, node, os.environ)
    warning = plaintext_key_warning(Endpoint(peer.url, peer.key, is_remote=True), os.environ)
    if warning is not None:
        render.echo(warning, is_error=True)
    (found,) = asyncio.run(look_at([peer], own_instance=_own_instance(settings)))
    if found.failure == failures.itself(peer):
        raise InvalidSettingError(
            f"{peer.url} is this gglib itself, whose models are served anyway: add the gglib of another machine."
        )
    if found.state not in _USABLE and not is_forced:
        raise InvalidSettingError(
            found.failure or f"Node '{name}' did not answer: pass --force to add it anyway."
        )
    prepare_home(settings)
    set_node(settings.config_path, name, entry_of(node))
    shown = [node_json(found)]
    if as_json:
        render.show_json(shown[0])
        return
    show_table(shown)
    for line in nodes.problem_lines(shown):
        render.echo(line, is_error=True)
    render.echo(f"Node '{name}' is in {settings.config_path}.", is_error=True)
    if node.key_env is not None and find_instance(settings) is not None:
        render.echo(
            f"The running server needs {node.key_env}, too: if it was started without it, restart it; "
            "'gglib node list' shows whether it uses the node.",
            is_error=True,
        )


def _own_instance(settings: "Settings") -> str:
    """Return the id of the running server of this home; empty if none runs or answers."""
    instance = find_instance(settings)
    if instance is None or instance.endpoint is None:
        return ""
    with suppress(GglibError):
        return str(get_status(instance.endpoint)["instance"])
    return ""


def entry_of(node: NodeSetting) -> dict[str, object]:
    """Return the table of a node in ``config.toml``."""
    entry: dict[str, object | None] = {
        "url": node.url,
        "key_env": node.key_env,
        "ca": None if node.ca is None else str(node.ca),
        "drain": node.is_drained or None,
    }
    return {field: value for field, value in entry.items() if value is not None}
