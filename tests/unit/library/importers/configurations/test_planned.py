"""The change of a model that is in the catalogue."""

from gglib.core.models import ModelEdit, ModelSettings, ModelSummary
from gglib.core.priority import Priority
from gglib.library.importers.configurations.plan import KnownModel, WantedModel
from gglib.library.importers.configurations.planned import (
    PlannedModel,
    PlanState,
    edit_of,
    is_default,
    lacking_settings,
)


def test_only_what_is_lacking_is_wanted() -> None:
    """A value that the model has stays; the defaults of the configuration ask for nothing."""
    wanted = ModelSettings(
        context=1, idle_ttl_s=2.0, priority=Priority.INTERACTIVE, environment=(("A", "1"),)
    )
    now = ModelSettings(context=9, is_pinned=True)
    assert lacking_settings(wanted, now) == {
        "idle_ttl_s": 2.0,
        "priority": Priority.INTERACTIVE,
        "environment": (("A", "1"),),
    }
    assert lacking_settings(wanted, wanted) == {}
    assert is_default(now, "kind")
    assert not is_default(now, "context")


def test_an_edit_applies_to_the_current_state() -> None:
    """What another command has set since the plan is kept."""
    planned = PlannedModel(
        wanted=WantedModel(where="models.m", name="m", served=KnownModel()),
        state=PlanState.CHANGED,
        name="m",
        aliases=("x", "Y"),
        settings={"context": 1, "idle_ttl_s": 2.0},
    )
    now = ModelSummary(id=1, name="m", aliases=("y", "z"), settings=ModelSettings(context=9))
    assert edit_of(planned, now) == ModelEdit(
        aliases=("y", "z", "x"), settings=ModelSettings(context=9, idle_ttl_s=2.0)
    )
