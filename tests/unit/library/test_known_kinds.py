"""A model that an older gglib classified wrongly is read again before its launch."""

from dataclasses import replace
from pathlib import Path

import pytest

from gglib.core.models import GgufFacts, ModelCapabilities, ModelSettings, NewModel
from gglib.gguf import read_model
from gglib.library.model_facts import ModelFacts, changed_model
from gglib.testing import FakeCatalog, write_tiny_encoder


async def old_row(path: Path, settings: ModelSettings) -> FakeCatalog:
    """Return a catalogue that has a reranker as an embedding model of an unknown pooling."""
    write_tiny_encoder(path, pooling_type=None, has_classifier=True)
    files = read_model(path)
    facts: GgufFacts = replace(files.facts, capabilities=ModelCapabilities(embedding=True), pooling=None)
    store = FakeCatalog()
    await store.add_model(
        NewModel(name="judge", paths=(path,), size_bytes=files.size_bytes, facts=facts, settings=settings)
    )
    return store


async def test_reranker_of_an_older_catalogue_is_launched_as_reranker(tmp_path: Path) -> None:
    """The header's kind is stored at the first launch, and agrees from then on."""
    store = await old_row(tmp_path / "judge.gguf", ModelSettings())
    spec = await store.resolve_for_launch("judge")
    assert spec is not None
    launched = await ModelFacts(store, read_model, lambda _: None).check(spec)
    assert (launched.capabilities, launched.pooling) == (ModelCapabilities(rerank=True), "rank")
    (model,) = await store.list_models()
    assert changed_model(model, read_model(model.paths[0])) is None


@pytest.mark.parametrize("kind", ["chat", "embedding"])
async def test_user_setting_is_no_difference(tmp_path: Path, kind: str) -> None:
    """The user's kind is not compared; the header's kind, which it overrides, is."""
    store = await old_row(tmp_path / "judge.gguf", ModelSettings(kind=kind))  # type: ignore[arg-type] # cases
    spec = await store.resolve_for_launch("judge")
    assert spec is not None
    launched = await ModelFacts(store, read_model, lambda _: None).check(spec)
    assert launched.capabilities.names() == (kind,)
    (model,) = await store.list_models()
    assert model.detected == ModelCapabilities(rerank=True)
    assert changed_model(model, read_model(model.paths[0])) is None
