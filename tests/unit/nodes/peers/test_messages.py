"""What is read from the responses of another gglib, of other versions, and of other servers."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from gglib.core.hub.downloads import DownloadState
from gglib.core.memory import DeviceMemory
from gglib.core.models import ModelCapabilities, ModelSettings, ModelSource, ModelSummary
from gglib.core.nodes import ModelContent, NodeDownload
from gglib.core.priority import Priority
from gglib.core.runtime.status import (
    LoadCount,
    RemoteStatus,
    ResidentStatus,
    RuntimeStatus,
    SwapCount,
    SwapStatus,
    WaitingStatus,
)
from gglib.nodes.peers import messages
from gglib.nodes.peers.messages import (
    UnreadableError,
    need_by_device,
    read_download,
    read_error,
    read_error_code,
    read_models,
    read_needs,
    read_status,
    read_was_stopped,
    read_was_withdrawn,
)
from gglib.proxy.routes import responses

GB = 10**9
DEVICES = {"ram": DeviceMemory(total_bytes=64 * GB, available_bytes=32 * GB)}
RUNTIME = RuntimeStatus(
    residents=(
        ResidentStatus(
            model_id=1, model_name="small", state="ready", effective_ctx=8192, size={"ram": GB}, slots=4
        ),
    ),
    remotes=(RemoteStatus(model_id=2, model_name="far", host="https://far.example"),),
    waiting=(WaitingStatus(model_name="large", waiting=2, longest_wait_s=1.5),),
    failed=(("broken", "Its file is damaged."),),
    last_swap=SwapStatus(from_model=None, to_model="small", why="there was room"),
    swaps=(SwapCount(reason="room", count=1),),
    loads=(LoadCount(model_name="small", outcome="ready", count=1, total_s=0.5),),
    limits={"ram": 60 * GB},
    hint="Raise the limit.",
)
MODEL = ModelSummary(
    id=7,
    name="small",
    aliases=("s",),
    description="A small model.",
    architecture="llama",
    quantization="Q4_K_M",
    parameter_count=10**9,
    size_bytes=GB,
    trained_context=32768,
    capabilities=ModelCapabilities(chat=True, tools=True),
    tags=("fast",),
    settings=ModelSettings(
        context=4096,
        idle_ttl_s=600,
        kind="chat",
        is_pinned=True,
        priority=Priority.BATCH,
        keep_conversations=True,
    ),
    source=ModelSource(origin="hub", repo="owner/small", sha256="b" * 64),
    hashes=("a" * 64,),
    is_downloaded=True,
    chat_template_sha256="c" * 64,
    added_at=1_700_000_000,
    last_used_at=1_700_000_060,
)


def models_body(*models: dict[str, Any]) -> bytes:
    """Return a response with models."""
    return json.dumps({"models": models}).encode()


def test_the_status_of_this_version_is_read_as_a_whole() -> None:
    """Nothing of what the proxy sends is lost."""
    sent = responses.Status.of(RUNTIME, "0.1.0", DEVICES, instance="abc", readiness="draining")
    status = read_status(msgspec.json.encode(sent))
    assert status.runtime == RUNTIME
    assert (status.version, status.instance, status.readiness) == ("0.1.0", "abc", "draining")
    assert status.devices == DEVICES


def test_a_status_of_another_version_is_read_if_the_necessary_fields_are_there() -> None:
    """Of an older one, which lacks fields, and of a newer one, which has more."""
    resident = {"model_id": 1, "model_name": "m", "state": "ready", "effective_ctx": 5, "colour": "red"}
    status = read_status(json.dumps({"version": "9", "residents": [resident], "moons": [1]}).encode())
    assert (status.version, status.instance, status.readiness) == ("9", "", "ready")
    assert [resident.model_name for resident in status.runtime.residents] == ["m"]
    assert status.devices == {}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b"\xff\xfe",
        b"null",
        b"[]",
        b'{"status":"ok"}',
        b'{"residents":[]}',
        b'{"version":1,"residents":[]}',
        b'{"x":' + b"[" * 100_000,
        b'{"version":"\xff","residents":[]}',
    ],
)
def test_what_is_no_status_is_unreadable(body: bytes) -> None:
    """It is another server, or garbage."""
    with pytest.raises(UnreadableError) as caught:
        read_status(body)
    assert caught.value.version is None


@pytest.mark.parametrize("residents", [3, [{"name": "m"}], [{"model_id": 1e400}]])
def test_a_status_with_other_types_is_that_of_another_version(residents: object) -> None:
    """The version is known, so that the message can name it."""
    with pytest.raises(UnreadableError) as caught:
        read_status(json.dumps({"version": "9.9", "residents": residents}).encode())
    assert caught.value.version == "9.9"


@pytest.mark.parametrize(
    "fields",
    [
        {"residents": [{"model_id": 1, "model_name": "m", "state": "ready", "effective_ctx": 10**400}]},
        {"loads": [{"model_name": "m", "outcome": "ready", "count": 1, "total_s": 1e300}]},
        {"limits": {"ram": -(10**400)}},
        {"devices": {"ram": {"total_bytes": 10**30, "available_bytes": None}}},
    ],
)
def test_numbers_that_no_machine_has_are_unreadable(fields: dict[str, Any]) -> None:
    """The arithmetic of placement would overflow with them, for all requests."""
    with pytest.raises(UnreadableError) as caught:
        read_status(json.dumps({"version": "1", "residents": []} | fields).encode())
    assert caught.value.version == "1"


@pytest.mark.parametrize("size_bytes", [10**400, -1_048_576_000])
def test_models_and_downloads_of_sizes_that_no_file_has_are_unreadable(size_bytes: int) -> None:
    """A load is expected to take as long as its size says: never 0 s, and never for ever."""
    with pytest.raises(UnreadableError):
        read_models(models_body({"id": 1, "name": "m", "size_bytes": size_bytes}))
    with pytest.raises(UnreadableError):
        read_needs(json.dumps({"fits": [{"model_id": 1, "need": {"total_bytes": size_bytes}}]}).encode())
    with pytest.raises(UnreadableError):
        read_download(json.dumps({"id": "d", "state": "queued", "total_bytes": size_bytes}).encode())


def test_the_models_of_this_version_are_read_without_paths() -> None:
    """For an admin key, with hashes; the time of the last use is left out."""
    sent = responses.Models(models=(responses.Model.of(MODEL, "ready"),))
    (model,) = read_models(msgspec.json.encode(sent)).values()
    assert model.content == ModelContent(sha256="a" * 64, size_bytes=GB)
    assert model.need == {}
    assert model.summary == replace(MODEL, hashes=(), last_used_at=None)


def test_a_model_of_another_version_needs_an_id_and_a_name() -> None:
    """Unknown kinds, priorities and capabilities are left out."""
    (model,) = read_models(
        models_body(
            {"id": 1, "name": "m", "kind": "music", "priority": "royal", "capabilities": ["chat", "smell"]}
        )
    ).values()
    assert model.summary == ModelSummary(id=1, name="m", capabilities=ModelCapabilities(chat=True))
    assert model.content == ModelContent(sha256=None, size_bytes=None)


def test_the_hash_may_come_from_the_source() -> None:
    """Where the files have none of their own."""
    (model,) = read_models(
        models_body({"id": 1, "name": "m", "hashes": [None], "source": {"sha256": "d" * 64}})
    ).values()
    assert model.content.sha256 == "d" * 64


def test_names_that_no_gglib_accepts_are_left_out() -> None:
    """They would reach terminals and logs."""
    found = read_models(
        models_body(
            {"id": 1, "name": "a\x1b[2J"},
            {"id": 2, "name": "7"},
            {"id": 3, "name": "good", "aliases": ["also good", "\n"]},
        )
    )
    assert list(found) == [3]
    assert found[3].summary.aliases == ("also good",)


def test_models_beyond_the_limit_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node cannot fill the memory of the front."""
    monkeypatch.setattr(messages, "MAX_MODELS", 2)
    body = models_body(*({"id": number, "name": f"m{number}"} for number in range(5)))
    assert list(read_models(body)) == [0, 1]
    needs = json.dumps({"fits": [{"model_id": number, "need": {"total_bytes": 1}} for number in range(5)]})
    assert list(read_needs(needs.encode())) == [0, 1]


