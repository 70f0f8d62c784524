"""The facts and the checks of a server's machine."""

import asyncio
from pathlib import Path

import pytest

from gglib import __version__
from gglib.app.doctor import Check, Finding, Verdict
from gglib.app.memory import gpu_use
from gglib.app.monitoring import system_facts
from gglib.app.monitoring.machine import open_machine_ports
from gglib.app.monitoring.system_facts import SystemReader
from gglib.app.settings import load_settings
from gglib.core.errors import EngineBrokenError, GglibError
from gglib.runtime.engines import EmbeddedEngine, Engine, LlamaServerEngine
from gglib.runtime.engines.program_output import ProgramOutput
from gglib.system.gpu_kinds import Gpu, GpuVendor
from gglib.testing import FakeCatalog

SECRET = "a-secret-of-this-test"
GPU = Gpu(vendor=GpuVendor.NVIDIA, name="A GPU")


def reader(home: Path, engine: Engine) -> SystemReader:
    """Return the reader of a server with this engine."""
    settings = load_settings({"home": str(home)}, {"GGLIB_API_KEY": SECRET})
    return SystemReader(lambda: settings, lambda: "http://127.0.0.1:9", engine, FakeCatalog([]))


def llama_server(home: Path, version: str) -> LlamaServerEngine:
    """Return an engine whose program prints this version."""
    path = home / "llama-server"
    path.touch()
    return LlamaServerEngine(
        path,
        reason="a test",
        run=lambda option: ProgramOutput(f"{option} {version}\nversion: {version}\n", 0),
    )


async def test_facts_are_those_of_this_machine(tmp_path: Path) -> None:
    """The secret is not among them."""
    engine = llama_server(tmp_path, "7 (abc)")
    facts = await reader(tmp_path, engine).system()
    assert (facts.version, facts.url, facts.keys_required) == (__version__, "http://127.0.0.1:9", True)
    assert (facts.engine.name, facts.engine.path) == ("llama-server", str(engine.path))
    assert facts.engine.version == "7 (abc)"
    assert facts.home == facts.disk.path == str(tmp_path)
    assert 0 < facts.disk.free_bytes <= facts.disk.total_bytes
    assert 1 <= facts.processors.usable <= facts.processors.count
    assert facts.uptime_s >= 0
    assert SECRET not in repr(facts)


async def test_the_path_is_that_of_any_engine_with_a_program(tmp_path: Path) -> None:
    """Of an engine that is not llama-server, too; a package has none."""

    class OtherEngine(EmbeddedEngine):
        path = tmp_path / "other-server"

    facts = await reader(tmp_path, OtherEngine(reason="a test")).system()
    assert facts.engine.path == str(tmp_path / "other-server")
    facts = await reader(tmp_path, EmbeddedEngine(reason="a test")).system()
    assert facts.engine.path is None


@pytest.mark.parametrize(
    ("gpus", "listed", "shown"),
    [
        ((GPU,), ("CUDA0",), ("CUDA0",)),
        ((GPU,), (), ()),
        ((GPU,), None, None),
        ((), None, ()),
    ],
)
async def test_devices_that_the_engine_cannot_list_are_unknown(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    gpus: tuple[Gpu, ...],
    listed: tuple[str, ...] | None,
    shown: tuple[str, ...] | None,
) -> None:
    """Which is not the same as none; a machine without a GPU has none."""
    monkeypatch.setattr(gpu_use, "read_present_gpus", lambda: gpus)

    class OtherEngine(EmbeddedEngine):
        def gpu_devices(self) -> tuple[str, ...] | None:
            return listed

    assert (await reader(tmp_path, OtherEngine(reason="a test")).system()).engine.devices == shown


async def test_an_engine_that_was_removed_has_no_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server still shows everything else."""
    engine = llama_server(tmp_path, "7")
    engine.path.unlink()
    monkeypatch.setattr(gpu_use, "read_present_gpus", lambda: ())
    with pytest.raises(EngineBrokenError):
        _ = engine.version
    facts = await reader(tmp_path, engine).system()
    assert (facts.engine.version, facts.engine.devices) == (None, ())


async def test_callers_share_a_run_of_the_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that leaves does not end it for others; the next call runs them again."""
    runs, may_end = 0, asyncio.Event()

    async def check() -> Finding:
        nonlocal runs
        runs += 1
        await may_end.wait()
        return Finding(Verdict.WARN, "\x1b[31mred")

    async def broken() -> Finding:
        raise GglibError("It is broken.")

    def checks(*_: object) -> list[Check]:
        return [("one", check), ("two", broken)]

    monkeypatch.setattr(system_facts, "doctor_checks", checks)
    machine = reader(tmp_path, llama_server(tmp_path, "7"))
    leaving, staying = (asyncio.create_task(machine.check()) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    may_end.set()
    results = await staying
    assert [(found.name, found.verdict, found.message) for found in results] == [
        ("one", "warn", "\\x1b[31mred"),
        ("two", "fail", "It is broken."),
    ]
    assert leaving.cancelled()
    assert runs == 1
    await machine.check()
    assert runs == 2


async def test_a_run_of_the_checks_ends_with_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not go on with a catalogue that is closed."""
    started, is_ended = asyncio.Event(), False

    async def check() -> Finding:
        nonlocal is_ended
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            is_ended = True
        return Finding(Verdict.OK, "")

    monkeypatch.setattr(system_facts, "doctor_checks", lambda *_: [("one", check)])
    settings = load_settings({"home": str(tmp_path)}, {})
    engine, store = llama_server(tmp_path, "7"), FakeCatalog([])
    async with open_machine_ports(lambda: settings, lambda: "http://127.0.0.1:9", engine, store) as machine:
        leaving = asyncio.create_task(machine.system.check())
        await started.wait()
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert not is_ended
    assert is_ended
