"""Parses the setting ``nodes``: a TOML table by name, or a line. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gglib.app.settings.alias_lists import InvalidEntryError
from gglib.app.settings.parsers import InvalidValueError
from gglib.core.addresses import base_url

NODE_FIELDS = ("url", "key_env", "ca", "drain")
"""The entries of a node's table."""
TABLE_FORM = 'box = "http://box:8080", or a table [nodes.box] with url, key_env, ca and drain'
TEXT_FORM = "box=http://box:8080,tower=https://tower"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSetting:
    """A node as the settings have it."""

    url: str
    """Scheme and authority, without a trailing slash."""
    key_env: str | None = None
    """The environment variable with an admin key of the node."""
    ca: Path | None = None
    """The file of certificates that the node's own is verified with, absolute."""
    is_drained: bool = False

    def __str__(self) -> str:
        """Return the address, which is what a listing of all settings shows."""
        return self.url


def parse_nodes(value: object) -> dict[str, NodeSetting]:
    """Return nodes by name, from a TOML table or a text: ``box=http://box:8080,tower=https://tower``.

    An entry of the table is an address, or a table with ``NODE_FIELDS``. Raises ``InvalidEntryError``, or
    ``InvalidValueError`` for another type.
    """
    if isinstance(value, str):
        entries = [entry.partition("=") for entry in value.split(",")]
        if not all(mark for _, mark, _ in entries):
            raise _error("has an entry without '='", TEXT_FORM)
        pairs: list[tuple[str, object]] = [(name.strip(), url.strip()) for name, _, url in entries]
        return _checked(pairs, TEXT_FORM)
    if not isinstance(value, Mapping):
        raise InvalidValueError
    return _checked(list(value.items()), TABLE_FORM)


def is_node_name(name: str) -> bool:
    """Whether a node can be called so."""
    return bool(_NAME.fullmatch(name)) and name not in NODE_FIELDS


def is_variable_name(name: str) -> bool:
    """Whether an environment variable can be called so."""
    return bool(_VARIABLE.fullmatch(name))


def name_of(url: str) -> str:
    """Return a name for the node at a URL: the first label of its host, or its address with ``-``."""
    host = urlsplit(url).hostname or ""
    label, _, _ = host.partition(".")
    if not label or label.isdecimal() or ":" in host:
        label = f"node-{re.sub(r'[^0-9a-f]+', '-', host).strip('-')}"
    return label[:64]


def _checked(entries: list[tuple[str, object]], form: str) -> dict[str, NodeSetting]:
    nodes: dict[str, NodeSetting] = {}
    for name, entry in entries:
        if name in NODE_FIELDS:
            raise _error(f"has '{name}' in the place of a node's name", form)
        if not is_node_name(name):
            raise _error(f"has a node with the name {name!r}", form)
        if name in nodes:
            raise _error(f"has '{name}' twice", form)
        nodes[name] = _node(name, entry, form)
    return nodes


def _node(name: str, entry: object, form: str) -> NodeSetting:
    if not isinstance(entry, Mapping):
        entry = {"url": entry}
    for field in entry:
        if field not in NODE_FIELDS:
            raise _error(f"has the node '{name}' with the unknown entry '{field}'", form)
    url, key_env, ca, is_drained = (entry.get(field) for field in NODE_FIELDS)
    if not isinstance(url, str):
        raise _error(f"has the node '{name}' without a 'url'", form)
    try:
        address = base_url(url)
    except ValueError:
        raise _error(f"has the node '{name}' with an address that is not valid", form) from None
    if key_env is not None and (not isinstance(key_env, str) or not is_variable_name(key_env)):
        # Its value is not shown: it may be the key itself.
        raise _error(
            f"has the node '{name}' with a 'key_env' that is no name of an environment variable", form
        )
    if ca is not None and (not isinstance(ca, str) or not Path(ca).is_absolute()):
        raise _error(f"has the node '{name}' with a 'ca' that is no absolute path", form)
    if is_drained is not None and not isinstance(is_drained, bool):
        raise _error(f"has the node '{name}' with a 'drain' that is neither true nor false", form)
    return NodeSetting(
        url=address, key_env=key_env, ca=None if ca is None else Path(ca), is_drained=bool(is_drained)
    )


def _error(what: str, form: str) -> InvalidEntryError:
    return InvalidEntryError(f"{what}: write it like {form}.")
