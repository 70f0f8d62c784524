"""The memory accounts: sizes, limits, measurements and advice, with a machine of which the test says what it reads."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic, perf_counter

import pytest

from gglib.app.memory import accounts as memory_accounts
from gglib.app.memory import launch_sizes
from gglib.app.memory.accounts import RECORD_INTERVAL_S, LocalMemoryAccounts, MemoryReaders, open_accounts
from gglib.app.memory.fitting import launch_facts
from gglib.core.errors import CatalogError
from gglib.core.kinds import launch_spec
from gglib.core.memory import RAM, DeviceBytes, DeviceMemory, GpuMemory, MachineMemory
from gglib.core.models import GgufFacts, ModelCapabilities, ModelLaunchSpec, ModelSettings, NewModel
from gglib.gguf import read_model
from gglib.library.fit.devices import GPU_CONTEXT_BYTES
from gglib.library.fit.estimate import estimate
from gglib.library.fit.launch_size import with_margin
from gglib.runtime.engines import EmbeddedEngine
from gglib.runtime.local.model_files import with_marks
from gglib.runtime.memory import LaunchedEngine, RunningEngine
from gglib.system.gpus import GpuState
from gglib.system.process_memory import GroupMemory
from gglib.system.ram import Ram
from gglib.testing import FakeCatalog, write_tiny_gguf

MIB = 1024**2
GIB = 1024**3
PID = 7


@dataclass
class Machine:
    """What the readers report."""

    total: int | None = 16 * GIB
    free: int | None = 16 * GIB
    gpus: tuple[GpuState, ...] = ()
    groups: dict[int, GroupMemory] = field(default_factory=dict)
    gpu_reads: int = 0

    @property
    def readers(self) -> MemoryReaders:
        """The readers of this machine."""
        return MemoryReaders(ram=lambda: Ram(self.total, self.free), gpus=self._read_gpus, groups=self._read)

    @property
    def memory(self) -> MachineMemory:
        """The machine as a value."""
        gpus = tuple(gpu.memory for gpu in self.gpus)
        return MachineMemory(total_bytes=self.total, available_bytes=self.free, gpus=gpus)

    def _read_gpus(self) -> tuple[GpuState, ...]:
        self.gpu_reads += 1
        return self.gpus

    def _read(
        self,
        pids: Collection[int],
        *,
        is_proportional: bool,  # noqa: ARG002 - the same here
    ) -> dict[int, GroupMemory]:
        return {pid: self.groups[pid] for pid in pids if pid in self.groups}


def gpu(gib: int, free_gib: float, **processes: int) -> GpuState:
    """Return a GPU; processes are given as ``p7=60``."""
    memory = GpuMemory(name="gpu", total_bytes=gib * GIB, free_bytes=int(free_gib * GIB))
    return GpuState(memory, {int(name[1:]): size for name, size in processes.items()})


@pytest.fixture
def machine() -> Machine:
    """Return a machine without GPUs."""
    return Machine()


@pytest.fixture
def catalog() -> FakeCatalog:
    """Return an empty catalogue."""
    return FakeCatalog()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a tiny model."""
    return write_tiny_gguf(tmp_path / "tiny.gguf", context_length=32_768)


def spec_of(path: Path, *engine_args: str, **can: bool) -> ModelLaunchSpec:
    """Return a launch spec."""
    return ModelLaunchSpec(
        model_id=1,
        model_name="tiny",
        path=path,
        size_bytes=path.stat().st_size,
        capabilities=ModelCapabilities(**can),
        settings=ModelSettings(engine_args=engine_args),
    )


def launched(
    spec: ModelLaunchSpec, context: int, *, slots: int | None = None, prompt_cache_mib: int | None = None
) -> LaunchedEngine:
    """Return a launch, by default with the options of the settings."""
    return LaunchedEngine(spec=spec, context=context, slots=slots, prompt_cache_mib=prompt_cache_mib)


async def size_after(accounts: LocalMemoryAccounts, engine: LaunchedEngine) -> DeviceBytes | None:
    """Measure an engine, and return its size."""
    measured = await accounts.measure(engine, PID)
    return None if measured is None else measured.size


def running(pid: int, **size: int) -> RunningEngine:
    """Return a ready engine."""
    return RunningEngine(pid=pid, size=size, is_ready=True)


