"""A catalogue in memory: the store port without a file. It knows nothing of SQLite or GGUF."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from gglib.core.chat_templates import template_sha256
from gglib.core.errors import ModelExistsError
from gglib.core.kinds import launch_spec, with_kind
from gglib.core.models import ModelLaunchSpec, ModelSettings, ModelSummary, NewModel
from gglib.core.names import find_model
from gglib.core.ports import ModelStorePort

NO_FILE = Path("/nonexistent/model.gguf")
"""What a model without paths is launched from: nothing that an engine could open by accident."""


class FakeCatalog(ModelStorePort):
    """Keeps models in a list. ``fails_with``, when set, is raised by every method.

    The models given at the start are taken as they are, also when two names differ in case only: this is how
    an ambiguous name comes about.
    """

    def __init__(self, models: Iterable[ModelSummary] = (), *, fails_with: Exception | None = None) -> None:
        self.fails_with = fails_with
        self._models = list(models)
        self._last_id = max((model.id for model in self._models), default=0)

    async def list_models(self) -> list[ModelSummary]:
        """Return every model, in the order in which they were added."""
        self._fail_if_told_to()
        return list(self._models)

    async def resolve_model(self, name: str) -> ModelSummary | None:
        """Return the model that ``name`` means, or None: unknown and ambiguous alike."""
        self._fail_if_told_to()
        return find_model(name, self._models)

    async def resolve_for_launch(self, name: str) -> ModelLaunchSpec | None:
        """Return what an engine needs; the path is the first shard's, or one that does not exist."""
        model = await self.resolve_model(name)
        if model is None:
            return None
        return launch_spec(model, model.paths[0] if model.paths else NO_FILE)

    async def add_model(self, model: NewModel) -> ModelSummary:
        """Store a model under an id that was never used before; ``ModelExistsError`` as in the port."""
        self._fail_if_told_to()
        self._refuse_taken_spellings((model.name, *model.aliases), self._models)
        self._refuse_taken_paths(model.paths)
        self._last_id += 1
        summary = _summary_of(model, self._last_id)
        self._models.append(summary)
        return summary

    async def remove_model(self, name: str) -> ModelSummary | None:
        """Forget a model and return what it was, or None."""
        model = await self.resolve_model(name)
        if model is not None:
            self._models.remove(model)
        return model

    async def change_model(
        self,
        name: str,
        *,
        aliases: tuple[str, ...] | None = None,
        tags: tuple[str, ...] | None = None,
        settings: ModelSettings | None = None,
    ) -> ModelSummary | None:
        """Replace what is not None; ``ModelExistsError`` when another model has one of the aliases."""
        model = await self.resolve_model(name)
        if model is None:
            return None
        others = [other for other in self._models if other.id != model.id]
        self._refuse_taken_spellings(aliases or (), others)
        changed = with_kind(
            replace(
                model,
                aliases=model.aliases if aliases is None else aliases,
                tags=model.tags if tags is None else tags,
                settings=model.settings if settings is None else settings,
            )
        )
        self._models[self._models.index(model)] = changed
        return changed

    async def replace_model(self, name: str, model: NewModel) -> ModelSummary | None:
        """Put other files and facts in the place of a model's; ``ModelExistsError`` when another one has a path."""
        known = await self.resolve_model(name)
        if known is None:
            return None
        self._refuse_taken_paths(model.paths, but=known)
        changed = with_kind(
            replace(
                _summary_of(model, known.id),
                name=known.name,
                aliases=known.aliases,
                tags=known.tags,
                settings=known.settings,
                added_at=known.added_at,
                last_used_at=known.last_used_at,
            )
        )
        self._models[self._models.index(known)] = changed
        return changed

    async def note_use(self, used_at: Mapping[int, int]) -> None:
        """Remember when models were used last; ids that are gone are passed over."""
        self._fail_if_told_to()
        self._models = [
            replace(model, last_used_at=used_at.get(model.id, model.last_used_at)) for model in self._models
        ]

    def _fail_if_told_to(self) -> None:
        if self.fails_with is not None:
            raise self.fails_with

    def _refuse_taken_spellings(self, wanted: Iterable[str], others: Iterable[ModelSummary]) -> None:
        taken = {spelling.casefold() for other in others for spelling in (other.name, *other.aliases)}
        for spelling in wanted:
            if spelling.casefold() in taken:
                raise ModelExistsError(f"The name '{spelling}' is taken already: choose another.")

    def _refuse_taken_paths(self, wanted: tuple[Path, ...], *, but: ModelSummary | None = None) -> None:
        for model in self._models:
            if model is not but and set(wanted) & set(model.paths):
                raise ModelExistsError(f"This file is in the catalogue already, as '{model.name}'.")


def _summary_of(model: NewModel, model_id: int) -> ModelSummary:
    """Return the stored form. There is no clock here: the id also serves as the date."""
    return with_kind(
        ModelSummary(
            id=model_id,
            name=model.name,
            aliases=model.aliases,
            description=model.description,
            architecture=model.facts.architecture,
            quantization=model.facts.quantization,
            parameter_count=model.facts.parameter_count,
            size_bytes=model.size_bytes,
            trained_context=model.facts.trained_context,
            capabilities=model.facts.capabilities,
            pooling=model.facts.pooling,
            tags=model.tags,
            settings=model.settings,
            source=model.source,
            paths=model.paths,
            hashes=model.hashes if any(model.hashes) else (),
            projector=model.projector,
            projector_sha256=model.projector_sha256,
            is_downloaded=model.is_downloaded,
            chat_template_sha256=template_sha256(model.facts.chat_template),
            added_at=model_id,
        )
    )
