"""The paths that the proxy serves itself: models, status and stop."""

import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import gglib
from gglib.core.models import ModelCapabilities, ModelSettings, ModelSummary, RunningTarget
from gglib.core.ports import (
    LoadCount,
    ResidentStatus,
    RuntimeStatus,
    SwapCount,
    SwapStatus,
    WaitingStatus,
)
from gglib.core.runtime.kept_prompts import NO_TRANSFER, KeptTotals, KeptTransfer
from gglib.core.runtime.status import RemoteStatus
from gglib.proxy.access.authorization import is_local_peer
from gglib.testing import FakeCatalog, FakeRuntime

from .support import ask, proxy_running

FULL = ModelSummary(
    id=3,
    name="Org/Qwen3 8B:Q4",
    aliases=("qwen",),
    description="A model.",
    architecture="qwen3",
    quantization="Q4_K_M",
    parameter_count=8_000,
    size_bytes=5_000,
    trained_context=40_960,
    capabilities=ModelCapabilities(chat=True, tools=True),
    settings=ModelSettings(context=16_384),
    added_at=1_700_000_000,
)
SMALL = ModelSummary(id=4, name="small", trained_context=2048)
KEPT = KeptTransfer(slots=1, tokens=2006, size_bytes=9, seconds=0.02)
SWAP = SwapStatus(
    from_model="b",
    to_model="a",
    why="'b' was idle",
    request_id="req_1",
    waited_s=0.5,
    drain_s=0.25,
    stop_s=0.125,
    load_s=1.0,
    total_s=1.875,
    ago_s=60.0,
    saved=KEPT,
)
API_PAGE = Path(__file__).parents[3] / "docs" / "api.md"
BARE = ModelSummary(id=5, name="bare")


class FixedStatusRuntime(FakeRuntime):
    """A runtime with a fixed status."""

    def __init__(self, runtime_status: RuntimeStatus) -> None:
        super().__init__()
        self._status = runtime_status

    async def status(self) -> RuntimeStatus:
        """Return the test's status."""
        return self._status


def resident(name: str, state: str) -> ResidentStatus:
    """Return a resident in a state."""
    return ResidentStatus(model_id=1, model_name=name, state=state, effective_ctx=1)


MEASURED = replace(resident("a", "ready"), size={"ram": 5}, is_measured=True, is_pinned=True, threads=2)


async def status_of(runtime_status: RuntimeStatus) -> Any:
    """Return the proxy's response for a runtime with this status."""
    async with proxy_running(FixedStatusRuntime(runtime_status)) as proxy:
        return (await ask(proxy.port, "GET", "/gglib/status")).json()


async def test_list_has_what_each_family_of_clients_reads() -> None:
    """Every field that some client reads is present, and no path."""
    async with proxy_running(FakeRuntime(), FakeCatalog([FULL, SMALL, BARE]), default_ctx=4096) as proxy:
        reply = await ask(proxy.port, "GET", "/v1/models")
    listed = reply.json()
    assert listed["object"] == "list"
    assert listed["data"][0] == {
        "id": "Org/Qwen3 8B:Q4",
        "object": "model",
        "created": 1_700_000_000,
        "owned_by": "gglib",
        "name": "Org/Qwen3 8B:Q4",
        "description": "A model.",
        "aliases": ["qwen"],
        "architecture": "qwen3",
        "quantization": "Q4_K_M",
        "capabilities": ["chat", "tools"],
        "context_length": 16_384,
        "max_model_len": 16_384,
        "max_context_length": 40_960,
        "meta": {"n_ctx": 16_384, "n_ctx_train": 40_960, "n_params": 8_000, "size": 5_000},
        "status": {"value": "unloaded"},
    }
    assert [model["context_length"] for model in listed["data"]] == [16_384, 2048, 4096]