def test_needs_are_read_by_model() -> None:
    """Of models whose need is known."""
    body = json.dumps(
        {"memory": {}, "fits": [{"model_id": 1, "need": {"total_bytes": GB}}, {"model_id": 2, "need": None}]}
    )
    assert read_needs(body.encode()) == {1: GB}
    with pytest.raises(UnreadableError):
        read_needs(b"{}")


def test_a_download_has_an_id_and_a_state() -> None:
    """The rest may be missing; its error is one line."""
    assert read_download(b'{"id": "d", "state": "queued"}') == ("d", NodeDownload(state=DownloadState.QUEUED))
    error = {"code": "disk_full", "message": "The disk\nis full."}
    body = {"id": "d", "state": "failed", "done_bytes": 1, "total_bytes": 2, "bytes_per_s": 3, "error": error}
    assert read_download(json.dumps(body).encode()) == (
        "d",
        NodeDownload(
            state=DownloadState.FAILED,
            done_bytes=1,
            total_bytes=2,
            bytes_per_s=3,
            error="The disk\\nis full.",
        ),
    )
    with pytest.raises(messages.UnreadableError):
        read_download(b'{"id": "d", "state": "teleporting"}')


def test_an_unload_says_whether_the_model_was_in_memory() -> None:
    """By the names that it lists."""
    assert read_was_stopped(b'{"stopped":["m"]}')
    assert not read_was_stopped(b'{"stopped":[]}')


