"""A GPU counts only for an engine that can use it; the slots follow from the memory."""

from dataclasses import replace
from pathlib import Path

import pytest

from gglib.app.memory import fitting as of_this_machine
from gglib.app.memory.accounts import MemoryReaders, open_accounts
from gglib.app.memory.fitting import (
    default_fit,
    engine_memory,
    fit_slots,
    launch_facts,
    launch_fit,
    launch_need,
    usable_memory,
)
from gglib.app.settings import Settings
from gglib.core.errors import UnreadableFileError
from gglib.core.memory import Fit, GpuMemory, MachineMemory
from gglib.core.models import GgufFacts, LayerFacts, ModelCapabilities, ModelLaunchSpec, ModelSettings
from gglib.gguf import read_model
from gglib.library.fit.estimate import estimate
from gglib.runtime.engines import EmbeddedEngine, LlamaServerEngine
from gglib.runtime.engines.llama_cpp.options import launch_slots
from gglib.system.gpus import GpuState
from gglib.testing import FakeCatalog, write_tiny_gguf

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
async def test_gpu_counts_if_the_engine_uses_it(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    engine: EmbeddedEngine | LlamaServerEngine,
    has_gpu: bool,  # noqa: FBT001
    counts: bool,  # noqa: FBT001
) -> None:
    """With a CPU-only wheel a model has to fit into the machine's memory."""
    monkeypatch.setattr(of_this_machine, "read_memory", lambda: WITH_GPU)
    monkeypatch.setattr(of_this_machine, "find_engine", lambda _configured: engine)
    monkeypatch.setattr(EmbeddedEngine, "has_gpu", staticmethod(lambda: has_gpu))
    memory = await usable_memory(Settings(home=tmp_path))
    assert bool(memory.gpus) is counts
    assert memory.available_bytes == WITH_GPU.available_bytes


@pytest.mark.parametrize(
    ("devices", "names"),
    [
        (("CUDA0",), ["nvidia"]),
        (("ROCm0",), ["amd"]),
        (("Vulkan0", "Vulkan1"), ["nvidia", "amd"]),
        ((), []),
        (None, ["nvidia"]),
    ],
)
async def test_gpus_that_a_build_has_no_backend_for_do_not_count(
    monkeypatch: pytest.MonkeyPatch, devices: tuple[str, ...] | None, names: list[str]
) -> None:
    """Neither for the size of a model, nor for the limits of the memory later."""
    gpus = tuple(
        GpuMemory(name=vendor.lower(), total_bytes=24 << 30, free_bytes=20 << 30, vendor=vendor)
        for vendor in ("NVIDIA", "AMD")
    )
    memory = MachineMemory(total_bytes=16 << 30, available_bytes=8 << 30, gpus=gpus)
    monkeypatch.setattr(of_this_machine, "read_memory", lambda: memory)
    monkeypatch.setattr(LlamaServerEngine, "gpu_devices", lambda _engine: devices)
    engine = LlamaServerEngine(Path("/bin/true"), reason="")
    assert [gpu.name for gpu in engine_memory(engine).gpus] == names
    readers = MemoryReaders(gpus=lambda: tuple(map(GpuState, gpus)))
    accounts = await open_accounts(engine, FakeCatalog(), slots=4, memory={}, readers=readers)
    assert list(accounts.budget) == ["ram", *(f"gpu{number}" for number in range(len(names)))]
    read = accounts.read_gpus
    assert [state.memory.name for state in (read() if read else ())] == names


@pytest.mark.parametrize("has_gpu", [True, False])
async def test_gpus_are_read_only_for_an_engine_that_uses_them(
    monkeypatch: pytest.MonkeyPatch, *, has_gpu: bool
) -> None:
    """On the CPU a stop reads and waits for nothing."""
    monkeypatch.setattr(of_this_machine, "read_memory", lambda: WITH_GPU)
    monkeypatch.setattr(EmbeddedEngine, "has_gpu", staticmethod(lambda: has_gpu))
    accounts = await open_accounts(EmbeddedEngine(reason=""), FakeCatalog(), slots=4, memory={})
    assert (accounts.read_gpus is not None) is has_gpu


def test_wheel_of_this_machine_has_an_answer() -> None:
    """The real wheel gives a result, either one."""
    assert EmbeddedEngine.has_gpu() in {True, False}


MIB = 1024**2


def spec_of(path: Path, *engine_args: str, projector: Path | None = None) -> ModelLaunchSpec:
    """Return a launch spec."""
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
    """Return a machine with the given free memory."""
    return MachineMemory(total_bytes=size_bytes, available_bytes=size_bytes)


