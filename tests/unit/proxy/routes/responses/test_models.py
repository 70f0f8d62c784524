"""Models as responses."""

from pathlib import Path

import msgspec

from gglib.core.models import ModelSettings, ModelSource, ModelSummary, RunningTarget
from gglib.core.nodes import ModelCopy
from gglib.core.ports import library
from gglib.core.priority import Priority
from gglib.proxy.routes.responses import LoadedModel, Model, RemovedModel

SIGNED = "https://example.org/files/m.gguf?signature=secret#part"


def shown(source: ModelSource) -> object:
    """Return the source of a model as the response shows it."""
    return msgspec.to_builtins(Model.of(ModelSummary(id=1, name="m", source=source), None).source)


def test_url_is_shown_without_its_query() -> None:
    """The query may be a signature, which is the user's secret."""
    assert shown(ModelSource(origin="url", url=SIGNED, file="m.gguf")) == {
        "origin": "url",
        "repo": None,
        "revision": None,
        "asked_revision": None,
        "url": "https://example.org/files/m.gguf",
        "file": "m.gguf",
        "sha256": None,
    }


def test_requested_revision_is_shown_beside_the_commit() -> None:
    """A model that was pulled at a branch shows the branch."""
    source = shown(ModelSource(origin="hub", repo="ada/coder", revision="c0ffee", asked_revision="v1"))
    assert isinstance(source, dict)
    assert (source["revision"], source["asked_revision"], source["url"]) == ("c0ffee", "v1", None)


def test_a_loaded_model_is_shown_without_its_address() -> None:
    """The target's URL and key stay inside."""
    target = RunningTarget(
        base_url="http://127.0.0.1:1", model_id=7, model_name="m", effective_ctx=512, bearer_key="secret"
    )
    shown_target = msgspec.to_builtins(LoadedModel.of(target))
    assert shown_target == {"model_id": 7, "model_name": "m", "effective_ctx": 512, "node": None}


def test_pin_and_priority_are_shown() -> None:
    """The priority has the name that ``PATCH`` takes."""
    plain = Model.of(ModelSummary(id=1, name="m"), None)
    assert (plain.is_pinned, plain.priority) == (False, None)
    settings = ModelSettings(is_pinned=True, priority=Priority.BATCH)
    changed = Model.of(ModelSummary(id=1, name="m", settings=settings), None)
    assert (changed.is_pinned, changed.priority) == (True, "batch")


def test_whether_conversations_are_kept_is_shown() -> None:
    """Null, the default, differs from false."""
    assert Model.of(ModelSummary(id=1, name="m"), None).keep_conversations is None
    for is_kept in (True, False):
        model = ModelSummary(id=1, name="m", settings=ModelSettings(keep_conversations=is_kept))
        assert Model.of(model, None).keep_conversations is is_kept


def test_removal_lists_deleted_and_retained_files() -> None:
    """Paths are strings, and each retained file has its reason."""
    removal = library.RemovedModel(
        model=ModelSummary(id=1, name="m"),
        deleted=(Path("/models/a.gguf"),),
        freed_bytes=7,
        retained=((Path("/models/b.gguf"), "another model uses it"),),
    )
    shown_removal = msgspec.to_builtins(RemovedModel.of(removal, "ready"))
    assert shown_removal["removed"]["state"] == "ready"
    assert (shown_removal["deleted"], shown_removal["freed_bytes"]) == (("/models/a.gguf",), 7)
    assert list(shown_removal["kept"]) == [{"path": "/models/b.gguf", "reason": "another model uses it"}]


def test_admins_see_the_nodes_of_a_model() -> None:
    """With its name and state there; others see no names of machines."""
    copies = (ModelCopy(node="box", model_name="far", state="ready"),)
    found = msgspec.to_builtins(Model.of(ModelSummary(id=1, name="near"), None, copies=copies))
    assert list(found["nodes"]) == [{"node": "box", "name": "far", "state": "ready"}]
    hidden = Model.of(ModelSummary(id=1, name="near"), None, copies=copies, is_for_admin=False)
    assert hidden.nodes == ()
