"""Compares the settings of a configuration with those in effect. Pure.

A setting that has a source of its own (``config.toml``, a variable, an option) is never changed by an import.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gglib.core.shell_quoting import quoted_command
from gglib.library.importers.configurations.plan import Leftover, WantedSetting

PRELOAD = "preload"


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting that an import sets; values as ``config.toml`` has them."""

    where: str
    key: str
    before: object
    after: object


@dataclass(frozen=True, slots=True)
class SettingPlan:
    """The settings that an import sets, and those that it leaves alone."""

    changes: tuple[SettingChange, ...] = ()
    leftovers: tuple[Leftover, ...] = ()


def plan_settings(
    wanted: Sequence[WantedSetting],
    current: Mapping[str, object],
    sources: Mapping[str, str],
    names: Mapping[str, str],
) -> SettingPlan:
    """Return what changes.

    ``current`` has the values in effect and ``sources`` what sets them, without defaults, both by key; ``names`` has
    the names in the catalogue of the models that the configuration names, after the import.
    """
    changes: list[SettingChange] = []
    leftovers: list[Leftover] = []
    for setting in wanted:
        value = setting.value
        if setting.key == PRELOAD:
            leftovers += [
                Leftover(setting.where, f"the model '{name}' is not in the catalogue after this import")
                for name in value
                if name not in names
            ]
            value = list(dict.fromkeys(names[name] for name in value if name in names))
        before = current[setting.key]
        if value in (before, []):
            continue
        if setting.key in sources:
            leftovers.append(_kept(setting, value, before, sources[setting.key]))
        else:
            changes.append(SettingChange(setting.where, setting.key, before, value))
    return SettingPlan(tuple(changes), tuple(leftovers))


def _kept(setting: WantedSetting, value: object, before: object, source: str) -> Leftover:
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    shown = ",".join(map(str, before)) if isinstance(before, list) else str(before)
    return Leftover(
        setting.where,
        f"{source} sets {setting.key} to {shown or 'nothing'} already",
        f"{quoted_command('config', 'set', setting.key, text)} changes it",
    )
