"""Models that no node has which takes requests: one download for all requests."""

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
from tests.support.node_values import node_model, snapshot
from tests.support.waiting import until

from gglib.core.errors import ModelDownloadingError, NodeLostError, NodeRefusedError, NoNodeError
from gglib.core.hub.downloads import DownloadState
from gglib.core.models import ModelSource, ModelSummary, RunningTarget
from gglib.core.nodes import NodeDownload, NodeModel, NodeSnapshot, NodeState
from gglib.nodes.front import pulls, runtime
from gglib.nodes.front.cluster import Cluster
from gglib.nodes.front.own_node import OwnNode
from gglib.nodes.front.rules import FrontRules
from gglib.nodes.front.runtime import FrontRuntime
from gglib.testing import FakeCatalog, FakeNodes, FakeRuntime

SOURCE = ModelSource(origin="hub", repo="ada/tiny", revision="c0ffee", file="tiny-Q4_K_M.gguf")
TARGET = "ada/tiny/tiny-Q4_K_M.gguf@c0ffee"


def tiny() -> NodeModel:
    """Return a model with a source."""
    model = node_model("tiny")
    return replace(model, summary=replace(model.summary, source=SOURCE))


def without(name: str) -> NodeSnapshot:
    """Return a node that takes requests and has no model."""
    return snapshot(name)


@dataclass(frozen=True, slots=True)
class Front:
    """A front with a node that has the model and is down for a long time."""

    runtime: FrontRuntime
    nodes: FakeNodes
    own: FakeRuntime

    async def ask(self, *, wait_s: float | None = 60.0, request_id: str = "r") -> str | None:
        """Return the node of a request."""
        async with self.runtime.admit("tiny", None, 4096, wait_s=wait_s, request_id=request_id) as target:
            return target.node

    @property
    def pulled(self) -> list[tuple[str, str]]:
        """The downloads so far: node and source."""
        return [(command.node, command.target) for command in self.nodes.commands if command.kind == "pull"]

    def finish(self, node: str, model: NodeModel | None = None) -> None:
        """Let a node have the model."""
        found = next(snapshot for snapshot in self.nodes.snapshots() if snapshot.name == node)
        self.nodes.put(replace(found, models=(model or tiny(),)))

    def put_download(self, node: str, state: DownloadState, **fields: object) -> None:
        """Set the state of the download at a node."""
        self.nodes.downloads[node, TARGET] = NodeDownload(state=state, **fields)  # type: ignore[arg-type]


@pytest.fixture
async def here(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Front]:
    """Return a front that downloads models, and hardly waits for nodes that are down."""
    monkeypatch.setattr(pulls, "POLL_S", 0.01)
    monkeypatch.setattr(runtime, "RETURN_WAIT_S", 0.05)
    old = replace(snapshot("old", state=NodeState.DOWN), models=(tiny(),))
    front = await new_front(FakeNodes([old, without("a"), without("b")]))
    yield front
    await front.runtime.close()


async def new_front(nodes: FakeNodes, *own_models: ModelSummary) -> Front:
    """Return a front with nodes and models of its own."""
    own = FakeRuntime({model.name: RunningTarget.local(1, 1, model.name, 4096) for model in own_models})
    this = OwnNode("this", own, FakeCatalog(own_models), max_models=1)
    await this.refresh()
    front = Front(FrontRuntime(own, Cluster(nodes, this)), nodes, own)
    front.runtime.rules = FrontRules(pulls_models=True)
    return front


async def test_all_requests_wait_for_one_download(here: Front) -> None:
    """Then they go to the node that has it; later requests do, too."""
    asked = [asyncio.create_task(here.ask(request_id=str(number))) for number in range(3)]
    await until(lambda: bool(here.pulled))
    late = asyncio.create_task(here.ask(wait_s=None, request_id="late"))
    ((node, source),) = here.pulled
    assert source == TARGET
    here.finish(node)
    assert await asyncio.gather(*asked, late) == [node] * 4
    assert len(here.pulled) == 1
    assert await here.ask(request_id="later") == node


async def test_without_the_setting_nothing_is_downloaded(here: Front) -> None:
    """Any client could fill the disk of a node."""
    here.runtime.rules = FrontRules()
    with pytest.raises(NoNodeError, match="a does not have its files"):
        await here.ask(wait_s=0.0)
    assert here.pulled == []


