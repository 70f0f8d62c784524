"""Compares a configuration with the catalogue: which models are new, which gain something, and which are there already.

An import never changes a value that a model has: it adds models, and fills in what a model lacks. So a second import of
the same file changes nothing. Headers are read, so it blocks; the reader and the engine are passed in.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from gglib.core.backends import CommandBackend, UrlBackend
from gglib.core.errors import GglibError
from gglib.core.models import ModelCapabilities, ModelSettings, ModelSummary
from gglib.core.name_rules import check_name, normalized_name
from gglib.core.names import find_model
from gglib.core.profiles import Profile, find_profile
from gglib.core.shell_quoting import quoted_command
from gglib.library.add import AddRequest, ModelReader, absolute_path, model_to_add
from gglib.library.backend_rules import checked_command, checked_url, model_of_backend
from gglib.library.importers.configurations.engine_options import (
    EngineCheck,
    sorted_options,
    sorted_variables,
)
from gglib.library.importers.configurations.plan import (
    Configuration,
    EngineOption,
    HubModel,
    KnownModel,
    Leftover,
    LocalFile,
    WantedModel,
)
from gglib.library.importers.configurations.planned import (
    Catalogue,
    ImportPlan,
    PlannedModel,
    PlanState,
    lacking_settings,
)
from gglib.library.importers.configurations.same_file import second_model
from gglib.library.importers.configurations.server_options import FILE_OPTIONS
from gglib.library.importers.configurations.taken_names import TakenNames
from gglib.library.importers.walk import identity


def plan_models(
    configuration: Configuration,
    catalogue: Catalogue,
    *,
    directories: Sequence[Path],
    engine: EngineCheck,
    read_model: ModelReader,
) -> ImportPlan:
    """Return what to do with each model; relative files are looked for in ``directories``, in order."""
    planner = _Planner(catalogue, directories, engine, read_model)
    for wanted in configuration.models:
        planner.add(wanted)
    return ImportPlan(tuple(planner.models), (*configuration.leftovers, *planner.leftovers))


class _Planner:
    """Plans one model after the other: later ones see the names and the files of earlier ones."""

    def __init__(
        self, catalogue: Catalogue, directories: Sequence[Path], engine: EngineCheck, read_model: ModelReader
    ) -> None:
        self.models: list[PlannedModel] = []
        self.leftovers: list[Leftover] = []
        self._catalogue = catalogue
        self._directories = directories
        self._engine = engine
        self._read_model = read_model
        self._names = TakenNames(catalogue.models)
        self._files: dict[tuple[int, int], int] = {}
        """Indexes of new models by file."""
        self._firsts: dict[int, WantedModel] = {}
        """The first model of the configuration for each model of the catalogue, by id."""

    def add(self, wanted: WantedModel) -> None:
        """Plan one model."""
        wanted = replace(
            wanted, name=normalized_name(wanted.name), aliases=tuple(map(normalized_name, wanted.aliases))
        )
        try:
            check_name(wanted.name)
            planned = self._planned(wanted)
        except GglibError as error:
            planned = _skipped(wanted, str(error).rstrip("."))
        if planned is not None:
            self._remember(planned)

    def _planned(self, wanted: WantedModel) -> PlannedModel | None:
        """Return what to do with a model; None if it became an alias of an earlier one. Raises ``GglibError``."""
        match wanted.served:
            case LocalFile():
                return self._with_file(wanted, wanted.served)
            case HubModel() | KnownModel():
                return self._of_other_store(wanted)
            case CommandBackend():
                checked = checked_command(wanted.served, has_file=False, has_unix_sockets=True)
                return self._with_backend(wanted, checked)
            case UrlBackend():
                return self._with_backend(wanted, checked_url(wanted.served))

    def _with_file(self, wanted: WantedModel, file: LocalFile) -> PlannedModel | None:
        path = self._found(file.path)
        same = identity(path)
        known = self._with_path(path, same)
        if known is not None:
            first = self._firsts.setdefault(known.id, wanted)
            if first is not wanted:
                wanted, left = second_model(wanted, first, known.name)
                self.leftovers.append(left)
            return self._known(wanted, known)
        if same in self._files:
            self._add_name(self._files[same], wanted)
            return None
        if (owner := self._names.owner(wanted.name)) is not None:
            return self._taken(wanted, owner)
        request = AddRequest(
            path=path,
            name=wanted.name,
            aliases=self._free(wanted, wanted.aliases, (wanted.name,)),
            description=wanted.description,
            settings=self._settings(wanted),
            projector=None if file.projector is None else self._found(file.projector),
            has_projector=file.has_projector,
        )
        model = model_to_add(request, self._read_model)
        if same is not None:
            self._files[same] = len(self.models)
        return PlannedModel(
            wanted=wanted, state=PlanState.NEW, name=wanted.name, new=model, profiles=wanted.profiles
        )

    def _with_path(self, path: Path, same: tuple[int, int] | None) -> ModelSummary | None:
        """Return the model of the catalogue with this file, through any path."""
        models = self._catalogue.models
        exact = [model for model in models if path in model.paths]
        if exact or same is None:
            return exact[0] if exact else None
        return next((model for model in models if any(identity(own) == same for own in model.paths)), None)

    def _of_other_store(self, wanted: WantedModel) -> PlannedModel:
        """Plan a model that is not on this machine, as far as the configuration says."""
        target = wanted.served.target if isinstance(wanted.served, HubModel) else wanted.name
        known = (
            find_model(target, self._catalogue.models)
            or find_model(wanted.name, self._catalogue.models)
            or _of_repository(target, self._catalogue.models)
        )
        if known is not None:
            return self._known(wanted, known)
        if not isinstance(wanted.served, HubModel):
            return _skipped(
                wanted,
                "it names no file, and no model of the catalogue",
                "'gglib import DIRECTORY' with the router's directory of models, then import this file again",
            )
        name = () if wanted.name == target else ("--name", wanted.name)
        pull = quoted_command("pull", *name, target)
        return _skipped(
            wanted,
            "it is not in the catalogue",
            f"{pull}, or 'gglib import hf' if it is in the Hugging Face cache; then import this file again",
        )

    def _with_backend(self, wanted: WantedModel, backend: CommandBackend | UrlBackend) -> PlannedModel:
        known = next((model for model in self._catalogue.models if model.name == wanted.name), None)
        if known is not None and known.backend == backend:
            return self._known(wanted, known)
        if (owner := self._names.owner(wanted.name)) is not None:
            return self._taken(wanted, owner)
        model = replace(
            model_of_backend(wanted.name, backend, ModelCapabilities(), description=wanted.description),
            aliases=self._free(wanted, wanted.aliases, (wanted.name,)),
            settings=self._settings(wanted),
        )
        return PlannedModel(
            wanted=wanted, state=PlanState.NEW, name=wanted.name, new=model, profiles=wanted.profiles
        )

    def _known(self, wanted: WantedModel, known: ModelSummary) -> PlannedModel:
        """Return what a model of the catalogue lacks."""
        names = (wanted.name, *wanted.aliases)
        aliases = self._free(wanted, names, (known.name, *known.aliases))
        lacking = lacking_settings(self._settings(wanted), known.settings)
        profiles = tuple(self._new_profiles(wanted, known))
        state = PlanState.CHANGED if aliases or lacking or profiles else PlanState.KNOWN
        return PlannedModel(
            wanted=wanted,
            state=state,
            name=known.name,
            known=known,
            aliases=aliases,
            settings=lacking,
            profiles=profiles,
        )

    def _new_profiles(self, wanted: WantedModel, known: ModelSummary) -> Iterable[Profile]:
        for profile in wanted.profiles:
            own = find_profile(profile.name, known.id, self._catalogue.profiles)
            if own is None:
                yield profile
            elif replace(own, model_id=None, name=profile.name) != profile:
                self._leave(
                    f"{wanted.where}.filters",
                    f"'{known.name}' has another profile '{profile.name}'",
                    quoted_command("profile", "show", "--model", known.name, profile.name),
                )

    def _settings(self, wanted: WantedModel) -> ModelSettings:
        """Return the settings of a model with its engine arguments, and the variables that it may have."""
        options = sorted_options(tuple(map(self._located, wanted.options)), wanted.where, self._engine)
        environment, lost = sorted_variables(
            wanted.settings.environment,
            wanted.where,
            self._engine,
            is_command=isinstance(wanted.served, CommandBackend),
        )
        self.leftovers += (*options.leftovers, *lost)
        return replace(
            wanted.settings,
            engine_args=options.engine_args,
            extra_args=options.extra_args,
            environment=environment,
        )

    def _free(self, wanted: WantedModel, names: Iterable[str], own: Iterable[str]) -> tuple[str, ...]:
        """Return the names that may become aliases of a model; ``own`` are the names that it has."""
        free, leftovers = self._names.free(f"{wanted.where}.aliases", names, own)
        self.leftovers += leftovers
        return free

    def _leave(self, where: str, reason: str, instead: str | None = None) -> None:
        self.leftovers.append(Leftover(where, reason, instead))

    def _add_name(self, index: int, wanted: WantedModel) -> None:
        """Make a second model with the file of a new one its alias."""
        first = self.models[index]
        assert first.new is not None  # noqa: S101 - only those are remembered by file
        second, left = second_model(wanted, first.wanted, first.name)
        self.leftovers.append(left)
        own = (first.new.name, *first.new.aliases)
        aliases = self._free(wanted, (wanted.name, *wanted.aliases), own)
        profiles = {profile.name: profile for profile in (*second.profiles, *first.profiles)}
        self.models[index] = replace(
            first,
            new=replace(first.new, aliases=(*first.new.aliases, *aliases)),
            profiles=tuple(profiles.values()),
        )
        self._names.take(first.name, aliases)

    def _remember(self, planned: PlannedModel) -> None:
        self.models.append(planned)
        names = () if planned.new is None else (planned.new.name, *planned.new.aliases)
        self._names.take(planned.name, (*names, *planned.aliases))

    def _found(self, path: Path) -> Path:
        """Return a file of the configuration as an absolute path."""
        expanded = os.path.expanduser(path)  # noqa: PTH111 - no error for an unknown user
        candidates = [absolute_path(directory / expanded) for directory in self._directories]
        return next((each for each in candidates if identity(each) is not None), candidates[0])

    def _located(self, option: EngineOption) -> EngineOption:
        """Return an option with the absolute path of its file, if it names one."""
        if option[0] not in FILE_OPTIONS or len(option) < 2:
            return option
        return option[0], str(self._found(Path(option[1])))

    def _taken(self, wanted: WantedModel, owner: str) -> PlannedModel:
        return _skipped(
            wanted,
            f"the name is taken by another model, '{owner}'",
            f"{quoted_command('set', '--name', 'NEW', owner)} renames that one",
        )


def _of_repository(target: str, models: Sequence[ModelSummary]) -> ModelSummary | None:
    """Return the only model from ``owner/name`` or ``owner/name:QUANT``, such as one of the Hugging Face cache."""
    repo, _, quantization = target.casefold().partition(":")
    found = [
        model
        for model in models
        if (model.source.repo or "").casefold() == repo
        and quantization in ("", (model.quantization or "").casefold())
    ]
    return found[0] if len(found) == 1 else None


def _skipped(wanted: WantedModel, reason: str, instead: str | None = None) -> PlannedModel:
    return PlannedModel(
        wanted=wanted, state=PlanState.SKIPPED, name=wanted.name, reason=reason, instead=instead
    )
