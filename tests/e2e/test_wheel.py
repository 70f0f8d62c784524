"""The built wheel, installed as a user does: in a separate environment, without this checkout."""

import os
import re
import signal
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from tests.support.engines import EMBEDDED
from tests.support.waiting import LIMIT_S, wait_until

from gglib.testing import write_tiny_gguf

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "src" / "gglib" / "proxy" / "web" / "page"
INSTALL_LIMIT_S = 300

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.only_engine(EMBEDDED),  # the installed gglib runs the engine that comes with it
]


def run(*command: str | Path, **environment: str) -> str:
    """Run a command that must succeed, in an environment without this checkout; return its output."""
    done = subprocess.run(
        [str(part) for part in command],
        env=clean_environment(**environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=INSTALL_LIMIT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def clean_environment(**extra: str) -> dict[str, str]:
    """Return this process's environment without Python's and gglib's variables."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GGLIB_", "PYTHON", "VIRTUAL_"))
    }
    return kept | extra


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the sources."""
    directory = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    run(*pip, "--wheel-dir", directory, ROOT)
    (built,) = directory.glob("gglib-*.whl")
    return built


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment with gglib."""

    directory: Path
    before: set[str]
    """The files that were in it before gglib was."""

    @property
    def gglib(self) -> Path:
        """The command."""
        return self.directory / "bin" / "gglib"

    def pip(self, *arguments: str | Path) -> None:
        """Run pip on the environment."""
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
        run(*pip, "--python", self.directory / "bin" / "python", *arguments)


def files_of(directory: Path) -> set[str]:
    """Return the paths of all files but the compiled modules of other packages, relative to the directory."""
    names = {str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir()}
    return {name for name in names if not name.endswith(".pyc") or "gglib" in name}


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Install the wheel and its locked dependencies into a new environment.

    Python compiles the modules that it imports: pip would compile all of them, which takes longer than the rest.
    """
    directory = tmp_path_factory.mktemp("environment")
    venv.create(directory)
    environment = Installed(directory, set())
    environment.pip("install", "--no-compile", "--require-hashes", "-r", ROOT / "requirements" / "run.lock")
    environment.before.update(files_of(directory))
    environment.pip("install", "--no-compile", "--no-deps", wheel)
    return environment


def test_wheel_has_the_package_its_types_and_its_licence_alone(wheel: Path) -> None:
    """The wheel contains no tests or scripts; it has ``py.typed`` and every file of the package, also data."""
    with zipfile.ZipFile(wheel) as content:
        names = set(content.namelist())
    assert {name.split("/")[0] for name in names if not name.startswith("gglib-")} == {"gglib"}
    sources = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src" / "gglib").rglob("*")
        if path.suffix in {".json", ".py", ".toml"}
        or (PAGE in path.parents and path.is_file() and not path.name.endswith(".d.ts"))
    }
    assert "gglib/app/monitoring/grafana/gglib.json" in sources
    assert "gglib/proxy/web/page/index.html" in sources
    assert sources <= names
    assert "gglib/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


@pytest.fixture
def up(installed: Installed, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``gglib up`` from the installed environment, with a model in a new home."""
    home = {"HOME": str(tmp_path), "GGLIB_HOME": str(tmp_path / "home")}
    model = write_tiny_gguf(tmp_path / "tiny.gguf")
    run(installed.gglib, "add", model, "--name", "tiny", "--engine-args", "--threads 1", **home)
    with (tmp_path / "up.out").open("wb") as output:
        process = subprocess.Popen(
            [installed.gglib, "up", "--yes", "--port", "0"],
            env=clean_environment(**home),
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        yield process
        if process.poll() is None:
            process.kill()
        process.wait()


def test_up_serves_from_the_installed_wheel(up: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """It checks a model, prints an address that serves a client, exits on SIGTERM, and writes to its home alone."""
    output = tmp_path / "up.out"

    def address() -> re.Match[str] | None:
        assert up.poll() is None, output.read_text()
        shown = output.read_text()
        return re.search(r"http://127\.0\.0\.1:\d+", shown) if "Answer" in shown else None

    wait_until(lambda: address() is not None, within_s=4 * LIMIT_S)
    found = address()
    assert found is not None
    request = {"model": "tiny", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]}
    response = httpx2.post(f"{found[0]}/v1/chat/completions", json=request, timeout=60, trust_env=False)
    assert response.status_code == 200
    assert response.json()["choices"][0]["message"]["content"]
    up.send_signal(signal.SIGTERM)
    assert up.wait(LIMIT_S) == 0, output.read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"home", "tiny.gguf", "up.out"}


def test_the_version_is_that_of_the_wheel(wheel: Path, installed: Installed) -> None:
    """The number of the metadata is the one that the program prints."""
    assert run(installed.gglib, "--version").strip() == f"gglib {wheel.name.split('-')[1]}"


def test_uninstalling_leaves_nothing_in_the_environment(installed: Installed) -> None:
    """Also no compiled modules of a program that was used. The last test: the environment is without gglib then."""
    run(installed.gglib, "--version")
    assert any(name.endswith(".pyc") for name in files_of(installed.directory) - installed.before)
    installed.pip("uninstall", "--yes", "gglib")
    assert files_of(installed.directory) == installed.before