async def test_a_request_that_does_not_wait_gets_the_progress(here: Front) -> None:
    """The download goes on, and so does that of a client that has left."""
    with pytest.raises(ModelDownloadingError, match=r"'tiny' is being downloaded; try again in 30 s"):
        await here.ask(wait_s=0.0)
    await until(lambda: bool(here.pulled))
    ((node, _),) = here.pulled
    here.put_download(node, DownloadState.RUNNING, done_bytes=10**9, total_bytes=4 * 10**9, bytes_per_s=10**8)
    await until(lambda: here.runtime._pulls._pulls[TARGET].last is not None)
    with pytest.raises(ModelDownloadingError) as waited:
        await here.ask(wait_s=0.0)
    assert str(waited.value) == "Model 'tiny' is being downloaded (1.0 GB of 4.0 GB); try again in 30 s."
    here.put_download(node, DownloadState.RUNNING, done_bytes=10**9)
    await until(
        lambda: (
            here.runtime._pulls._pulls[TARGET].last
            == NodeDownload(state=DownloadState.RUNNING, done_bytes=10**9)
        )
    )
    with pytest.raises(ModelDownloadingError, match="is being downloaded; try"):
        await here.ask(wait_s=0.0)
    leaving = asyncio.create_task(here.ask())
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    here.finish(node)
    assert await here.ask() == node
    assert len(here.pulled) == 1


async def test_at_the_end_of_the_server_waiting_requests_end(here: Front) -> None:
    """The download is the node's, and goes on."""
    asked = asyncio.create_task(here.ask())
    await until(lambda: bool(here.pulled))
    await here.runtime.close()
    with pytest.raises(ModelDownloadingError):
        await asked
    assert len(here.pulled) == 1


async def test_a_failed_download_goes_to_another_node(here: Front) -> None:
    """If all have failed, the error has the reasons; they are left out for a time."""
    asked = asyncio.create_task(here.ask())
    for name in ("a", "b"):
        here.put_download(name, DownloadState.FAILED, error="The disk is full.")
    with pytest.raises(NoNodeError) as refused:
        await asked
    assert sorted(node for node, _ in here.pulled) == ["a", "b"]
    for name in ("a", "b"):
        assert f"{name} failed to download it (The disk is full)" in str(refused.value)
    with pytest.raises(NoNodeError):
        await here.ask(request_id="again")
    assert len(here.pulled) == 2


async def test_a_download_that_is_paused_there_has_failed(here: Front) -> None:
    """It has no error of its own."""
    for name in ("a", "b"):
        here.put_download(name, DownloadState.PAUSED)
    with pytest.raises(NoNodeError, match="the download is paused there"):
        await here.ask()


async def test_a_node_that_refuses_the_download_is_left_out(here: Front) -> None:
    """With its own message."""

    async def refuse(node: str, source: str) -> None:
        raise NodeRefusedError(f"Node '{node}' has no hub for {source}.")

    here.nodes.pull = refuse  # type: ignore[method-assign]
    with pytest.raises(NoNodeError, match=r"Node 'a' has no hub"):
        await here.ask()


async def test_a_bug_of_a_download_is_an_error_of_the_request(here: Front) -> None:
    """It does not wait for ever."""

    async def break_down(node: str, source: str) -> None:
        raise KeyError(node, source)

    here.nodes.pull = break_down  # type: ignore[method-assign]
    with pytest.raises(NoNodeError, match="internal error"):
        await here.ask()