async def test_the_window_of_an_encoder_is_its_own() -> None:
    """The trained context limits the advertised window; a model that processes input in one batch has its own limit."""
    embedding = ModelCapabilities(embedding=True)
    models = [
        ModelSummary(id=1, name="bert", trained_context=512, capabilities=embedding, pooling="cls"),
        ModelSummary(
            id=2,
            name="long",
            trained_context=131_072,
            capabilities=embedding,
            pooling="mean",
            settings=ModelSettings(context=2**31 - 1),
        ),
        ModelSummary(id=3, name="judge", trained_context=8192, capabilities=ModelCapabilities(rerank=True)),
    ]
    async with proxy_running(FakeRuntime(), FakeCatalog(models), default_ctx=8192) as proxy:
        reply = await ask(proxy.port, "GET", "/v1/models")
    shown = {model["id"]: model for model in reply.json()["data"]}
    windows = {name: (one["meta"]["n_ctx"], one["meta"]["n_ctx_train"]) for name, one in shown.items()}
    assert windows == {"bert": (512, 512), "long": (32_768, 131_072), "judge": (8192, 8192)}
    assert all(
        one["context_length"] == one["max_model_len"] == one["meta"]["n_ctx"] for one in shown.values()
    )
    assert shown["judge"]["capabilities"] == ["rerank"]


async def test_list_shows_the_state_of_each_model() -> None:
    """A model is loaded, loading, failed or unloaded, as the runtime reports."""
    states = ["ready", "draining", "loading", "stopping"]
    models = [ModelSummary(id=n, name=state) for n, state in enumerate([*states, "broken", "other"])]
    runtime_status = RuntimeStatus(
        residents=tuple(resident(state, state) for state in states), failed=(("broken", "bad magic"),)
    )
    async with proxy_running(FixedStatusRuntime(runtime_status), FakeCatalog(models)) as proxy:
        reply = await ask(proxy.port, "GET", "/v1/models")
    shown = {model["id"]: model["status"]["value"] for model in reply.json()["data"]}
    assert shown == {
        "ready": "loaded",
        "draining": "loaded",
        "loading": "loading",
        "stopping": "unloaded",
        "broken": "failed",
        "other": "unloaded",
    }


@pytest.mark.parametrize(
    "spelling", ["Org/Qwen3%208B:Q4", quote(FULL.name, safe=""), "qwen", "3", "org%2Fqwen3%208b%3aq4"]
)
async def test_one_model_is_found_by_any_of_its_names(spelling: str) -> None:
    """A name with slashes and spaces is found literally and percent-encoded, like an alias and an id."""
    async with proxy_running(FakeRuntime(), FakeCatalog([SMALL, FULL])) as proxy:
        reply = await ask(proxy.port, "GET", f"/v1/models/{spelling}")
    assert (reply.status, reply.json()["id"]) == (200, FULL.name)


@pytest.mark.parametrize("spelling", ["smal", "%ff%fe", "a/b/c"])
async def test_unknown_model_is_404(spelling: str) -> None:
    """For an unknown name the error lists the models; a name that is not valid text is only reported as unknown."""
    async with proxy_running(FakeRuntime(), FakeCatalog([SMALL])) as proxy:
        reply = await ask(proxy.port, "GET", f"/v1/models/{spelling}")
    assert (reply.status, reply.error["code"], reply.error["param"]) == (404, "model_not_found", "model")
    assert ("small" in reply.error["message"]) == (spelling != "%ff%fe")


async def test_status_is_the_runtimes_own() -> None:
    """A local program gets the resident models, the waiting requests and the failures."""
    kept = KeptTotals(saved=KEPT, restored=NO_TRANSFER, files=1, files_bytes=9, limit_bytes=100)
    runtime_status = RuntimeStatus(
        residents=(MEASURED,),
        waiting=(WaitingStatus(model_name="b", waiting=2, longest_wait_s=1.5),),
        failed=(("c", "bad magic"),),
        last_swap=SWAP,
        swaps=(SwapCount(reason="idle", count=3),),
        loads=(LoadCount(model_name="a", outcome="ready", count=4, total_s=6.5),),
        limits={"ram": 20},
        hint="Keep both.",
        kept=kept,
    )
    status = await status_of(runtime_status)
    assert status["version"] == gglib.__version__
    assert status["residents"] == [asdict(MEASURED)]
    assert status["waiting"] == [asdict(runtime_status.waiting[0])]
    assert status["failed"] == [{"model_name": "c", "reason": "bad magic"}]
    assert status["last_swap"] == asdict(SWAP)
    assert status["swaps"] == [{"reason": "idle", "count": 3}]
    assert status["loads"] == [{"model_name": "a", "outcome": "ready", "count": 4, "total_s": 6.5}]
    assert status["kept"] == asdict(kept)
    assert (status["limits"], status["used"], status["hint"]) == ({"ram": 20}, {"ram": 5}, "Keep both.")


