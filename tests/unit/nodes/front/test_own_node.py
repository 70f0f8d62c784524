"""This machine as a node."""

from pathlib import Path

from gglib.core.memory import DeviceBytes, DeviceMemory
from gglib.core.models import ModelSource, ModelSummary, RunningTarget
from gglib.core.nodes import ModelContent, NodeState
from gglib.nodes.front.own_node import NEEDS_INTERVAL_S, OwnNode
from gglib.testing import FakeCatalog, FakeRuntime

MEMORY = {"ram": DeviceMemory(total_bytes=8, available_bytes=4)}


async def test_a_snapshot_has_models_status_and_memory() -> None:
    """Read when ``refresh`` is called."""
    catalog = FakeCatalog([ModelSummary(id=1, name="m", hashes=("abc",), size_bytes=7)])
    runtime = FakeRuntime({"m": RunningTarget.local(1, 1, "m", 4096)})
    runtime.device_memory = MEMORY
    own = OwnNode("this", runtime, catalog, max_models=2, clock=lambda: 5.0)
    assert own.snapshot.models == ()
    await runtime.ensure_model_running("m", None, 4096)
    await own.refresh()
    found = own.snapshot
    assert (found.name, found.state, found.max_models, found.seen_at_s) == ("this", NodeState.READY, 2, 5.0)
    assert found.models[0].content == ModelContent("abc", 7)
    assert [resident.model_name for resident in found.status.residents] == ["m"]
    assert found.devices == MEMORY


async def test_the_models_stay_the_same_object_while_the_catalogue_does() -> None:
    """The index of the cluster is made again only for other models."""
    catalog = FakeCatalog([ModelSummary(id=1, name="m")])
    own = OwnNode("this", FakeRuntime(), catalog, max_models=1)
    await own.refresh()
    before = own.snapshot
    await own.refresh()
    assert own.snapshot is not before
    assert own.snapshot.models is before.models


async def test_the_hash_of_a_source_identifies_a_file_too() -> None:
    """A download has one; a local file has none."""
    source = ModelSource(origin="hub", sha256="def")
    catalog = FakeCatalog(
        [
            ModelSummary(id=1, name="m", source=source),
            ModelSummary(id=2, name="n", paths=(Path("n.gguf"),)),
        ]
    )
    own = OwnNode("this", FakeRuntime(), catalog, max_models=1)
    await own.refresh()
    assert [model.content.sha256 for model in own.snapshot.models] == ["def", None]


class Needs:
    """The memory of each model in bytes, and how often it was read."""

    def __init__(self) -> None:
        self.of = {"m": 5}
        self.reads = 0

    async def __call__(self, model: ModelSummary) -> DeviceBytes:
        self.reads += 1
        return {"ram": self.of[model.name]}


async def test_models_have_the_memory_that_they_need_here() -> None:
    """Read again when it is old; the models stay the same object while nothing changes."""
    needs, now_s = Needs(), 0.0
    runtime = FakeRuntime()
    runtime.limits = {"ram": 8}
    catalog = FakeCatalog([ModelSummary(id=1, name="m")])
    own = OwnNode("this", runtime, catalog, max_models=None, need_of=needs, clock=lambda: now_s)
    await own.refresh()
    assert own.snapshot.models[0].need == {}
    await own.refresh_needs()
    assert own.snapshot.models[0].need == {"ram": 5}
    before = own.snapshot.models
    await own.refresh()
    await own.refresh_needs()
    assert (own.snapshot.models, needs.reads) == (before, 1)
    now_s = NEEDS_INTERVAL_S
    await own.refresh_needs()
    assert needs.reads == 2
    assert own.snapshot.models is before
    needs.of["m"], now_s = 6, 2 * NEEDS_INTERVAL_S
    await own.refresh_needs()
    assert own.snapshot.models[0].need == {"ram": 6}
    await own.refresh()
    assert own.snapshot.models[0].need == {"ram": 6}


async def test_another_model_has_its_need_at_the_next_look() -> None:
    """A model that was just added is not estimated for a minute later."""
    needs = Needs()
    needs.of["n"] = 7
    runtime = FakeRuntime()
    runtime.limits = {"ram": 8}
    catalog = FakeCatalog([ModelSummary(id=1, name="m")])
    own = OwnNode("this", runtime, catalog, max_models=None, need_of=needs, clock=lambda: 0.0)
    await own.refresh()
    await own.refresh_needs()
    catalog = FakeCatalog([*await catalog.list_models(), ModelSummary(id=2, name="n")])
    own._catalog = catalog
    await own.refresh()
    await own.refresh_needs()
    assert [model.need for model in own.snapshot.models] == [{"ram": 5}, {"ram": 7}]


async def test_without_a_budget_no_memory_is_read() -> None:
    """The number of models decides alone."""
    needs = Needs()
    own = OwnNode(
        "this", FakeRuntime(), FakeCatalog([ModelSummary(id=1, name="m")]), max_models=1, need_of=needs
    )
    await own.refresh()
    await own.refresh_needs()
    assert needs.reads == 0
