"""Concurrent ``gglib set`` commands: each changes only the fields that it names."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support.preloaded import GGLIB, PreloadedProcess
from tests.support.waiting import LIMIT_S, wait_until

from gglib.db.lock import exclusive

from .conftest import Home

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's list of open files")


def waits_for(pid: int, lock: Path) -> bool:
    """Whether a process has opened the catalogue's write lock, which another process holds."""
    try:
        return any(link.readlink() == lock for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def at_once(home: Home, commands: Sequence[Sequence[str]]) -> list[str]:
    """Run commands that all read the catalogue before the first may write; return their errors."""
    lock = home.path / "gglib.db.lock"
    with exclusive(lock):
        processes = [
            PreloadedProcess(
                [*GGLIB, *command],
                env=home.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for command in commands
        ]
        try:
            wait_until(lambda: all(waits_for(process.pid, lock) for process in processes))
        except BaseException:
            for process in processes:
                process.kill()
                process.communicate()
            raise
    return [process.communicate(timeout=LIMIT_S)[1] for process in processes]


def test_three_settings_at_once_are_all_kept(home: Home) -> None:
    """Context, idle time and kind, set by three processes that read the same row, are all stored."""
    home.ok("add", str(home.model_file), "--name", "tiny", "--engine-args", "--threads 1")
    commands = [("--ctx", "1024"), ("--idle-ttl", "10m"), ("--embedding",)]
    assert at_once(home, [("set", "tiny", *options) for options in commands]) == [""] * 3
    model = json.loads(home.ok("show", "tiny", "--json"))
    assert (model["context"], model["idle_ttl_s"], model["kind"]) == (1024, 600.0, "embedding")
    assert "--threads 1" in home.ok("show", "tiny")


def test_single_aliases_at_once_are_all_kept(home: Home) -> None:
    """Aliases that different processes add and remove individually do not overwrite each other."""
    home.ok("add", str(home.model_file), "--name", "tiny", "--alias", "a", "--alias", "b")
    commands = [("--add-alias", "c"), ("--add-alias", "d"), ("--remove-alias", "a")]
    assert at_once(home, [("set", "tiny", *options) for options in commands]) == [""] * 3
    assert sorted(json.loads(home.ok("show", "tiny", "--json"))["aliases"]) == ["b", "c", "d"]


def test_a_setting_and_an_alias_at_once_are_both_kept(home: Home) -> None:
    """A command that sets a context keeps the aliases that another command replaces concurrently."""
    home.ok("add", str(home.model_file), "--name", "tiny", "--alias", "a")
    commands = [("--alias", "b"), ("--ctx", "512"), ("--engine-args", "")]
    replaced, *others = at_once(home, [("set", "tiny", *options) for options in commands])
    assert replaced.startswith("'a' is no alias any more")
    assert others == ["", ""]
    model = json.loads(home.ok("show", "tiny", "--json"))
    assert (model["aliases"], model["context"]) == (["b"], 512)


def test_an_alias_that_it_has_not_is_refused(home: Home) -> None:
    """Removing an alias that the model does not have changes nothing, and the message lists its aliases."""
    home.ok("add", str(home.model_file), "--name", "tiny", "--alias", "a")
    done = home.run("set", "tiny", "--remove-alias", "x", "--ctx", "512")
    assert done.returncode == 1
    assert "Model 'tiny' has no alias 'x': it has 'a'." in done.stderr
    assert json.loads(home.ok("show", "tiny", "--json"))["context"] is None
