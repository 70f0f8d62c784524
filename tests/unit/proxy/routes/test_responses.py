"""Models and downloads as responses of the admin API."""

from pathlib import Path
from types import MappingProxyType

import msgspec
import pytest

from gglib.core import profiles
from gglib.core.hub import downloads
from gglib.core.models import ModelSettings, ModelSource, ModelSummary, RunningTarget
from gglib.core.ports import library, reload
from gglib.core.priority import Priority
from gglib.core.runtime.status import ResidentStatus, RuntimeStatus
from gglib.proxy.routes import responses
from gglib.proxy.routes.responses import Download, LoadedModel, Model, RemovedModel, Status

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


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("https://h/m.gguf?Signature=hush", "https://h/m.gguf"),
        ("https://h/m.gguf", "https://h/m.gguf"),
        ("ada/tiny:Q4_K_M", "ada/tiny:Q4_K_M"),
    ],
)
def test_download_target_is_shown_without_its_query(target: str, shown: str) -> None:
    """A caller that may list downloads does not get another client's signature."""
    download = downloads.Download(id="1", target=target, state=downloads.DownloadState.QUEUED, created_at=1)
    assert Download.of(download).target == shown


@pytest.mark.parametrize(
    ("total_bytes", "bytes_per_s", "left_s"), [(100, 20, 4), (100, None, None), (None, 20, None), (15, 20, 0)]
)
def test_remaining_time_follows_from_size_and_speed(
    total_bytes: int | None, bytes_per_s: int | None, left_s: int | None
) -> None:
    """It is null without a size or a speed, and never negative."""
    download = downloads.Download(
        id="1",
        target="ada/tiny",
        state=downloads.DownloadState.RUNNING,
        created_at=1,
        done_bytes=20,
        total_bytes=total_bytes,
        bytes_per_s=bytes_per_s,
    )
    assert Download.of(download).left_s == left_s


def test_failed_download_has_code_and_message() -> None:
    """Clients see the code that an error response would have."""
    download = downloads.Download(
        id="1", target="ada/tiny", state=downloads.DownloadState.FAILED, created_at=1, error_code="disk_full"
    )
    assert msgspec.to_builtins(Download.of(download).error) == {"code": "disk_full", "message": ""}


def test_a_loaded_model_is_shown_without_its_address() -> None:
    """The target's URL and key stay inside."""
    target = RunningTarget(
        base_url="http://127.0.0.1:1", model_id=7, model_name="m", effective_ctx=512, bearer_key="secret"
    )
    shown_target = msgspec.to_builtins(LoadedModel.of(target))
    assert shown_target == {"model_id": 7, "model_name": "m", "effective_ctx": 512}


def test_pin_and_priority_are_shown() -> None:
    """The priority has the name that ``PATCH`` takes."""
    plain = Model.of(ModelSummary(id=1, name="m"), None)
    assert (plain.is_pinned, plain.priority) == (False, None)
    settings = ModelSettings(is_pinned=True, priority=Priority.BATCH)
    changed = Model.of(ModelSummary(id=1, name="m", settings=settings), None)
    assert (changed.is_pinned, changed.priority) == (True, "batch")


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


def test_status_names_failed_models() -> None:
    """A failed model is an object with its name and the reason."""
    status = Status.of(RuntimeStatus(failed=(("m", "bad magic"),)), "1.2.3")
    assert status.version == "1.2.3"
    assert list(msgspec.to_builtins(status.failed)) == [{"model_name": "m", "reason": "bad magic"}]


def test_status_has_the_memory_of_all_residents() -> None:
    """The sum of the sizes by device, next to the budget. A runtime may use any mapping."""
    residents = tuple(
        ResidentStatus(model_id=1, model_name="m", state="ready", effective_ctx=1, size=size)
        for size in ({"ram": 5, "gpu0": 7}, MappingProxyType({"ram": 1}), {})
    )
    status = Status.of(RuntimeStatus(residents=residents, limits=MappingProxyType({"ram": 20})), "1.2.3")
    content = msgspec.json.decode(msgspec.json.encode(status))
    assert (content["used"], content["limits"]) == ({"ram": 6, "gpu0": 7}, {"ram": 20})
    assert [resident["size"] for resident in content["residents"]] == [{"ram": 5, "gpu0": 7}, {"ram": 1}, {}]


def test_profile_has_the_name_of_its_model() -> None:
    """The id of the model is not shown."""
    shown = responses.Profile.of(profiles.Profile(name="cold", model_id=3, strip=("seed",)), "tiny")
    assert (shown.name, shown.model, shown.strip) == ("cold", "tiny", ("seed",))


def test_reload_shows_its_changes() -> None:
    """Secrets have no values already."""
    change = reload.SettingChange(setting="slots", old="4", new="9", is_applied=True)
    result = reload.ReloadResult(changes=(change,), replaced_models=("tiny",), warnings=("w",))
    shown = msgspec.to_builtins(responses.Reloaded.of(result))
    assert shown["warnings"] == ("w",) or shown["warnings"] == ["w"]
    assert [found["setting"] for found in shown["settings"]] == ["slots"]
