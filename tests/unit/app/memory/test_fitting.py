"""The memory of a launch: K/V types, adapters and a draft model count."""

from dataclasses import replace
from pathlib import Path

import pytest

from gglib.app.memory.fitting import launch_facts, launch_need
from gglib.core.memory import MemoryNeed
from gglib.core.models import ModelLaunchSpec, ModelSettings
from gglib.testing import write_tiny_gguf, write_tiny_lora

CONTEXT, SLOTS = 4096, 2


@pytest.fixture
def model(tmp_path: Path) -> ModelLaunchSpec:
    """Return a tiny model, with the width of 64 and 2 layers."""
    path = write_tiny_gguf(tmp_path / "model.gguf", head_count=2)
    return ModelLaunchSpec(model_id=1, model_name="m", path=path, size_bytes=path.stat().st_size)


def need_of(model: ModelLaunchSpec, *engine_args: str) -> MemoryNeed:
    """Return the need of a launch with engine arguments."""
    spec = replace(model, settings=ModelSettings(engine_args=engine_args))
    return launch_need(spec, launch_facts(spec), CONTEXT, SLOTS)


@pytest.mark.parametrize(
    ("arguments", "bytes_of_32"),
    [
        ("", (64, 64)),
        ("-ctk f32", (128, 64)),
        ("--cache-type-k q8_0 --cache-type-v q8_0", (34, 34)),
        ("-ctk q4_0 -ctv q5_1", (18, 24)),
        ("-ctv bf16 -ctv iq4_nl", (64, 18)),
    ],
)
def test_the_cache_has_the_size_of_its_types(
    model: ModelLaunchSpec, arguments: str, bytes_of_32: tuple[int, int]
) -> None:
    """Blocks of 32 elements: 64 keys and 64 values for each token and layer."""
    keys, values = bytes_of_32
    assert need_of(model, *arguments.split()).kv_bytes == CONTEXT * SLOTS * 2 * 2 * (keys + values)


def test_adapters_are_part_of_the_weights(model: ModelLaunchSpec, tmp_path: Path) -> None:
    """A missing file takes nothing: the check before a launch names it."""
    lora = write_tiny_lora(tmp_path / "lora.gguf")
    added = (
        need_of(model, "--lora", f"{lora},{tmp_path / 'missing'}").weights_bytes
        - need_of(model).weights_bytes
    )
    assert added == lora.stat().st_size


def test_a_draft_model_has_weights_and_a_cache(model: ModelLaunchSpec, tmp_path: Path) -> None:
    """With its own cache types; the same model as its own draft doubles both."""
    alone = need_of(model)
    both = need_of(model, "--model-draft", str(model.path))
    assert both.weights_bytes == 2 * alone.weights_bytes
    assert both.kv_bytes == 2 * alone.kv_bytes
    half = need_of(
        model, "-md", str(model.path), "--cache-type-k-draft", "q8_0", "--cache-type-v-draft", "q8_0"
    )
    assert half.kv_bytes == alone.kv_bytes + alone.kv_bytes * 34 // 64
    assert need_of(model, "-md", str(tmp_path / "missing")).weights_bytes == alone.weights_bytes
