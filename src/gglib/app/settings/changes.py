"""Compares the settings of a running server with newly loaded ones. Pure; secrets are compared but never shown."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gglib.app.settings.definitions import SETTINGS, Settings
from gglib.app.settings.node_tables import NodeSetting
from gglib.app.settings.spec import SettingSpec
from gglib.core.context import UNLIMITED_CONTEXT
from gglib.core.ports.reload import SettingChange
from gglib.core.sizes import format_size


def changes_between(running: Settings, loaded: Settings) -> tuple[SettingChange, ...]:
    """Return the settings that differ, in the order of their documentation."""
    return tuple(
        SettingChange(
            setting=spec.key,
            old=_shown(spec, old),
            new=_shown(spec, new),
            is_applied=spec.is_live,
        )
        for spec in SETTINGS
        if (old := getattr(running, spec.field)) != (new := getattr(loaded, spec.field))
    )


def applicable(running: Settings, loaded: Settings) -> Settings:
    """Return the loaded settings, with the running server's values of those that a reload cannot change."""
    return replace(
        loaded,
        home=running.home,
        **{spec.field: getattr(running, spec.field) for spec in SETTINGS if not spec.is_live},
    )


def _shown(spec: SettingSpec, value: Any) -> str | None:  # noqa: ANN401 - the type of the field
    """Return the value of a setting as ``config.toml`` has it; None for a secret."""
    if spec.is_secret:
        return None
    match spec.field:
        case "max_models" if value is None:
            return "auto"
        case "memory":
            return shown_value({device: format_size(size) for device, size in value.items()})
        case "nodes":
            return shown_value({name: _shown_node(node) for name, node in value.items()})
        case _:
            return shown_value(value)


def _shown_node(node: NodeSetting) -> str:
    """Return all that may change of a node, so that no change looks like none."""
    key = None if node.key_env is None else f"key in {node.key_env}"
    ca = None if node.ca is None else f"ca {node.ca}"
    rest = ", ".join(filter(None, (key, ca, "drained" if node.is_drained else None)))
    return f"{node.url} ({rest})" if rest else node.url


def shown_value(value: object) -> str:
    """Return a value as a user writes it on the command line; empty for none."""
    match value:
        case None:
            text = ""
        case bool():
            text = str(value).lower()
        case int() if value == UNLIMITED_CONTEXT:
            text = "max"
        case float():
            text = f"{value:g}"
        case Mapping():
            text = "; ".join(f"{name} = {shown_value(item)}" for name, item in value.items())
        case tuple() | list() | frozenset():
            text = ", ".join(map(shown_value, value))
        case _:
            text = str(value)
    return text