async def test_another_file_under_the_name_is_not_the_model(
    here: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node has had time to list it."""
    monkeypatch.setattr(pulls, "INDEXED_S", 0.0)
    for name in ("a", "b"):
        here.put_download(name, DownloadState.DONE)
    here.finish("a", node_model("tiny", sha256="another"))
    with pytest.raises(NoNodeError, match="the downloaded files are not those of the model"):
        await here.ask()


async def test_a_node_may_be_unreachable_for_a_while(here: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its download goes on; after a minute it counts as failed, and another node gets it."""
    asked = asyncio.create_task(here.ask())
    await until(lambda: bool(here.pulled))
    ((first, _),) = here.pulled
    polls = 0
    download = here.nodes.download

    async def counted(node: str, source: str) -> NodeDownload | None:
        nonlocal polls
        polls += 1
        return await download(node, source)

    monkeypatch.setattr(here.nodes, "download", counted)
    here.nodes.set_state(first, NodeState.DOWN, "It cannot be reached.")
    await until(lambda: polls > 3)
    assert not asked.done()
    monkeypatch.setattr(pulls, "LOST_S", 0.0)
    await until(lambda: len(here.pulled) == 2)
    other = here.pulled[1][0]
    assert other != first
    here.finish(other)
    assert await asked == other


async def test_a_node_that_is_back_ends_the_wait(here: Front) -> None:
    """It has the model; the download of the other node goes on."""
    asked = asyncio.create_task(here.ask())
    await until(lambda: bool(here.pulled))
    here.nodes.set_state("old", NodeState.READY)
    assert await asked == "old"
    here.nodes.set_state("old", NodeState.DOWN)
    with pytest.raises(ModelDownloadingError):
        await here.ask(wait_s=0.0)
    assert len(here.pulled) == 1


async def test_a_download_of_which_nothing_is_known_fails_at_last(
    here: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not every adapter knows the state of downloads."""
    monkeypatch.setattr(pulls, "UNKNOWN_S", 0.0)
    with pytest.raises(NoNodeError, match="nothing is known of its progress"):
        await here.ask()


async def test_a_node_that_was_just_seen_is_waited_for(here: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart must not cost a download."""
    monkeypatch.setattr(runtime, "RETURN_WAIT_S", 10.0)
    old = here.nodes.snapshots()[0]
    here.nodes.put(replace(old, seen_at_s=math.inf))
    asked = asyncio.create_task(here.ask())
    for _ in range(3):
        await asyncio.sleep(0)
    here.nodes.set_state("old", NodeState.READY)
    assert await asked == "old"
    assert here.pulled == []


async def test_a_node_that_failed_the_request_is_waited_for(
    here: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process was replaced; the next probe says more."""
    monkeypatch.setattr(runtime, "RETURN_WAIT_S", 10.0)
    here.nodes.set_state("old", NodeState.READY)
    with pytest.raises(NodeLostError):
        async with here.runtime.admit("tiny", None, 4096, wait_s=60.0, request_id="r"):
            raise NodeLostError("old", "closed the connection")
    asked = asyncio.create_task(here.ask())
    for _ in range(3):
        await asyncio.sleep(0)
    assert here.pulled == []
    here.nodes.put(replace(here.nodes.snapshots()[0], seen_at_s=math.inf))
    assert await asked == "old"


async def test_a_node_that_shuts_down_is_waited_for(here: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a moment: a node that the user drains stays so, and another one downloads the model."""
    here.nodes.set_state("old", NodeState.READY)
    assert await here.ask() == "old"
    here.nodes.set_state("old", NodeState.DRAINING)
    monkeypatch.setattr(runtime, "RETURN_WAIT_S", 10.0)
    with pytest.raises(NoNodeError, match="old takes no new requests"):
        await here.ask(wait_s=0.0)
    monkeypatch.setattr(runtime, "RETURN_WAIT_S", 0.05)
    asked = asyncio.create_task(here.ask())
    await until(lambda: bool(here.pulled))
    here.finish(here.pulled[0][0])
    assert await asked == here.pulled[0][0]


async def test_a_model_without_a_source_is_not_downloaded(here: Front) -> None:
    """It was added from a file."""
    old = here.nodes.snapshots()[0]
    here.nodes.put(replace(old, models=(node_model("tiny"),)))
    with pytest.raises(NoNodeError, match="a does not have its files"):
        await here.ask(wait_s=0.0)
    model = here.runtime._cluster.model("tiny")
    assert model is not None
    with pytest.raises(ValueError, match="no source"):
        await here.runtime._pulls.wait(model, "a", seen=0, until_s=0.0)


async def test_a_model_that_may_not_run_here_is_downloaded_to_its_nodes() -> None:
    """The user has limited it; without a download the error says so."""
    own = replace(tiny().summary, hashes=("hash of tiny",))
    front = await new_front(FakeNodes([without("a"), without("gpu1")]), own)
    assert await front.ask() is None
    front.runtime.rules = FrontRules(pulls_models=True, model_nodes={"tiny": ("gpu*",)})
    with pytest.raises(ModelDownloadingError):
        await front.ask(wait_s=0.0)
    await until(lambda: front.pulled == [("gpu1", TARGET)])
    await front.runtime.close()
    front.runtime.rules = FrontRules(model_nodes={"tiny": ("gpu*",)})
    with pytest.raises(NoNodeError) as refused:
        await front.ask(wait_s=0.0)
    assert "this is not among the model's nodes (gpu*)" in str(refused.value)
    assert "gpu1 does not have its files" in str(refused.value)
