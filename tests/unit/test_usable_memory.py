"""A graphics processor counts only for an engine that can use it; slots are as many as there is memory for."""

from dataclasses import replace
from pathlib import Path

import pytest

from gglib.app import memory as of_this_machine
from gglib.app.memory import (
    default_fit,
    fit_slots,
    launch_fit,
    usable_memory,
)
from gglib.app.settings import Settings
from gglib.core.memory import Fit, GpuMemory, MachineMemory
from gglib.core.models import GgufFacts, LayerFacts, ModelCapabilities, ModelLaunchSpec, ModelSettings
from gglib.gguf import read_model
from gglib.library.fit.estimate import estimate
from gglib.runtime.engines import EmbeddedEngine, LlamaServerEngine
from gglib.runtime.engines.llama_cpp.options import launch_slots
from gglib.testing import write_tiny_gguf

WITH_GPU = MachineMemory(
    total_bytes=16 << 30,
    available_bytes=8 << 30,
    gpus=(GpuMemory(name="one", total_bytes=24 << 30, free_bytes=20 << 30),),
)


@pytest.mark.parametrize(
    ("engine", "has_gpu", "counts"),
    [
        (EmbeddedEngine(reason=""), False, False),
        (EmbeddedEngine(reason=""), True, True),
        (LlamaServerEngine(Path("/bin/true"), reason=""), False, True),
    ],
)
async def test_a_processor_counts_if_the_engine_uses_it(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    engine: EmbeddedEngine | LlamaServerEngine,
    has_gpu: bool,  # noqa: FBT001
    counts: bool,  # noqa: FBT001
) -> None:
    """The wheel for processors alone makes nothing fit that does not fit into the machine's memory."""
    monkeypatch.setattr(of_this_machine, "read_memory", lambda: WITH_GPU)
    monkeypatch.setattr(of_this_machine, "find_engine", lambda _configured: engine)
    monkeypatch.setattr(EmbeddedEngine, "has_gpu", staticmethod(lambda: has_gpu))
    memory = await usable_memory(Settings(home=tmp_path))
    assert bool(memory.gpus) is counts
    assert memory.available_bytes == WITH_GPU.available_bytes


def test_the_wheel_of_this_machine_says_what_it_can_use() -> None:
    """The real one answers, whatever it says."""
    assert EmbeddedEngine.has_gpu() in {True, False}


MIB = 1024**2


def spec_of(path: Path, *engine_args: str, projector: Path | None = None) -> ModelLaunchSpec:
    """Return how a model is launched."""
    return ModelLaunchSpec(
        model_id=1,
        model_name="tiny",
        path=path,
        size_bytes=path.stat().st_size if path.exists() else 0,
        trained_context=32_768,
        settings=ModelSettings(engine_args=engine_args),
        projector=projector,
    )


def free(size_bytes: int) -> MachineMemory:
    """Return a machine with so much free memory."""
    return MachineMemory(total_bytes=size_bytes, available_bytes=size_bytes)


def test_a_launch_gets_the_slots_that_the_estimate_has_room_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The header tells what a slot takes; what the engine may use of the machine tells how many there are."""
    path = write_tiny_gguf(tmp_path / "tiny.gguf")
    facts, size = read_model(path).facts, path.stat().st_size
    need = [
        estimate(facts, weights_bytes=size, context=32_768, slots=slots).total_bytes for slots in range(5)
    ]
    for slots in (1, 2, 3, 4):
        memory = free(need[slots] + 257 * MIB)
        monkeypatch.setattr(of_this_machine, "read_memory", lambda memory=memory: memory)
        assert fit_slots(EmbeddedEngine(reason=""))(spec_of(path), 32_768, 4) == slots


def test_a_replaced_file_is_read_anew_and_a_broken_one_is_guessed(tmp_path: Path) -> None:
    """What is remembered of a header holds for that file only."""
    path = write_tiny_gguf(tmp_path / "tiny.gguf")
    assert launch_fit(spec_of(path), 4096, 2, free(64 << 30)).need.is_exact
    path.write_bytes(b"GGUF")
    assert not launch_fit(spec_of(path), 4096, 2, free(64 << 30)).need.is_exact
    path.unlink()
    gone = launch_fit(spec_of(path), 4096, 2, free(64 << 30))
    assert (gone.slots, gone.fit) == (2, Fit.FITS)


def test_what_is_loaded_beside_a_model_counts(tmp_path: Path) -> None:
    """A projector takes its size."""
    path = write_tiny_gguf(tmp_path / "tiny.gguf")
    projector = tmp_path / "mmproj.gguf"
    projector.write_bytes(bytes(MIB))
    alone = launch_fit(spec_of(path), 4096, 2, free(64 << 30)).need.total_bytes
    both = launch_fit(spec_of(path, projector=projector), 4096, 2, free(64 << 30)).need.total_bytes
    assert both - alone == MIB


def test_what_the_user_declares_a_model_to_be_counts(tmp_path: Path) -> None:
    """A chat model that is served for embeddings computes each input at once: fewer slots fit beside that."""
    path = write_tiny_gguf(tmp_path / "tiny.gguf")
    chat = spec_of(path)
    embedding = replace(chat, capabilities=ModelCapabilities(embedding=True), pooling="mean")
    memory = free(1 << 30)
    assert launch_fit(chat, 32_768, 4, memory).slots == 4
    found = launch_fit(embedding, 32_768, 4, memory)
    assert (found.slots, found.fit) == (1, Fit.TOO_LARGE)
    assert found.need.compute_bytes > 2 * 32_768**2


def test_without_a_request_the_models_own_settings_count(tmp_path: Path) -> None:
    """Its context, its number of slots, and no more than it was trained for."""
    path = write_tiny_gguf(tmp_path / "tiny.gguf")
    settings = Settings(home=tmp_path, default_ctx=10**6, slots=3)
    facts, size = read_model(path).facts, path.stat().st_size
    found = default_fit(spec_of(path, "-np", "2"), settings, free(64 << 30))
    assert found.need == estimate(facts, weights_bytes=size, context=32_768, slots=2)
    assert default_fit(spec_of(path), settings, free(64 << 30)).slots == 3


def test_a_recurrent_model_is_estimated_with_the_slots_that_it_is_launched_with(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each of 16 slots has a state of its own, in the estimate of ``doctor`` as in that of the launch."""
    layers = LayerFacts(state_convolution=4, state_inner_size=1536, state_size=16)
    mamba = GgufFacts(architecture="mamba", block_count=24, embedding_length=768, layers=layers)
    monkeypatch.setattr(of_this_machine, "_cached_facts", lambda *_: mamba)
    plenty = free(64 << 30)
    spec = spec_of(tmp_path / "mamba.gguf")
    of_doctor = default_fit(spec, Settings(home=tmp_path, slots=16, default_ctx=512), plenty)
    a_state = 24 * (3 * 1536 + 16 * 1536) * 4
    assert (of_doctor.slots, of_doctor.need.kv_bytes) == (16, 16 * a_state)
    monkeypatch.setattr(of_this_machine, "read_memory", lambda: plenty)
    wanted = launch_slots((), setting=16, context=512)
    assert launch_fit(spec, 512, wanted, plenty) == of_doctor
    assert fit_slots(EmbeddedEngine(reason=""))(spec, 512, wanted) == 16
