"""Models as OpenAI's model objects."""

import json
from dataclasses import replace
from typing import Any

import pytest

from gglib.core.models import ModelCapabilities, ModelSettings, ModelSummary
from gglib.core.ports import ResidentStatus, RuntimeStatus
from gglib.core.profiles import Profile, ProfiledModel
from gglib.proxy.models import ModelObjects
from gglib.proxy.names.aliases import Alias

TINY = ModelSummary(
    id=1,
    name="tiny",
    aliases=("t",),
    architecture="llama",
    quantization="Q4_K_M",
    capabilities=ModelCapabilities(chat=True, tools=True),
    trained_context=8192,
    parameter_count=7,
    size_bytes=9,
    added_at=5,
)
OTHER = ModelSummary(id=2, name="other")
IDLE = RuntimeStatus()


def in_memory(**states: str) -> RuntimeStatus:
    """Return the status of a runtime with models in these states."""
    return RuntimeStatus(
        residents=tuple(
            ResidentStatus(model_id=1, model_name=name, state=state, effective_ctx=1)
            for name, state in states.items()
        )
    )


def an_object(model: ModelSummary, status: RuntimeStatus = IDLE, default_ctx: int = 4096) -> dict[str, Any]:
    """Return the model object of a model."""
    found: dict[str, Any] = json.loads(ModelObjects(default_ctx).as_object(model, status))
    return found


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        ({}, "unloaded"),
        ({"other": "ready"}, "loaded"),
        ({"tiny": "loading"}, "loading"),
        ({"tiny": "loading", "other": "draining"}, "loaded"),
    ],
)
def test_an_alias_list_is_an_object_of_its_own(states: dict[str, str], shown: str) -> None:
    """It has the facts of its first model, and the state of the model that is closest to a response."""
    alias, status = Alias("fast", (TINY, OTHER)), in_memory(**states)
    objects = ModelObjects(4096)
    listed = json.loads(objects.as_list([TINY, OTHER], status, [alias]))["data"]
    assert [found["id"] for found in listed] == ["tiny", "other", "fast"]
    assert (listed[2]["context_length"], listed[2]["aliases"], listed[2]["status"]) == (
        4096,
        [],
        {"value": shown},
    )
    assert json.loads(objects.as_object(alias, status)) == listed[2]


def test_an_alias_list_has_failed_when_all_its_models_have() -> None:
    """One that may still load is unloaded."""
    failed = RuntimeStatus(failed=(("tiny", "why"),))
    objects = ModelObjects(1)
    assert json.loads(objects.as_object(Alias("a", (TINY,)), failed))["status"] == {"value": "failed"}
    assert json.loads(objects.as_object(Alias("a", (TINY, OTHER)), failed))["status"] == {"value": "unloaded"}


def test_an_object_describes_the_model() -> None:
    """The fields that clients read are there, with null where a fact is unknown."""
    assert an_object(TINY) == {
        "id": "tiny",
        "object": "model",
        "created": 5,
        "owned_by": "gglib",
        "name": "tiny",
        "description": TINY.description,
        "aliases": ["t"],
        "architecture": "llama",
        "quantization": "Q4_K_M",
        "capabilities": ["chat", "tools"],
        "context_length": 4096,
        "max_model_len": 4096,
        "max_context_length": 8192,
        "meta": {"n_ctx": 4096, "n_ctx_train": 8192, "n_params": 7, "size": 9},
        "status": {"value": "unloaded"},
    }
    unknown = an_object(ModelSummary(id=2, name="x"))
    assert (unknown["architecture"], unknown["meta"]["n_ctx_train"]) == (None, None)


@pytest.mark.parametrize(
    ("setting", "default_ctx", "shown"), [(None, 2048, 2048), (1024, 2048, 1024), (None, 99_999, 8192)]
)
def test_the_context_is_that_of_a_request_without_one(
    setting: int | None, default_ctx: int, shown: int
) -> None:
    """The setting of the model, else the default, at most what the model was trained with."""
    model = replace(TINY, settings=ModelSettings(context=setting))
    assert an_object(model, default_ctx=default_ctx)["context_length"] == shown


@pytest.mark.parametrize(
    ("status", "value"),
    [
        (in_memory(tiny="loading"), "loading"),
        (in_memory(tiny="ready"), "loaded"),
        (in_memory(tiny="draining"), "loaded"),
        (in_memory(tiny="stopping"), "unloaded"),
        (in_memory(other="ready"), "unloaded"),
        (RuntimeStatus(failed=(("tiny", "why"),)), "failed"),
        (replace(in_memory(tiny="loading"), failed=(("tiny", "why"),)), "loading"),
    ],
)
def test_the_status_is_that_of_the_runtime(status: RuntimeStatus, value: str) -> None:
    """A model that is loaded again after a failure is not shown as failed; the list and the object agree."""
    assert an_object(TINY, status)["status"] == {"value": value}
    listed = json.loads(ModelObjects(4096).as_list([TINY], status))
    assert listed == {"object": "list", "data": [an_object(TINY, status)]}


def test_a_list_may_be_empty() -> None:
    """It is a list object nevertheless."""
    assert ModelObjects(1).as_list([], IDLE) == b'{"object":"list","data":[]}'


def test_each_response_has_the_current_status_and_models() -> None:
    """Only the static part of the same model object is cached; a changed or another model is encoded anew."""
    objects = ModelObjects(4096)
    other, renamed = ModelSummary(id=2, name="other"), replace(TINY, name="renamed")
    for models, status in (
        ([TINY, other], IDLE),
        ([TINY, other], in_memory(tiny="ready")),
        ([other, TINY], IDLE),
        ([renamed], in_memory(renamed="loading")),
    ):
        expected = [an_object(model, status) for model in models]
        assert json.loads(objects.as_list(models, status))["data"] == expected
        assert json.loads(objects.as_object(models[0], status)) == expected[0]


def test_an_unchanged_model_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients request the list often, and catalogues return the same objects until a change."""
    objects = ModelObjects(4096)
    first = objects.as_list([TINY], IDLE)
    monkeypatch.delattr("gglib.proxy.models._fields")
    assert objects.as_list([TINY], IDLE) == first
    assert objects.as_object(TINY, IDLE) in first
    with pytest.raises(NameError):
        objects.as_list([replace(TINY)], IDLE)


def test_a_profile_is_an_object_with_the_facts_and_the_state_of_its_model() -> None:
    """It has its own name and description, and no aliases; it is listed after the models."""
    status = in_memory(tiny="ready")
    objects = ModelObjects(4096)
    profile = Profile(name="fast", model_id=1, description="Quick")
    shown = json.loads(objects.as_profiled_object(ProfiledModel(model=TINY, profile=profile), status))
    assert shown == {
        **an_object(TINY, status),
        "id": "tiny:fast",
        "name": "tiny:fast",
        "description": "Quick",
        "aliases": [],
    }
    assert shown["status"] == {"value": "loaded"}
    listed = json.loads(objects.as_list([TINY], status, (), [profile, Profile(name="slow")]))["data"]
    assert [found["id"] for found in listed] == ["tiny", "tiny:fast", "tiny:slow"]
    assert listed[1] == shown
    assert listed[2]["description"] == "tiny with the profile slow"
