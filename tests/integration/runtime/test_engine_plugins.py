"""Engines from other packages, by the entry point group ``gglib.engines``."""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from gglib.core.errors import EngineNotFoundError, ModelLoadFailedError
from gglib.core.models import ModelCapabilities, ModelSettings, ModelSummary
from gglib.core.runtime.engine_choice import plugin_choice
from gglib.http.client.one_shot import OneShotRequest, request_once
from gglib.runtime import EngineManager, LaunchConfig, LocalLauncher, RuntimeConfig
from gglib.runtime.engines import find_engine
from gglib.runtime.engines.registry import GROUP, plugin_faults, plugin_names
from gglib.testing import FakeCatalog

EXAMPLE = Path(__file__).parents[2] / "support" / "example_engine"

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return a function that installs a package with engines into a directory of the test on ``sys.path``."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def install_package(name: str, source: str | Path, **engines: str) -> None:
        if isinstance(source, Path):
            shutil.copytree(source, site / source.name)
        else:
            (site / f"{name}.py").write_text(source)
        metadata = site / f"{name}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"{engine} = {target}" for engine, target in engines.items()]
        (metadata / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]))

    return install_package


@pytest.fixture
def example(install: Install, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the example package as its ``pyproject.toml`` says; return the choice of its engine."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    install(project["name"], EXAMPLE / "gglib_example_engine", **project["entry-points"][GROUP])
    monkeypatch.delitem(sys.modules, "gglib_example_engine", raising=False)
    choice = plugin_choice("plugin:example")
    assert choice is not None
    return choice


async def test_the_example_engine_serves_models(example: Path, tmp_path: Path) -> None:
    """It is found by its name, launched by the plan that it makes, and stopped like the others."""
    engine = find_engine(example)
    assert (engine.kind, plugin_names(), tuple(plugin_faults())) == ("example", ("example",), ())
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    catalog = FakeCatalog(
        [
            ModelSummary(id=1, name="m", paths=(tmp_path / "m.gguf",)),
            ModelSummary(
                id=2,
                name="e",
                paths=(tmp_path / "m.gguf",),
                capabilities=ModelCapabilities(embedding=True),
            ),
            ModelSummary(
                id=3,
                name="x",
                paths=(tmp_path / "m.gguf",),
                settings=ModelSettings(engine_args=("--threads", "1")),
            ),
        ]
    )
    config = LaunchConfig(engine=engine, engines_dir=tmp_path / "engines", log_dir=tmp_path / "logs")
    async with EngineManager(catalog, LocalLauncher(config), RuntimeConfig()) as manager:
        target = await manager.ensure_model_running("m", None, 4096)
        body = b'{"model": "m", "messages": [{"role": "user", "content": "hello"}]}'
        request = OneShotRequest(b"POST", b"/v1/chat/completions", b"", body)
        async with request_once(target, request, connect_timeout_s=5) as connection:
            response = b"".join([part async for part in connection])
        assert b'"content": "hello"' in response
        with pytest.raises(ModelLoadFailedError, match="'example' does not serve embedding models"):
            await manager.ensure_model_running("e", None, 4096)
        with pytest.raises(Exception, match="does not take '--threads'"):
            await manager.ensure_model_running("x", None, 4096)


@pytest.mark.parametrize(
    ("source", "target", "why"),
    [
        ("1/0", "faulty:Engine", "ZeroDivisionError: division by zero"),
        ("", "faulty:Engine", "AttributeError"),
        ("class Engine:\n    kind = 'x'\n", "faulty:Engine", "it lacks path, description, version"),
        ("class Engine:\n    def __init__(self): raise SystemExit(3)\n", "faulty:Engine", "SystemExit: 3"),
        (
            (
                "from gglib.core.errors import EngineNotFoundError\n"
                "def Engine(): raise EngineNotFoundError('Install its program first.')\n"
            ),
            "faulty:Engine",
            "Install its program first; update",
        ),
    ],
    ids=["import", "attribute", "members", "exit", "own error"],
)
def test_a_faulty_plugin_is_reported_in_one_sentence(
    install: Install, source: str, target: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence names the package and the cause; other engines are not affected."""
    install("faulty", source, broken=target)
    monkeypatch.delitem(sys.modules, "faulty", raising=False)
    (fault,) = plugin_faults()
    assert "'plugin:broken' of the package faulty cannot be used" in fault
    assert why in fault
    choice = plugin_choice("plugin:broken")
    assert choice is not None
    with pytest.raises(EngineNotFoundError, match="plugin:broken"):
        find_engine(choice)


def test_an_unknown_plugin_is_an_error_that_names_the_others(example: Path) -> None:
    """A typing error in the setting shows what is installed."""
    choice = plugin_choice("plugin:sample")
    assert choice is not None
    with pytest.raises(EngineNotFoundError, match=r"'plugin:sample' \(installed: plugin:example\)"):
        find_engine(choice)


DOCS = Path(__file__).parents[3] / "docs" / "adding-an-engine.md"


def documented(file: str) -> str:
    """Return a program of the docs by the name in its first line."""
    text = DOCS.read_text()
    start = text.index(f"# {file}\n") + len(f"# {file}\n")
    return text[start : text.index("```", start)]


def test_the_docs_show_the_example_package() -> None:
    """What is tested here is what is shown there."""
    for file in ("pyproject.toml", "gglib_example_engine/__init__.py", "gglib_example_engine/server.py"):
        assert documented(file) == (EXAMPLE / file).read_text()


def test_the_program_of_the_docs_loads_a_model(example: Path, tmp_path: Path) -> None:
    """It prints the target, and ends by itself."""
    assert example.name == "plugin:example"
    program = tmp_path / "try_engine.py"
    program.write_text(documented("try_engine.py"))
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path / "m.gguf")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "RunningTarget(base_url='http://localhost', model_id=1, model_name='m'" in done.stdout