async def opened(
    machine: Machine,
    catalog: FakeCatalog,
    monkeypatch: pytest.MonkeyPatch,
    *,
    slots: int = 4,
    memory: DeviceBytes | None = None,
    clock: Callable[[], float] = monotonic,
) -> LocalMemoryAccounts:
    """Return the accounts of a machine."""
    monkeypatch.setattr(memory_accounts, "engine_memory", lambda _: machine.memory)
    return await open_accounts(
        EmbeddedEngine(reason="test"),
        catalog,
        slots=slots,
        memory=memory or {},
        readers=machine.readers,
        clock=clock,
    )


async def test_a_size_is_the_estimate_with_a_margin_and_the_prompt_cache(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """Of all slots; a small model's prompt cache is as large as one slot, rounded up to a MiB."""
    accounts = await opened(machine, catalog, monkeypatch)
    facts = read_model(path).facts
    facts = replace(facts, capabilities=ModelCapabilities(), pooling=None)
    need = estimate(facts, weights_bytes=spec_of(path).size_bytes, context=4096, slots=4)
    cache_mib = accounts.prompt_cache_mib(spec_of(path), 4096, 4)
    assert cache_mib == max(1, -(-need.kv_bytes // 4 // MIB))
    size = await accounts.size_of(spec_of(path), 4096)
    assert size == with_margin({RAM: need.total_bytes + cache_mib * MIB})
    assert machine.gpu_reads == 0


@pytest.mark.parametrize(
    ("arguments", "can", "cache_mib"),
    [
        (("--cache-ram", "0"), {}, 0),
        (("--cache-ram", "300"), {}, 300),
        (("--cache-ram", "-1"), {}, 8192),
        ((), {"embedding": True}, 0),
        ((), {"rerank": True}, 0),
    ],
)
async def test_the_prompt_cache_of_a_launch_counts(  # noqa: PLR0917
    machine: Machine,
    catalog: FakeCatalog,
    monkeypatch: pytest.MonkeyPatch,
    path: Path,
    arguments: tuple[str, ...],
    can: dict[str, bool],
    cache_mib: int,
) -> None:
    """A model's own limit applies; embeddings and reranking use none."""
    accounts = await opened(machine, catalog, monkeypatch, memory={RAM: 16 * GIB})
    without = await accounts.size_of(spec_of(path, "--cache-ram", "0", **can), 2048)
    size = await accounts.size_of(spec_of(path, *arguments, **can), 2048)
    assert size[RAM] - without[RAM] == pytest.approx(cache_mib * MIB * 1.05, abs=2)


async def test_slots_are_reduced_to_the_budget(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """As many slots as fit; the size and the launch have the same number. One slot stays if none fits."""
    accounts = await opened(machine, catalog, monkeypatch, slots=16)
    sizes = {}
    for slots in (1, 5):
        sizes[slots] = (await accounts.size_of(spec_of(path, "--parallel", str(slots)), 32_768))[RAM]
    accounts.reconfigure(slots=16, memory={RAM: sizes[5] + 1})
    assert accounts.fit_slots(spec_of(path), 32_768, 16) == 5
    assert (await accounts.size_of(spec_of(path), 32_768))[RAM] == sizes[5]
    accounts.reconfigure(slots=16, memory={RAM: 1})
    assert accounts.fit_slots(spec_of(path), 32_768, 16) == 1
    assert (await accounts.size_of(spec_of(path), 32_768))[RAM] == sizes[1]
    assert accounts.budget == {RAM: 1}


async def test_a_reload_does_not_change_a_size_that_is_being_computed(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """The worker thread keeps the settings with which it began."""
    accounts = await opened(machine, catalog, monkeypatch)
    before = await accounts.size_of(spec_of(path), 2048)

    def facts_while_reloading(spec: ModelLaunchSpec) -> GgufFacts | None:
        accounts.reconfigure(slots=1, memory={RAM: 1})
        return launch_facts(spec)

    monkeypatch.setattr(launch_sizes, "launch_facts", facts_while_reloading)
    assert await accounts.size_of(spec_of(path), 2048) == before
    assert await accounts.size_of(spec_of(path), 2048) != before


async def test_a_budget_is_used_where_the_total_is_unknown(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """The system may report neither total nor free memory."""
    machine.total = machine.free = None
    accounts = await opened(machine, catalog, monkeypatch, memory={RAM: GIB})
    assert accounts.budget == await accounts.limits([]) == {RAM: GIB}
    assert accounts.fit_slots(spec_of(path), 32_768, 1000) < 1000
    accounts.reconfigure(slots=4, memory={})
    assert accounts.budget == {}


async def test_a_measured_launch_beyond_the_budget_gets_fewer_slots(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """It would be refused otherwise, although it fits with one slot less."""
    accounts = await opened(machine, catalog, monkeypatch, memory={RAM: GIB})
    machine.groups = {PID: GroupMemory(frozenset({PID}), anonymous_bytes=2 * GIB)}
    await size_after(accounts, launched(spec_of(path), 2048))
    assert accounts.fit_slots(spec_of(path), 2048, 4) == 3
    assert (await accounts.size_of(spec_of(path), 2048))[RAM] < GIB


async def test_a_gpu_has_its_own_budget(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """The model is on the GPU, the process in RAM; ``--device none`` moves all to RAM."""
    machine.gpus = (gpu(24, 23),)
    accounts = await opened(machine, catalog, monkeypatch, memory={"gpu0": 8 * GIB})
    assert accounts.budget == {RAM: 16 * GIB - 16 * GIB // 10, "gpu0": 8 * GIB}
    size = await accounts.size_of(spec_of(path), 2048)
    assert size["gpu0"] > GPU_CONTEXT_BYTES
    assert (await accounts.size_of(spec_of(path, "--device", "none"), 2048)).keys() == {RAM}


async def test_limits_count_what_the_engines_give_back(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of files are free already, unless they are locked; unknown engines do not count."""
    accounts = await opened(machine, catalog, monkeypatch)
    machine.free = 3 * GIB
    machine.groups = {PID: GroupMemory(frozenset({PID}), anonymous_bytes=GIB, file_bytes=5 * GIB)}
    assert await accounts.limits([running(PID), running(8)]) == {RAM: 4 * GIB}
    assert await accounts.limits([]) == {RAM: 3 * GIB}
    machine.groups[PID] = replace(machine.groups[PID], locked_file_bytes=2 * GIB)
    assert await accounts.limits([running(PID)]) == {RAM: 6 * GIB}


async def test_limits_of_a_gpu(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shown processes count; if the driver shows none, the expected sizes."""
    machine.gpus = (gpu(24, 4),)
    machine.groups = {PID: GroupMemory(frozenset({PID, 8}), anonymous_bytes=GIB)}
    accounts = await opened(machine, catalog, monkeypatch, memory={"gpu0": 20 * GIB})
    assert (await accounts.limits([running(PID)]))["gpu0"] == 20 * GIB  # unknown: it may be all of the memory
    assert (await accounts.limits([]))["gpu0"] == 4 * GIB
    assert (await accounts.limits([running(PID, gpu0=6 * GIB)]))["gpu0"] == 10 * GIB
    assert (await accounts.limits([running(PID, ram=GIB)]))["gpu0"] == 4 * GIB
    machine.gpus = (gpu(24, 4, p8=5 * GIB),)
    assert (await accounts.limits([running(PID, gpu0=6 * GIB)]))["gpu0"] == 9 * GIB


async def test_an_engine_that_begins_to_load_does_not_raise_the_limit_of_its_gpu(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver shows nothing for it yet; other programs have 12 GiB of the GPU."""
    machine.gpus = (gpu(24, 12),)
    machine.groups = {PID: GroupMemory(frozenset({PID}), anonymous_bytes=GIB)}
    accounts = await opened(machine, catalog, monkeypatch)
    assert (await accounts.limits([]))["gpu0"] == 12 * GIB
    loading = replace(running(PID, gpu0=10 * GIB), is_ready=False)
    assert (await accounts.limits([loading]))["gpu0"] == 12 * GIB
    machine.gpus = (gpu(24, 2),)  # a driver that hides processes
    assert (await accounts.limits([loading]))["gpu0"] == 12 * GIB


async def test_a_driver_that_fails_leaves_the_last_known_limits(
    machine: Machine,
    catalog: FakeCatalog,
    monkeypatch: pytest.MonkeyPatch,
    path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also if it reports fewer GPUs, whose numbers are wrong then. One warning, not one for each request."""
    machine.gpus = (gpu(24, 4), gpu(24, 9))
    accounts = await opened(machine, catalog, monkeypatch)
    known = await accounts.limits([])
    assert (known["gpu0"], known["gpu1"]) == (4 * GIB, 9 * GIB)
    machine.gpus = (gpu(24, 20, p7=GIB),)
    assert await accounts.limits([]) == known
    assert await accounts.limits([]) == known
    machine.groups = {PID: GroupMemory(frozenset({PID}), anonymous_bytes=GIB)}
    size = await size_after(accounts, launched(spec_of(path), 2048))
    assert size is not None
    assert size["gpu0"] != GIB
    assert [record.message for record in caplog.records] == [
        "the driver reports 1 of 2 GPUs: the last known limits of their memory apply"
    ]


async def test_a_measured_peak_replaces_the_estimate(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """Peaks grow only, are kept in the catalogue, and are those of one context."""
    accounts = await opened(machine, catalog, monkeypatch)
    spec = spec_of(path)
    estimated = await accounts.size_of(spec, 2048)
    other = await accounts.size_of(spec, 4096)
    machine.groups = {PID: GroupMemory(frozenset({PID}), 2 * GIB, GIB, 5)}
    assert await size_after(accounts, launched(spec, 2048)) == {RAM: 3 * GIB + 5}
    machine.groups = {PID: GroupMemory(frozenset({PID}), GIB)}
    assert await size_after(accounts, launched(spec, 2048)) == {RAM: 3 * GIB + 5}
    again = await opened(machine, catalog, monkeypatch)
    assert await again.size_of(spec, 2048) == {RAM: 3 * GIB + 5} != estimated
    assert await again.size_of(spec, 4096) == other


async def test_a_peak_in_use_is_written_once_a_day(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """Otherwise its record would be among the oldest, which are deleted. A notable growth is written at once."""

    class CountingCatalog(FakeCatalog):
        writes = 0

        async def record_peak(self, key: str, size: DeviceBytes) -> None:
            self.writes += 1
            await super().record_peak(key, size)

    catalog, now = CountingCatalog(), 0.0
    accounts = await opened(machine, catalog, monkeypatch, clock=lambda: now)
    for at, taken_mib, writes in (
        (0.0, 100, 1),
        (1.0, 100, 1),
        (2.0, 200, 2),
        (RECORD_INTERVAL_S, 201, 2),
        (RECORD_INTERVAL_S + 2, 201, 3),
    ):
        now = at
        machine.groups = {PID: GroupMemory(frozenset({PID}), taken_mib * MIB)}
        await size_after(accounts, launched(spec_of(path), 2048))
        assert catalog.writes == writes
    restarted = await opened(machine, catalog, monkeypatch, clock=lambda: now)
    await restarted.measure(launched(spec_of(path), 2048), PID)
    assert catalog.writes == 4


async def test_a_small_measurement_keeps_room_for_untouched_buffers(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """Right after the load, the compute buffers were not used yet."""
    accounts = await opened(machine, catalog, monkeypatch)
    estimated = await accounts.size_of(spec_of(path), 2048)
    machine.groups = {PID: GroupMemory(frozenset({PID}), anonymous_bytes=MIB)}
    size = await size_after(accounts, launched(spec_of(path), 2048))
    assert size is not None
    assert MIB < size[RAM] < estimated[RAM]


async def test_without_a_warmup_the_estimate_is_the_least_size(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """The first measurement lacks all that the first computation touches."""
    accounts = await opened(machine, catalog, monkeypatch)
    spec = spec_of(path, "--no-warmup")
    estimated = await accounts.size_of(spec, 2048)
    machine.groups = {PID: GroupMemory(frozenset({PID}), anonymous_bytes=MIB)}
    assert await size_after(accounts, launched(spec, 2048)) == estimated
    machine.groups = {PID: GroupMemory(frozenset({PID}), anonymous_bytes=2 * GIB)}
    assert await size_after(accounts, launched(spec, 2048)) == {RAM: 2 * GIB}


async def test_pages_of_repacked_weights_do_not_count(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """They stay mapped, and the system takes them when it needs memory, unless they are locked."""
    facts = GgufFacts(architecture="llama", quantization="Q4_0")
    monkeypatch.setattr(launch_sizes, "launch_facts", lambda _: facts)
    accounts = await opened(machine, catalog, monkeypatch)
    spec = replace(spec_of(path), size_bytes=GIB)
    machine.groups = {PID: GroupMemory(frozenset({PID}), 20 * GIB, file_bytes=GIB)}
    assert await size_after(accounts, launched(spec, 2048)) == {RAM: 20 * GIB + GIB - int(GIB * 0.85)}
    machine.groups = {PID: GroupMemory(frozenset({PID}), 20 * GIB, file_bytes=GIB, locked_file_bytes=GIB)}
    assert await size_after(accounts, launched(spec, 2048)) == {RAM: 21 * GIB}


async def test_memory_of_a_gpu_is_measured_if_the_driver_shows_it(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """A hidden one keeps its estimate."""
    machine.gpus = (gpu(24, 4), gpu(24, 4))
    machine.groups = {PID: GroupMemory(frozenset({PID}), anonymous_bytes=GIB)}
    accounts = await opened(machine, catalog, monkeypatch)
    estimated = await accounts.size_of(spec_of(path), 2048)
    machine.gpus = (gpu(24, 4, p7=3 * GIB), gpu(24, 4))
    size = await size_after(accounts, launched(spec_of(path), 2048))
    assert size is not None
    assert (size[RAM], size["gpu0"], size["gpu1"]) == (GIB, 3 * GIB, estimated["gpu1"])


async def test_a_file_that_was_replaced_after_the_launch_is_not_measured(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """The running engine has the old content, which the marks of its launch identify."""
    accounts = await opened(machine, catalog, monkeypatch)
    running = with_marks(spec_of(path))
    machine.groups = {PID: GroupMemory(frozenset({PID}), 2 * GIB)}
    await size_after(accounts, launched(running, 2048))
    assert await accounts.size_of(spec_of(path), 2048) == {RAM: 2 * GIB}
    write_tiny_gguf(path, context_length=2048, seed=1)
    await size_after(accounts, launched(running, 2048))
    assert (await accounts.size_of(spec_of(path), 2048))[RAM] < GIB


async def test_an_engine_that_is_gone_is_not_measured(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """It may have exited meanwhile."""
    accounts = await opened(machine, catalog, monkeypatch)
    assert await size_after(accounts, launched(spec_of(path), 2048)) is None
    assert await catalog.list_peaks() == {}


async def test_a_peak_is_that_of_the_options_of_the_launch(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """An engine of before a reload has other slots and a larger prompt cache: its peak is not that of a launch now."""
    accounts = await opened(machine, catalog, monkeypatch, slots=8)
    accounts.reconfigure(slots=2, memory={})
    expected = await accounts.size_of(spec_of(path), 2048)
    machine.groups = {PID: GroupMemory(frozenset({PID}), 2 * GIB)}
    cache_mib = accounts.prompt_cache_mib(spec_of(path), 2048, 2)
    await size_after(accounts, launched(spec_of(path), 2048, slots=8, prompt_cache_mib=cache_mib))
    await size_after(accounts, launched(spec_of(path), 2048, slots=2, prompt_cache_mib=8192))
    assert await accounts.size_of(spec_of(path), 2048) == expected
    await size_after(accounts, launched(spec_of(path), 2048, slots=2, prompt_cache_mib=cache_mib))
    assert await accounts.size_of(spec_of(path), 2048) == {RAM: 2 * GIB}


async def test_the_prompt_cache_that_an_engine_was_launched_with_counts(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """Launched before there was a budget, it may still fill a large cache."""
    accounts = await opened(machine, catalog, monkeypatch)
    machine.groups = {PID: GroupMemory(frozenset({PID}), 10 * MIB)}
    engine = launched(spec_of(path), 2048, slots=1, prompt_cache_mib=2048)
    measured = await accounts.measure(engine, PID)
    assert measured is not None
    assert measured.taken == {RAM: 10 * MIB}
    assert 2 * GIB < measured.size[RAM] < 2 * GIB + 100 * MIB


async def test_a_catalogue_that_cannot_be_written_does_not_stop_a_measurement(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """The peak counts for this process."""
    accounts = await opened(machine, catalog, monkeypatch)
    catalog.fails_with = CatalogError("full")
    machine.groups = {PID: GroupMemory(frozenset({PID}), 2 * GIB)}
    await size_after(accounts, launched(spec_of(path), 2048))
    assert await accounts.size_of(spec_of(path), 2048) == {RAM: 2 * GIB}


async def test_a_load_out_of_memory_raises_the_size(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """By a fifth, at most to the budget, also to that after a reload."""
    accounts = await opened(machine, catalog, monkeypatch)
    before = (await accounts.size_of(spec_of(path), 2048))[RAM]
    raised = await accounts.record_out_of_memory(launched(spec_of(path), 2048), {RAM: before})
    assert raised == await accounts.size_of(spec_of(path), 2048) == {RAM: before + before // 5}
    accounts.reconfigure(slots=4, memory={RAM: before + 1})
    assert await accounts.size_of(spec_of(path), 2048) == {RAM: before + 1}


async def test_a_successful_load_ends_the_guess_after_out_of_memory(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """Other programs may have been the cause, so the guess is not kept in the catalogue either."""
    accounts = await opened(machine, catalog, monkeypatch)
    before = await accounts.size_of(spec_of(path), 2048)
    await accounts.record_out_of_memory(launched(spec_of(path), 2048), before)
    assert await catalog.list_peaks() == {}
    assert await size_after(accounts, launched(spec_of(path), 2048)) is None
    assert await accounts.size_of(spec_of(path), 2048) == before
    await accounts.record_out_of_memory(launched(spec_of(path), 2048), before)
    machine.groups = {PID: GroupMemory(frozenset({PID}), anonymous_bytes=MIB)}
    size = await size_after(accounts, launched(spec_of(path), 2048))
    assert size is not None
    assert size[RAM] < before[RAM]
    assert await accounts.size_of(spec_of(path), 2048) == size


async def test_advice_names_what_fits(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """A smaller context, and a smaller quantization in the catalogue."""
    large_path, small_path = path.with_name("m-Q8_0.gguf"), path.with_name("m-Q4_0.gguf")
    for other in (large_path, small_path):
        write_tiny_gguf(other, context_length=32_768)
    facts = read_model(path).facts
    large = await catalog.add_model(NewModel(name="m:Q8_0", paths=(large_path,), size_bytes=GIB, facts=facts))
    spec = launch_spec(large, large_path)
    accounts = await opened(machine, catalog, monkeypatch)
    least = (await accounts.size_of(replace(spec, settings=ModelSettings(engine_args=("-np", "1"))), 4096))[
        RAM
    ]
    accounts.reconfigure(slots=4, memory={RAM: least})
    assert await accounts.advice(spec, 32_768) == (
        "A context of 4096 tokens would fit ('gglib set --ctx 4096 m:Q8_0')."
    )
    await catalog.add_model(NewModel(name="m:Q4_0", paths=(small_path,), size_bytes=MIB, facts=facts))
    assert await accounts.advice(spec, 32_768) == (
        "A context of 4096 tokens would fit ('gglib set --ctx 4096 m:Q8_0'), and the smaller quantization "
        "'m:Q4_0' would fit ('gglib load m:Q4_0')."
    )
    accounts.reconfigure(slots=4, memory={RAM: 1})
    assert await accounts.advice(spec, 32_768) == ""
    assert await accounts.advice(replace(spec, model_id=99), 32_768) == ""


@pytest.mark.quiet
async def test_a_size_is_fast(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """Less than 5 ms once the header was read."""
    accounts = await opened(machine, catalog, monkeypatch)
    await accounts.size_of(spec_of(path), 2048)
    spent_s = []
    for _ in range(5):
        began = perf_counter()
        await accounts.size_of(spec_of(path), 2048)
        spent_s.append(perf_counter() - began)
        await asyncio.sleep(0)
    assert min(spent_s) < 0.005


async def test_the_estimate_has_no_margin_and_follows_no_measurement(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """With the slots and the prompt cache of the engine."""
    accounts = await opened(machine, catalog, monkeypatch)
    engine = launched(spec_of(path), 4096, slots=1, prompt_cache_mib=0)
    before = await accounts.estimate(engine)
    expected = await accounts.size_of(spec_of(path, "--parallel", "1", "--cache-ram", "0"), 4096)
    assert with_margin(before) == expected
    machine.groups[PID] = GroupMemory(pids=frozenset({PID}), anonymous_bytes=GIB)
    await accounts.measure(engine, PID)
    assert await accounts.estimate(engine) == before


async def test_devices_have_the_memory_of_the_machine(
    machine: Machine, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the budget. A GPU that the driver does not report has its total only."""
    machine.free = 9 * GIB
    machine.gpus = (gpu(8, 2.5),)
    accounts = await opened(machine, catalog, monkeypatch, memory={RAM: GIB, "gpu0": GIB})
    ram = DeviceMemory(total_bytes=16 * GIB, available_bytes=9 * GIB)
    free = int(2.5 * GIB)
    assert await accounts.devices() == {
        RAM: ram,
        "gpu0": DeviceMemory(total_bytes=8 * GIB, available_bytes=free),
    }
    machine.gpus = ()
    assert await accounts.devices() == {
        RAM: ram,
        "gpu0": DeviceMemory(total_bytes=8 * GIB, available_bytes=None),
    }
