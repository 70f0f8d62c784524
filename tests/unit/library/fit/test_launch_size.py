"""The size of a launch, and the key of its measured peak."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gglib.core.memory import RAM, MemoryNeed
from gglib.core.models import ModelCapabilities, ModelLaunchSpec, ModelSettings
from gglib.library.fit.launch_size import (
    MIN_PROMPT_CACHE_MIB,
    PROCESS_GROWTH_BYTES,
    larger,
    launch_key,
    launch_size,
    prompt_cache_limit_mib,
    untouched_bytes,
    with_margin,
)

MIB = 1024**2
NEED = MemoryNeed(weights_bytes=1, kv_bytes=400 * MIB, compute_bytes=30, overhead_bytes=1, is_exact=True)


def test_an_unmeasured_launch_has_a_margin() -> None:
    """The estimate and 5 %, rounded up."""
    assert with_margin({RAM: 101, "gpu0": 0}) == {RAM: 107, "gpu0": 0}
    assert launch_size({RAM: 100}, None, untouched={RAM: 50}) == {RAM: 105}


@pytest.mark.parametrize(
    ("peak", "size"),
    [(40, 60), (90, 105), (105, 105), (200, 200)],
    ids=["far below the estimate", "just below", "equal", "above"],
)
def test_a_measured_launch_keeps_what_it_may_still_touch(peak: int, size: int) -> None:
    """The peak with its untouched buffers, at most the estimate; never less than the peak."""
    assert launch_size({RAM: 100}, {RAM: peak}, untouched={RAM: 20}) == {RAM: size}


def test_an_unmeasured_device_keeps_its_estimate() -> None:
    """A driver in a container may not show the engine; a measured device without an estimate counts, too."""
    found = launch_size({RAM: 100, "gpu0": 200}, {RAM: 150, "gpu1": 7}, untouched={})
    assert found == {RAM: 150, "gpu0": 210, "gpu1": 7}


def test_buffers_and_prompt_cache_may_be_untouched() -> None:
    """Compute buffers are on every device, the prompt cache in RAM only."""
    assert untouched_bytes(NEED, (RAM, "gpu0"), prompt_cache_bytes=5) == {
        RAM: 35 + PROCESS_GROWTH_BYTES,
        "gpu0": 30,
    }


def test_the_larger_of_two_measurements() -> None:
    """Peaks grow device by device."""
    assert larger({RAM: 5, "gpu0": 1}, {RAM: 3, "gpu0": 2, "gpu1": 4}) == {RAM: 5, "gpu0": 2, "gpu1": 4}


def test_a_load_out_of_memory_raises_the_size() -> None:
    """On the devices on which the guess is larger."""
    size = launch_size({RAM: 100, "gpu0": 200}, {RAM: 90}, untouched={}, guess={RAM: 120, "gpu0": 7})
    assert size == {RAM: 120, "gpu0": 210}


@pytest.mark.parametrize(
    ("slots", "most", "limit"),
    [(4, 8192, 100), (1, 8192, 400), (4, 50, 50), (0, 8192, 400), (400, 8192, MIN_PROMPT_CACHE_MIB)],
)
def test_the_prompt_cache_is_as_large_as_a_slot(slots: int, most: int, limit: int) -> None:
    """One prompt of the whole context, within the limit of a single model."""
    assert prompt_cache_limit_mib(NEED, slots=slots, most_mib=most) == limit


SPEC = ModelLaunchSpec(model_id=1, model_name="m", path=Path("/a/m.gguf"))
KEY: dict[str, Any] = {
    "files": ((Path("/a/m.gguf"), 10, 20),),
    "context": 2048,
    "slots": 4,
    "prompt_cache_mib": 8,
    "engine": "embedded",
}


@pytest.mark.parametrize(
    ("spec", "changes"),
    [
        (replace(SPEC, settings=ModelSettings(engine_args=("--mlock",))), {}),
        (replace(SPEC, capabilities=ModelCapabilities(embedding=True)), {}),
        (replace(SPEC, pooling="mean"), {}),
        (SPEC, {"files": ((Path("/a/m.gguf"), 11, 20),)}),
        (SPEC, {"files": ((Path("/a/m.gguf"), 10, 21),)}),
        (SPEC, {"files": (*KEY["files"], (Path("/a/mmproj.gguf"), 1, 1))}),
        (SPEC, {"context": 4096}),
        (SPEC, {"slots": 1}),
        (SPEC, {"prompt_cache_mib": 9}),
        (SPEC, {"engine": "llama-server"}),
    ],
)
def test_other_content_or_options_have_another_key(spec: ModelLaunchSpec, changes: dict[str, Any]) -> None:
    """What changes the memory changes the key."""
    assert launch_key(spec, **KEY | changes) != launch_key(SPEC, **KEY)


def test_name_and_directory_do_not_matter() -> None:
    """A renamed model in a moved home keeps its measurements; file names may be any bytes."""
    moved = KEY | {"files": ((Path("/b/m.gguf"), 10, 20),)}
    assert launch_key(replace(SPEC, model_name="n"), **moved) == launch_key(SPEC, **KEY)
    assert launch_key(SPEC, **KEY | {"files": ((Path("/a/\udcff.gguf"), 1, 1),)})
