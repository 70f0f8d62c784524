"""Adds files to the catalogue of this home, and reports what became of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gglib.core.errors import GglibError
from gglib.core.file_names import escaped
from gglib.core.models import ModelSummary

if TYPE_CHECKING:
    from gglib.app.settings import Settings
    from gglib.cli.sessions import CatalogSession
    from gglib.library.add import AddRequest
    from gglib.library.add_plan import AddPlan, PlannedModel


class AddState(StrEnum):
    """What became of a file."""

    ADDED = "added"
    KNOWN = "known"
    """The catalogue has it."""
    PROJECTOR = "projector"
    """It is the projector of a model."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedFile:
    """The result for one file, or for the shards of one model."""

    path: Path
    state: AddState
    model: ModelSummary | None = None
    """The model that has the file."""
    reason: str | None = None
    """Why it was not added; a sentence."""

    def line(self) -> str:
        """Return the result in one line."""
        name = "" if self.model is None else f"'{escaped(self.model.name)}'"
        path = escaped(str(self.path))
        match self.state:
            case AddState.ADDED:
                return f"Added {name} (id {self.model.id if self.model else 0}): {path}"
            case AddState.KNOWN:
                return f"Already added: {path} is {name}."
            case AddState.PROJECTOR:
                return f"{path} is the projector of {name}."
            case AddState.FAILED:
                return self.reason or ""

    def as_json(self, models: Sequence[ModelSummary], settings: "Settings") -> dict[str, Any]:
        """Return the result for programs; ``model`` is that of ``GET /gglib/models/{name}``."""
        from gglib.cli.models.model_json import model_json

        return {
            "path": str(self.path),
            "state": self.state.value,
            "reason": self.reason,
            "model": None if self.model is None else model_json(self.model, models, settings),
        }


def add_planned(
    plan: "AddPlan", request: "AddRequest", catalog: "CatalogSession", settings: "Settings"
) -> list[AddedFile]:
    """Add the models of a plan with the settings of ``request``; a failure does not affect the others."""
    results = [_add(model, request, catalog, settings) for model in plan.models]
    models = catalog.run(lambda store: store.list_models())
    return results + [projector_result(path, models) for path in plan.projectors]


def _add(
    planned: "PlannedModel", request: "AddRequest", catalog: "CatalogSession", settings: "Settings"
) -> AddedFile:
    from gglib.core.names import require_model

    if planned.known_as is not None:
        name = planned.known_as
        model = catalog.run(lambda store: require_model(store, name))
        return AddedFile(path=planned.path, state=AddState.KNOWN, model=model)
    try:
        model = add_one(planned, request, catalog, settings)
    except GglibError as error:
        return AddedFile(path=planned.path, state=AddState.FAILED, reason=str(error))
    return AddedFile(path=planned.path, state=AddState.ADDED, model=model)


def add_one(
    planned: "PlannedModel", request: "AddRequest", catalog: "CatalogSession", settings: "Settings"
) -> ModelSummary:
    """Add one model. Raises the errors of ``library.add.add_model``."""
    from dataclasses import replace

    from gglib.app.models.catalog import add_file

    own = replace(request, path=planned.path, projector=request.projector or planned.projector)
    return catalog.run(lambda store: add_file(own, store, settings))


def projector_result(path: Path, models: Sequence[ModelSummary]) -> AddedFile:
    """Return whose projector a file is; without such a model it has failed. Pure."""
    from gglib.core.shell_quoting import quoted_command

    for model in models:
        if model.projector == path:
            return AddedFile(path=path, state=AddState.PROJECTOR, model=model)
    command = quoted_command("set", "MODEL", "--mmproj", str(path))
    return AddedFile(
        path=path,
        state=AddState.FAILED,
        reason=f"{path.name} is a projector (mmproj) that fits no model by name: {command} gives it to a model.",
    )
