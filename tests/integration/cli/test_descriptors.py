"""The limit on open files, in separate processes: a process that lowers its hard limit cannot raise it again."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from gglib.runtime.local import guard

FIT = """
import json, logging, resource, sys
from pathlib import Path
soft, hard, wanted = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
logging.basicConfig(stream=sys.stderr, format="%(message)s")
from gglib.app.serving.file_limits import fit_to_machine
from gglib.app.settings import Settings
settings = fit_to_machine(Settings(home=Path("/"), max_connections=wanted))
print(json.dumps([settings.max_connections, *resource.getrlimit(resource.RLIMIT_NOFILE)]))
"""
GUARDED = """
import os, resource, subprocess, sys
soft, guard, *flags = sys.argv[1:]
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (int(soft), hard))
told = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
guarded = [sys.executable, "-I", "-S", guard, *flags, str(os.getpid()), sys.executable, "-c", told]
sys.exit(subprocess.run(guarded).returncode)
"""


def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a program that must succeed."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    return done


def test_the_limit_is_raised_and_all_connections_fit() -> None:
    """If the hard limit allows the configured connections, the soft limit is raised to it, without a message."""
    done = run(FIT, 100, 400, 168)
    assert json.loads(done.stdout) == [168, 400, 400]
    assert done.stderr == ""


def test_more_connections_than_the_machine_carries_are_not_promised() -> None:
    """If the hard limit is too low, the number of connections is reduced to fit, with one line on stderr."""
    done = run(FIT, 100, 400, 4096)
    assert json.loads(done.stdout) == [168, 400, 400]
    assert done.stderr.splitlines() == [
        "max_connections is 168, not 4096: the limit on open files is 400 (ulimit -Hn)"
    ]


@pytest.mark.parametrize("flags", [(), ("--watch",)])
@pytest.mark.parametrize(("soft", "limit"), [(2000, 1024), (500, 500)])
def test_an_engine_does_not_inherit_the_raised_limit(soft: int, limit: int, flags: tuple[str, ...]) -> None:
    """An engine gets the usual limit of programs, or a lower one if gglib was started with a lower one."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < soft:
        pytest.skip("this machine does not allow that many")
    assert run(GUARDED, soft, Path(guard.__file__), *flags).stdout.split() == [str(limit)]
