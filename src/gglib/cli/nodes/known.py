"""Finds the nodes that ``config.toml`` has."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gglib.app.settings.config_reader import read_content
from gglib.app.settings.entries import NODES
from gglib.cli.views.nodes import unknown_node_error
from gglib.core.errors import InvalidSettingError

if TYPE_CHECKING:
    from gglib.app.settings import Settings


def require_known(settings: "Settings", name: str) -> None:
    """Raise ``InvalidSettingError`` if ``config.toml`` has no node of this name. Its other values may be invalid."""
    table = read_content(settings.config_path).get(NODES)
    known = list(table) if isinstance(table, Mapping) else []
    if name not in known and settings.cluster_address is not None:
        raise InvalidSettingError(
            f"config.toml has no node '{name}', and this command is not for nodes of a cluster: 'gglib node leave' on "
            "its machine takes one out of the cluster."
        )
    if name not in known:
        raise unknown_node_error(name, known, next(iter(settings.sources.get(NODES, ())), None))
