"""This machine as a node."""

from pathlib import Path

from gglib.core.memory import DeviceMemory
from gglib.core.models import ModelSource, ModelSummary, RunningTarget
from gglib.core.nodes import ModelContent, NodeState
from gglib.nodes.front.own_node import OwnNode, node_model
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


def test_the_hash_of_a_source_identifies_a_file_too() -> None:
    """A download has one; a local file has none."""
    source = ModelSource(origin="hub", sha256="def")
    assert node_model(ModelSummary(id=1, name="m", source=source)).content.sha256 == "def"
    assert node_model(ModelSummary(id=1, name="m", paths=(Path("m.gguf"),))).content.sha256 is None