@pytest.mark.parametrize("expected", [True, False])
def test_a_withdrawal_says_whether_the_request_waited(*, expected: bool) -> None:
    """Older versions have no such response."""
    sent = responses.WithdrawnRequest(withdrawn=expected)
    assert read_was_withdrawn(msgspec.json.encode(sent)) is expected
    with pytest.raises(UnreadableError):
        read_was_withdrawn(b"{}")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error":{"message":"No such model."}}', "No such model."),
        (b'{"error":{"message":7}}', None),
        (b'{"error":"x"}', None),
        (b"[]", None),
        (b"<html>", None),
        (b"[" * 100_000, None),
    ],
)
def test_the_message_of_an_error_is_read_if_there_is_one(body: bytes, message: str | None) -> None:
    """Other servers have other forms."""
    assert read_error(body) == message
    assert read_error_code(body.replace(b'"message"', b'"code"')) == message


def device(total_bytes: int | None) -> DeviceMemory:
    """Return a device of this size."""
    return DeviceMemory(total_bytes=total_bytes, available_bytes=total_bytes)


@pytest.mark.parametrize(
    ("devices", "need"),
    [
        ({}, {"ram": 8}),
        ({"ram": device(64)}, {"ram": 8}),
        ({"ram": device(64), "gpu0": device(None)}, {"ram": 8}),
        ({"ram": device(64), "gpu0": device(24)}, {"gpu0": 8}),
        ({"ram": device(64), "gpu0": device(12), "gpu1": device(4)}, {"gpu0": 6, "gpu1": 2}),
        ({"ram": device(64), "gpu0": device(5)}, {"gpu0": 5, "ram": 3}),
    ],
)
def test_a_model_spreads_over_gpus_first(devices: dict[str, DeviceMemory], need: dict[str, int]) -> None:
    """In proportion to their memory; what does not fit there is in RAM."""
    assert need_by_device(8, devices) == need
