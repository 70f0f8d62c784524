"""Which models are tuned, and what is kept."""

from dataclasses import replace
from pathlib import Path

import pytest

from gglib.app.tuning.measured import Measured, Turn
from gglib.app.tuning.search import Found
from gglib.app.tuning.tuning import check_is_tunable, keep
from gglib.core.backends import Backend, CommandBackend, UrlBackend
from gglib.core.errors import GglibError, InvalidSettingError
from gglib.core.models import ModelCapabilities, ModelLaunchSpec, ModelSettings, ModelSummary
from gglib.runtime.engines.rates import Rates
from gglib.testing import FakeCatalog

SPEC = ModelLaunchSpec(model_id=1, model_name="m", path=Path("/m.gguf"))
MEASURED = Measured(rounds=(Rates(prompt_per_s=1, generated_per_s=1),), turn=Turn(prompt_tokens=1, tokens=2))
FOUND = Found(rows=(), start=("-t", "2"), best=("--threads", "4"), before=MEASURED, after=MEASURED)


@pytest.mark.parametrize("backend", [CommandBackend(argv=("serve",)), UrlBackend(base_url="http://box/v1")])
def test_models_of_other_programs_are_refused(backend: Backend) -> None:
    """They have no engine arguments."""
    with pytest.raises(InvalidSettingError, match="'m' is served by a "):
        check_is_tunable(replace(SPEC, backend=backend))


@pytest.mark.parametrize(
    ("capabilities", "kind"),
    [
        (ModelCapabilities(embedding=True), "an embedding model"),
        (ModelCapabilities(rerank=True), "a reranker"),
    ],
)
def test_models_that_generate_no_text_are_refused(capabilities: ModelCapabilities, kind: str) -> None:
    """There is no rate of generation."""
    with pytest.raises(InvalidSettingError, match=f"'m' is {kind}"):
        check_is_tunable(replace(SPEC, capabilities=capabilities))
    check_is_tunable(SPEC)


def catalog(*engine_args: str) -> tuple[FakeCatalog, ModelSummary]:
    """Return a catalogue and its only model."""
    settings = ModelSettings(context=4096, engine_args=engine_args, extra_args=("--x",))
    model = ModelSummary(id=1, name="m", settings=settings)
    return FakeCatalog([model]), model


async def test_only_the_engine_arguments_change() -> None:
    """All other settings stay."""
    store, model = catalog("-t", "2")
    changed = await keep(FOUND, model, store)
    assert changed.settings == replace(model.settings, engine_args=("--threads", "4"))


async def test_arguments_that_have_changed_meanwhile_stay() -> None:
    """The measurement was made with others."""
    store, model = catalog("-t", "3")
    with pytest.raises(GglibError, match="were changed while it was measured"):
        await keep(FOUND, model, store)
    (now,) = await store.list_models()
    assert now.settings.engine_args == ("-t", "3")
