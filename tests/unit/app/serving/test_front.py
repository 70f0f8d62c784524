"""The front of a server: what its settings and its own machine give to the choice of a node."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.waiting import until

from gglib.app.serving import front as front_module
from gglib.app.serving.front import Front
from gglib.app.settings import Settings
from gglib.app.settings.node_tables import NodeSetting
from gglib.core.memory import DeviceBytes
from gglib.core.models import ModelLaunchSpec, ModelSummary
from gglib.testing import FakeCatalog, FakeRuntime

GONE = {"box": NodeSetting(url="http://127.0.0.1:9")}
"""Nothing listens there."""


class Sizes:
    """A byte for each token; the first call fails in a way that nothing expects."""

    def __init__(self) -> None:
        self.calls = 0

    async def size_of(self, spec: ModelLaunchSpec, context: int) -> DeviceBytes:
        """Return the size."""
        self.calls += 1
        if self.calls == 1:
            raise OSError(f"{spec.model_name} is on a disk that was removed")
        return {"ram": context}


@pytest.fixture
async def front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Front]:
    """Return a front with a model of its own and a budget, whose nodes are those of the settings."""
    monkeypatch.setattr(front_module, "REFRESH_S", 0.01)
    monkeypatch.setattr(front_module, "FIRST_LOOK_S", 0.0)
    runtime = FakeRuntime()
    runtime.limits = {"ram": 10_000}
    catalog = FakeCatalog([ModelSummary(id=1, name="m")])
    settings = Settings(home=tmp_path, default_ctx=4096, nodes=GONE)
    front = Front(settings, runtime, catalog, Sizes(), instance="this")
    async with front.running(settings):
        yield front


async def test_the_own_models_have_the_memory_of_a_load(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug while it is read is logged, and does not end the reading."""
    await until(lambda: [model.need for model in front._own.snapshot.models] == [{"ram": 4096}])
    assert "internal error" in caplog.text


async def test_the_rules_are_those_of_the_settings(front: Front, tmp_path: Path) -> None:
    """Also after a reload; names of models ignore case."""
    before = front.runtime.rules
    settings = Settings(home=tmp_path, nodes=GONE, pull_to_nodes=True, model_nodes={"Qwen": ("gpu*",)})
    await front.apply(settings)
    assert (before.pulls_models, front.runtime.rules.pulls_models) == (False, True)
    assert front.runtime.rules.nodes_of("qwen") == ("gpu*",)
