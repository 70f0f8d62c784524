"""Changes the table ``nodes`` of ``config.toml``; comments, order and line ends stay."""

from collections.abc import Mapping
from pathlib import Path

from gglib.app.settings.config_writer import change_config, unset_setting
from gglib.app.settings.entries import NODES
from gglib.app.settings.node_tables import NODE_FIELDS
from gglib.app.toml_editing import BYTE_ORDER_MARK, parsed, remove_value, set_value
from gglib.core.errors import InvalidSettingError


def set_node(path: Path, name: str, entry: Mapping[str, object]) -> None:
    """Set the table of a node, or add it to the end of the file; ``entry`` has its fields.

    Raises ``InvalidSettingError``, which says what to do by hand, if the file cannot be changed.
    """

    def edit(text: str) -> str:
        existing = _existing(text)
        before = existing.get(name)
        if before is not None and not isinstance(before, Mapping):
            return set_value(text, (NODES, name), entry)
        for field in NODE_FIELDS:
            at = (NODES, name, field)
            if field in entry:
                text = set_value(text, at, entry[field])
            elif before is not None and field in before:
                text = remove_value(text, at)
        return text

    change_config(path, edit, advice=f"add the table [{NODES}.{name}] to it by hand")


def drain_node(path: Path, name: str, *, is_drained: bool) -> None:
    """Set or remove ``drain`` in the table of a node. Raises ``InvalidSettingError`` if the file has no such node."""

    def edit(text: str) -> str:
        existing = _existing(text)
        if name not in existing:
            raise InvalidSettingError(
                f"There is no node '{name}' in {path}: list the nodes with 'gglib node list'."
            )
        before, at = existing[name], (NODES, name, "drain")
        if is_drained:
            if isinstance(before, Mapping):
                return set_value(text, at, value=True)
            return set_value(text, (NODES, name), {"url": before, "drain": True})
        return remove_value(text, at) if isinstance(before, Mapping) and "drain" in before else text

    change_config(path, edit, advice=f"change the table [{NODES}.{name}] in it by hand")


def remove_node(path: Path, name: str) -> None:
    """Remove a node in either form. Raises ``InvalidSettingError`` as ``set_node``."""
    unset_setting(path, (NODES, name))


def _existing(text: str) -> Mapping[str, object]:
    """Return the table ``nodes``; empty if it is missing, or is something else, which an edit then refuses."""
    nodes = parsed(text.removeprefix(BYTE_ORDER_MARK)).get(NODES)
    return nodes if isinstance(nodes, Mapping) else {}
