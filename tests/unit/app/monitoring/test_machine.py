"""The settings, the facts and the checks of a server's machine."""

import asyncio
from pathlib import Path

import pytest

from gglib import __version__
from gglib.app.doctor import Check, Finding, Verdict
from gglib.app.monitoring import system_facts
from gglib.app.monitoring.machine import LiveSettings
from gglib.app.monitoring.system_facts import SystemReader
from gglib.app.settings import SETTINGS, load_settings
from gglib.core.errors import EngineBrokenError, GglibError
from gglib.runtime.engines import Engine, LlamaServerEngine
from gglib.runtime.engines.program_output import ProgramOutput
from gglib.testing import FakeCatalog

SECRET = "a-secret-of-this-test"


def test_settings_have_a_source_and_a_help_but_no_secret(tmp_path: Path) -> None:
    """In the order of the documentation; a reload shows other ones."""
    (tmp_path / "config.toml").write_text(f'port = 9000\n[api_keys]\nalice = "{SECRET}"\n', encoding="utf-8")
    current = load_settings({"home": str(tmp_path)}, {"GGLIB_PORT": "9001", "GGLIB_MEMORY": "2G"})
    live = LiveSettings(lambda: current)
    table = live.settings()
    assert table.path == str(tmp_path / "config.toml")
    assert [setting.setting for setting in table.settings] == [spec.key for spec in SETTINGS]
    by_name = {setting.setting: setting for setting in table.settings}
    port = by_name["port"]
    assert (port.value, port.shown, port.source, port.overrides) == (
        9001,
        "9001",
        "GGLIB_PORT",
        ("config.toml",),
    )
    assert by_name["api_keys"].value == ["alice"]
    assert all(setting.help for setting in table.settings)
    assert SECRET not in repr(table)
    current = load_settings({"home": str(tmp_path)}, {})
    assert next(one for one in live.settings().settings if one.setting == "port").value == 9000


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


async def test_an_engine_that_was_removed_has_no_version(tmp_path: Path) -> None:
    """The server still shows everything else."""
    engine = llama_server(tmp_path, "7")
    engine.path.unlink()
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