def test_launch_gets_the_slots_that_fit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The header gives the memory of a slot; the memory usable by the engine gives their number."""
    path = write_tiny_gguf(tmp_path / "tiny.gguf")
    facts, size = read_model(path).facts, path.stat().st_size
    need = [
        estimate(facts, weights_bytes=size, context=32_768, slots=slots).total_bytes for slots in range(5)
    ]
    for slots in (1, 2, 3, 4):
        memory = free(need[slots] + 257 * MIB)
        monkeypatch.setattr(of_this_machine, "read_memory", lambda memory=memory: memory)
        assert fit_slots(EmbeddedEngine(reason=""))(spec_of(path), 32_768, 4) == slots


async def test_launch_has_all_its_slots_or_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In the memory that is free; a model that is tight with one slot has not, though it wants no more."""
    path = write_tiny_gguf(tmp_path / "tiny.gguf")
    engine = EmbeddedEngine(reason="")
    accounts = await open_accounts(engine, FakeCatalog(), slots=4, memory={})
    need = [
        launch_need(spec_of(path), launch_facts(spec_of(path)), 32_768, slots).total_bytes
        for slots in range(5)
    ]
    one = spec_of(path, "--parallel", "1")
    for size_bytes, all_four, single in (
        (need[4] + 257 * MIB, True, True),
        (need[3] + 257 * MIB, False, True),
        (need[1], False, False),
    ):
        monkeypatch.setattr(of_this_machine, "read_memory", lambda size_bytes=size_bytes: free(size_bytes))
        assert await accounts.fits_with_all_slots(spec_of(path), 32_768) is all_four
        assert await accounts.fits_with_all_slots(one, 32_768) is single


def test_replaced_file_is_read_again_and_a_broken_one_is_guessed(tmp_path: Path) -> None:
    """A cached header applies to its file only."""
    path = write_tiny_gguf(tmp_path / "tiny.gguf")
    assert launch_fit(spec_of(path), 4096, 2, free(64 << 30)).need.is_exact
    path.write_bytes(b"GGUF")
    assert not launch_fit(spec_of(path), 4096, 2, free(64 << 30)).need.is_exact
    path.unlink()
    gone = launch_fit(spec_of(path), 4096, 2, free(64 << 30))
    assert (gone.slots, gone.fit) == (2, Fit.FITS)


def test_a_file_that_could_not_be_read_is_read_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its time and size do not change when the cause is gone: too many open files."""
    path = write_tiny_gguf(tmp_path / "m.gguf")

    def unreadable(path: Path) -> None:
        raise UnreadableFileError(f"{path}: too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(of_this_machine, "read_model", unreadable)
        assert launch_facts(spec_of(path)) is None
    assert launch_facts(spec_of(path)) is not None


def test_companion_files_count(tmp_path: Path) -> None:
    """A projector takes its size."""
    path = write_tiny_gguf(tmp_path / "tiny.gguf")
    projector = tmp_path / "mmproj.gguf"
    projector.write_bytes(bytes(MIB))
    alone = launch_fit(spec_of(path), 4096, 2, free(64 << 30)).need.total_bytes
    both = launch_fit(spec_of(path, projector=projector), 4096, 2, free(64 << 30)).need.total_bytes
    assert both - alone == MIB


def test_kind_set_by_the_user_counts(tmp_path: Path) -> None:
    """A chat model that is served for embeddings computes each input at once: fewer slots fit."""
    path = write_tiny_gguf(tmp_path / "tiny.gguf")
    chat = spec_of(path)
    embedding = replace(chat, capabilities=ModelCapabilities(embedding=True), pooling="mean")
    memory = free(1 << 30)
    assert launch_fit(chat, 32_768, 4, memory).slots == 4
    found = launch_fit(embedding, 32_768, 4, memory)
    assert (found.slots, found.fit) == (1, Fit.TOO_LARGE)
    assert found.need.compute_bytes > 2 * 32_768**2


def test_without_a_request_the_settings_of_the_model_count(tmp_path: Path) -> None:
    """Its context, its number of slots, and at most the trained context."""
    path = write_tiny_gguf(tmp_path / "tiny.gguf")
    settings = Settings(home=tmp_path, default_ctx=10**6, slots=3)
    facts, size = read_model(path).facts, path.stat().st_size
    found = default_fit(spec_of(path, "-np", "2"), settings, free(64 << 30))
    assert found.need == estimate(facts, weights_bytes=size, context=32_768, slots=2)
    assert default_fit(spec_of(path), settings, free(64 << 30)).slots == 3


def test_recurrent_model_is_estimated_with_its_launch_slots(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each of 16 slots has its own state, in the estimate of ``doctor`` as in that of the launch."""
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
