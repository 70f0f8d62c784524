"""Reads the presets of llama.cpp's router (``llama-server --models-preset FILE.ini``). Pure.

A section is a model, ``[*]`` applies to all of them. Its keys are options of llama-server without dashes, or their
environment variables; ``load-on-startup`` and ``stop-timeout`` exist in presets only. A section without a file or a
repository configures a model that the router finds by the section's name: one of its cache (``owner/name:QUANT``), or
of its directory (llama.cpp, ``tools/server/README.md`` and ``common/preset.cpp``).
"""

import re
from collections.abc import Mapping

from gglib.core.errors import InvalidSettingError
from gglib.core.models import ModelSettings
from gglib.library.importers.configurations.files.ini_files import DEFAULT_SECTION, Sections, read_ini
from gglib.library.importers.configurations.plan import (
    Configuration,
    HubModel,
    KnownModel,
    Leftover,
    Served,
    WantedModel,
    WantedSetting,
)
from gglib.library.importers.configurations.server_arguments import ServerUse, options_of_keys, use_of

ALL = "*"
_VERSION, _SUPPORTED_VERSION = "version", "1"
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+(:[\w.-]+)?", re.ASCII)


def read_presets(text: str, file: str) -> Configuration:
    """Return what the presets describe. Raises ``InvalidSettingError`` with the line of a fault."""
    sections = read_ini(text, file)
    _check_version(sections, file)
    leftovers: list[Leftover] = []
    shared = sections.pop(ALL, {})
    if not sections.get(DEFAULT_SECTION):
        sections.pop(DEFAULT_SECTION, None)
    if not sections:
        raise InvalidSettingError(
            f"{file} has no section of a model: name a preset file of llama.cpp's router."
        )
    models: list[WantedModel] = []
    preload: list[str] = []
    for name, keys in sections.items():
        model, use = _model(name, {**shared, **keys})
        models.append(model)
        leftovers += use.leftovers
        preload += [name] if use.is_loaded_at_start else []
    settings = [WantedSetting("load-on-startup", "preload", preload)] if preload else []
    return Configuration(models=tuple(models), settings=tuple(settings), leftovers=tuple(leftovers))


def _model(name: str, keys: Mapping[str, str]) -> tuple[WantedModel, ServerUse]:
    where = f"[{name}]"
    use = use_of(options_of_keys(keys), where)
    settings = ModelSettings(context=use.context, kind=use.kind, idle_ttl_s=use.idle_ttl_s)
    model = WantedModel(
        where=where,
        name=name,
        served=_served(name, use),
        aliases=tuple(alias for alias in use.aliases if alias != name),
        settings=settings,
        options=use.options,
    )
    return model, use


def _served(name: str, use: ServerUse) -> Served:
    if use.hub is not None:
        return use.hub
    if use.file is not None:
        return use.file
    return HubModel(name) if _REPOSITORY.fullmatch(name) else KnownModel()


def _check_version(sections: Sections, file: str) -> None:
    """Remove the version of the format. Raises ``InvalidSettingError`` for another version than 1."""
    versions = {name: keys.pop(_VERSION) for name, keys in sections.items() if _VERSION in keys}
    wrong = [text for text in versions.values() if text != _SUPPORTED_VERSION]
    if wrong:
        raise InvalidSettingError(
            f"{file} has version {wrong[0]}, and gglib reads version {_SUPPORTED_VERSION}."
        )
