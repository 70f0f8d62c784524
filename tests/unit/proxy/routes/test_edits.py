"""The edit that a merge patch means."""

from dataclasses import replace

from gglib.core.models import ModelEdit, ModelSettings, ModelSummary
from gglib.core.priority import Priority
from gglib.proxy.routes.admin.edits import edit_of
from gglib.proxy.routes.requests import ModelChanges

SETTINGS = ModelSettings(
    context=512,
    engine_args=("--mlock",),
    idle_ttl_s=5.0,
    kind="rerank",
    priority=Priority.BATCH,
    keep_conversations=True,
)
MODEL = ModelSummary(id=1, name="a", aliases=("x",), tags=("t",), settings=SETTINGS)


def test_absent_fields_stay() -> None:
    """An empty patch keeps names, tags and settings."""
    assert edit_of(ModelChanges())(MODEL) == ModelEdit(settings=SETTINGS)


def test_null_resets_and_engine_arguments_always_stay() -> None:
    """Null is the default of a setting; an idle time of 0 means never."""
    reset = ModelChanges(context=None, idle_ttl_s=None, kind=None, priority=None, keep_conversations=None)
    assert edit_of(reset)(MODEL).settings == ModelSettings(engine_args=("--mlock",))
    assert edit_of(ModelChanges(idle_ttl_s=0))(MODEL).settings == ModelSettings(
        context=512,
        engine_args=("--mlock",),
        kind="rerank",
        priority=Priority.BATCH,
        keep_conversations=True,
    )


def test_null_is_no_name_no_tag_and_no_pin() -> None:
    """Their defaults."""
    pinned = replace(MODEL, settings=replace(SETTINGS, is_pinned=True))
    edit = edit_of(ModelChanges(aliases=None, tags=None, is_pinned=None))
    assert edit(pinned) == ModelEdit(aliases=(), tags=(), settings=SETTINGS)


def test_values_replace_values() -> None:
    """Names are replaced as a whole."""
    changes = ModelChanges(
        name="b",
        aliases=(),
        tags=("u", "v"),
        context=1,
        idle_ttl_s=1.5,
        kind="chat",
        is_pinned=True,
        priority="interactive",
        keep_conversations=False,
    )
    assert edit_of(changes)(MODEL) == ModelEdit(
        name="b",
        aliases=(),
        tags=("u", "v"),
        settings=ModelSettings(
            context=1,
            engine_args=("--mlock",),
            idle_ttl_s=1.5,
            kind="chat",
            is_pinned=True,
            priority=Priority.INTERACTIVE,
            keep_conversations=False,
        ),
    )
