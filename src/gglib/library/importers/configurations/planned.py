"""What an import of a configuration does, or did: values, and the change of a model that is in the catalogue. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum

from gglib.core.models import ModelEdit, ModelSettings, ModelSummary, NewModel
from gglib.core.profiles import Profile
from gglib.library.importers.configurations.plan import Leftover, WantedModel


class PlanState(StrEnum):
    """What an import does, or did, with a model."""

    NEW = "new"
    CHANGED = "changed"
    """It is in the catalogue, and gains something."""
    KNOWN = "known"
    """It is in the catalogue, and has everything."""
    SKIPPED = "skipped"
    ADDED = "added"
    UPDATED = "updated"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedModel:
    """A model of a configuration, and what the import does or did with it."""

    wanted: WantedModel
    state: PlanState
    name: str
    """Its name in the catalogue."""
    reason: str | None = None
    """Why it is skipped or failed; a phrase."""
    instead: str | None = None
    new: NewModel | None = None
    """The row to add."""
    known: ModelSummary | None = None
    """The row to change."""
    aliases: tuple[str, ...] = ()
    """The aliases that a known model gains."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """The fields of ``ModelSettings`` that a known model gains."""
    profiles: tuple[Profile, ...] = ()
    """The profiles to add, without their model."""

    @property
    def is_to_do(self) -> bool:
        """Whether the import has something to do."""
        return self.state in (PlanState.NEW, PlanState.CHANGED)


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What an import of a configuration would do."""

    models: tuple[PlannedModel, ...]
    leftovers: tuple[Leftover, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The rows that an import is compared with."""

    models: Sequence[ModelSummary]
    profiles: Sequence[Profile] = ()


def edit_of(planned: PlannedModel, now: ModelSummary) -> ModelEdit:
    """Return the change of a known model, given its current state: what it lacks, and nothing else."""
    lacking = {name: value for name, value in planned.settings.items() if is_default(now.settings, name)}
    own = {spelling.casefold() for spelling in (now.name, *now.aliases)}
    aliases = (*now.aliases, *(alias for alias in planned.aliases if alias.casefold() not in own))
    return ModelEdit(aliases=aliases, settings=replace(now.settings, **lacking))  # type: ignore[arg-type] # by name


def is_default(settings: ModelSettings, name: str) -> bool:
    """Whether a setting of a model has its default."""
    default = next(each.default for each in fields(ModelSettings) if each.name == name)
    return bool(getattr(settings, name) == default)


def lacking_settings(wanted: ModelSettings, now: ModelSettings) -> dict[str, object]:
    """Return the settings that are wanted and that a model lacks, by name."""
    return {
        each.name: value
        for each in fields(ModelSettings)
        if (value := getattr(wanted, each.name)) != each.default and is_default(now, each.name)
    }