async def test_status_before_the_first_swap_says_so() -> None:
    """The key for the last swap is present before the first swap."""
    status = await status_of(RuntimeStatus())
    assert status.pop("instance")  # another one for each run
    assert status == {
        "version": gglib.__version__,
        "residents": [],
        "waiting": [],
        "failed": [],
        "last_swap": None,
        "swaps": [],
        "loads": [],
        "limits": {},
        "used": {},
        "devices": {},
        "hint": None,
        "remotes": [],
        "readiness": "ready",
        "kept": None,
    }


async def test_every_field_of_a_status_is_documented_and_no_other() -> None:
    """The table in docs/api.md has a row for each field of a status, and no other rows."""
    runtime_status = RuntimeStatus(
        residents=(resident("a", "ready"),),
        waiting=(WaitingStatus(model_name="b", waiting=2, longest_wait_s=1.5),),
        failed=(("c", "bad magic"),),
        last_swap=SWAP,
        swaps=(SwapCount(reason="idle", count=3),),
        loads=(LoadCount(model_name="a", outcome="ready", count=4, total_s=6.5),),
        remotes=(RemoteStatus(model_id=7, model_name="d", host="http://box:8000"),),
    )
    fields = set()
    for key, value in (await status_of(runtime_status)).items():
        within = value[0] if isinstance(value, list) else value
        mark = "[]" if isinstance(value, list) else ""
        fields |= {f"{key}{mark}.{name}" for name in within} if isinstance(within, dict) and within else {key}
    table = API_PAGE.read_text().partition("## Status")[2].partition("\n### Events")[0]
    assert set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)) == fields


async def test_stop_says_what_it_stopped() -> None:
    """Stopping returns the names of the stopped models, and none the second time."""
    runtime = FakeRuntime({"a": RunningTarget.local(1, 1, "a", 1)})
    await runtime.ensure_model_running("a", None, 1)
    async with proxy_running(runtime) as proxy:
        replies = [(await ask(proxy.port, "POST", "/gglib/stop", body=b"")).json() for _ in range(2)]
    assert replies == [{"stopped": ["a"]}, {"stopped": []}]
    assert runtime.stops == 2


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ((("Origin", "http://localhost:3000"),), 403, "forbidden"),
        ((("Origin", "http://evil.example"),), 403, "origin_not_allowed"),
        ((("Host", "evil.example"),), 403, "host_not_allowed"),
        ((("Host", "evil.example:8080"),), 403, "host_not_allowed"),
        ((("Host", "localhost.evil.example"),), 403, "host_not_allowed"),
        ((("Host", "192.168.1.7:8080"),), 403, "host_not_allowed"),
        ((("Host", "127.0.0.1"), ("Host", "evil.example")), 400, "invalid_request"),
        ((("Host", ""),), 400, "invalid_request"),
        ((("Host", "[::1"),), 400, "invalid_request"),
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/gglib/status"), ("POST", "/gglib/stop")])
async def test_web_pages_are_kept_out(
    method: str, path: str, headers: tuple[tuple[str, str], ...], status: int, code: str
) -> None:
    """A web page, or a Host that only looks like this machine, can neither read the status nor stop models."""
    runtime = FakeRuntime()
    async with proxy_running(runtime) as proxy:
        reply = await ask(proxy.port, method, path, body=b"", headers=headers)
    assert (reply.status, reply.error["code"]) == (status, code)
    assert runtime.stops == 0


@pytest.mark.parametrize(
    ("peer", "own", "is_here"),
    [
        ("192.168.1.5", "192.168.1.5", True),
        ("192.168.1.9", "192.168.1.5", False),
        ("127.0.0.1", "127.0.0.1", True),
        (None, None, False),
    ],
)
def test_a_machine_is_itself_by_its_own_address_too(peer: str, own: str, *, is_here: bool) -> None:
    """Listening on one network address, gglib recognizes its own machine, and no other."""
    assert is_local_peer(peer, own) is is_here


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "127.8.8.8", "[::1]:80"])
async def test_every_name_of_this_machine_is_taken(host: str) -> None:
    """A program may use any loopback name of this machine."""
    async with proxy_running(FakeRuntime()) as proxy:
        assert (await ask(proxy.port, "GET", "/gglib/status", headers=(("Host", host),))).status == 200
