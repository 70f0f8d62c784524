"""Imports the configuration of another program: reads the file, plans, and applies the plan.

Imports PyYAML: import this module only in functions.
"""

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from gglib.app.models.profiles import profile_admin
from gglib.app.settings import Settings
from gglib.app.settings.config_writer import set_setting
from gglib.app.settings.effective import DEFAULT, effective_settings
from gglib.core.errors import EngineArgumentError, EngineBrokenError, EngineNotFoundError, InvalidSettingError
from gglib.core.plain_text import escape_line
from gglib.core.ports.store import HomeStorePort
from gglib.core.profiles import Profile
from gglib.gguf import read_model
from gglib.library.add import absolute_path
from gglib.library.importers.configurations.applying import apply_plan
from gglib.library.importers.configurations.files.text_files import MAX_BYTES, decoded
from gglib.library.importers.configurations.llama_swap.configuration import read_llama_swap
from gglib.library.importers.configurations.plan import Configuration, Leftover
from gglib.library.importers.configurations.planned import Catalogue, PlannedModel, PlanState
from gglib.library.importers.configurations.planning import plan_models
from gglib.library.importers.configurations.presets import read_presets
from gglib.library.importers.configurations.programs import LLAMA_SWAP
from gglib.library.importers.configurations.setting_plan import SettingChange, plan_settings
from gglib.runtime.engines import Engine, find_engine
from gglib.runtime.engines.llama_cpp.environment import check_environment
from gglib.runtime.engines.llama_cpp.options import parse_engine_args
from gglib.runtime.engines.llama_cpp.options.reserved import check_extra_args
from gglib.system.files.small_files import read_small

_LLAMA_SERVER = "llama-server"


@dataclass(frozen=True, slots=True)
class ConfigurationPlan:
    """What an import of a file does, or did."""

    models: tuple[PlannedModel, ...]
    settings: tuple[SettingChange, ...]
    leftovers: tuple[Leftover, ...]
    faults: tuple[str, ...] = ()
    """Why settings were not written, one sentence each."""

    @property
    def is_to_do(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.settings) or any(model.is_to_do for model in self.models)

    @property
    def has_failed(self) -> bool:
        """Whether a part of it failed."""
        return bool(self.faults) or any(model.state is PlanState.FAILED for model in self.models)


async def plan_import(
    program: str, path: Path, store: HomeStorePort, settings: Settings
) -> ConfigurationPlan:
    """Read a file and return what its import would do. Changes nothing; raises ``InvalidSettingError``."""
    return await asyncio.to_thread(
        _plan,
        _read(program, path),
        path,
        Catalogue(await store.list_models(), await store.list_profiles()),
        settings,
    )


async def apply_import(
    plan: ConfigurationPlan, store: HomeStorePort, settings: Settings
) -> ConfigurationPlan:
    """Apply a plan and return it with the results; a failure of one part does not affect the others."""
    admin = profile_admin(store, settings)

    async def add_profile(profile: Profile, model: str) -> None:
        await admin.set(profile.name, model, lambda known: known or profile)

    models = await apply_plan(plan.models, store, add_profile)
    faults = []
    for change in plan.settings:
        try:
            await asyncio.to_thread(set_setting, settings.config_path, (change.key,), change.after)
        except InvalidSettingError as error:
            faults.append(str(error))
    return replace(plan, models=tuple(models), faults=tuple(faults))


def _read(program: str, path: Path) -> Configuration:
    """Return what a file describes. Raises ``InvalidSettingError``."""
    name = escape_line(str(path))
    try:
        text = decoded(read_small(absolute_path(path), max_bytes=MAX_BYTES, follows_links=True), name)
    except FileNotFoundError:
        raise InvalidSettingError(f"The file {name} does not exist: name a configuration file.") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise InvalidSettingError(
            f"{name} cannot be read ({reason}): name a configuration file that this user can read."
        ) from None
    if program == LLAMA_SWAP:
        return read_llama_swap(text, name, environment=os.environ, directory=_directory(path))
    return read_presets(text, name)


def _plan(
    configuration: Configuration, path: Path, catalogue: Catalogue, settings: Settings
) -> ConfigurationPlan:
    plan = plan_models(
        configuration,
        catalogue,
        directories=(_directory(path), Path.cwd()),
        engine=_EngineInUse.of(settings),
        read_model=read_model,
    )
    effective = effective_settings(settings)
    changes = plan_settings(
        configuration.settings,
        {each.setting: each.value for each in effective},
        {each.setting: each.source for each in effective if each.source != DEFAULT},
        _names_after(plan.models, catalogue),
    )
    return ConfigurationPlan(
        plan.models, changes.changes, tuple(dict.fromkeys((*plan.leftovers, *changes.leftovers)))
    )


def _names_after(models: Sequence[PlannedModel], catalogue: Catalogue) -> dict[str, str]:
    """Return the name in the catalogue, after the import, by each name of a model."""
    names = {spelling: known.name for known in catalogue.models for spelling in (known.name, *known.aliases)}
    for planned in models:
        if planned.state is not PlanState.SKIPPED:
            new = () if planned.new is None else planned.new.aliases
            own = (planned.wanted.name, planned.name, *planned.aliases, *new)
            names |= dict.fromkeys(own, planned.name)
    return names


def _directory(path: Path) -> Path:
    return absolute_path(path).parent


@dataclass(frozen=True, slots=True)
class _EngineInUse:
    """What the engine in use accepts; without a working engine, what any engine does."""

    engine: Engine | None
    _refusals: dict[tuple[str, ...], str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> "_EngineInUse":
        """Return the check for the engine of the settings. Blocks: it may run that engine."""
        with suppress(EngineNotFoundError):
            return cls(find_engine(settings.engine))
        return cls(None)

    @property
    def takes_unchecked(self) -> bool:
        """Whether it is a llama-server."""
        return self.engine is not None and self.engine.kind == _LLAMA_SERVER

    def refusal(self, arguments: Sequence[str]) -> str | None:
        """Return why these are no engine arguments, as a sentence; None if they are."""
        words = tuple(arguments)
        if words not in self._refusals:
            self._refusals[words] = self._refusal(words)
        return self._refusals[words]

    def unchecked_refusal(self, arguments: Sequence[str]) -> str | None:
        """Return why no llama-server may get these unchecked, as a sentence; None if one may."""
        try:
            check_extra_args(arguments)
        except EngineArgumentError as error:
            return str(error)
        return None

    def variable_refusal(self, variable: tuple[str, str], *, is_command: bool) -> str | None:
        """Return why a model may not have this environment variable, as a sentence; None if it may."""
        try:
            check_environment((variable,), is_any_allowed=is_command)
        except EngineArgumentError as error:
            return str(error)
        return None

    def _refusal(self, words: tuple[str, ...]) -> str | None:
        try:
            for _ in parse_engine_args(words):
                pass
            if self.engine is not None:
                self.engine.check_engine_args(words)
        except EngineArgumentError as error:
            return str(error)
        except EngineBrokenError:
            return None
        return None
