"""gglib neither changes nor deletes files that it did not write, wherever they lie and whenever they appeared."""

import os
import shutil
from pathlib import Path

import pytest
from tests.support.waiting import wait_until

from . import tiny
from .world import BIG, MMPROJ, Q4, SHARDS, VISION, Home, Hub, assert_is, file_state, files_of

EYES = f"{VISION}:Q4_K_M"
BIG_TARGET = f"{BIG}:Q4_K_M"
MINE = tiny.model("the user's own")


def targets(other: Home, home: Home, target: str) -> list[Path]:
    """Return the target paths of a pull, determined with another home, which is then deleted."""
    other.ok("pull", target)
    found = [path.relative_to(other.path) for path in files_of(other.row(target))]
    other.erase()
    return [home.path / path for path in found]


def put(path: Path, content: bytes = MINE) -> None:
    """Put a file of the user's at a path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.mine")
    draft.write_bytes(content)
    draft.replace(path)


class TestAtTheTarget:
    @pytest.mark.parametrize("number", [0, 1, 2])
    @pytest.mark.parametrize("command", ["pull", "discard", "prune"])
    def test_put_there_while_a_pull_is_unfinished(
        self, home: Home, other: Home, hub: Hub, number: int, command: str
    ) -> None:
        """Resuming the pull uses another name or reports an error; discarding it leaves the file alone."""
        big = hub.big(1)
        places = targets(other, home, BIG_TARGET)
        with home.stopped("pull", BIG_TARGET, at=hub.body_gate(SHARDS[1], 1_500)):
            pass
        put(places[number])
        mine = file_state(places[number])
        if command == "pull":
            done = home.run("pull", BIG_TARGET)
            assert "Traceback" not in done.text
            if done.returncode == 0:
                assert_is(home.row(BIG_TARGET), [*big.values()])
                assert places[number] not in files_of(home.row(BIG_TARGET))
            home.run("rm", BIG_TARGET, "--files")
        elif command == "discard":
            home.ok("pull", "--discard", BIG_TARGET)
        home.ok("prune", "--yes")
        assert file_state(places[number]) == mine

    def test_put_there_while_a_pull_runs(self, home: Home, other: Home, hub: Hub) -> None:
        """The running pull does not replace the file either."""
        big = hub.big(1)
        places = targets(other, home, BIG_TARGET)
        gate = hub.body_gate(SHARDS[1], 1_500)
        with home.stopped("pull", BIG_TARGET, at=gate) as process:
            put(places[0])
            mine = file_state(places[0])
            gate.release()
            wait_until(lambda: process.poll() is not None)
        assert file_state(places[0]) == mine
        if process.returncode == 0:
            assert_is(home.row(BIG_TARGET), [*big.values()])
        else:
            assert home.rows() == {}

    def test_added_to_the_catalogue_while_a_pull_runs(self, home: Home, other: Home, hub: Hub) -> None:
        """The row stays the user's, with the user's file."""
        files = hub.vision(1)
        [place, _] = targets(other, home, EYES)
        gate = hub.body_gate(MMPROJ, 700)
        with home.stopped("pull", EYES, at=gate) as process:
            put(place)
            mine = file_state(place)
            home.ok("add", str(place), "--name", "mine", "--mmproj", "none")
            gate.release()
            wait_until(lambda: process.poll() is not None)
        row = home.row("mine")
        assert (row["is_downloaded"], row["paths"]) == (False, [str(place)])
        assert file_state(place) == mine
        if process.returncode == 0:
            assert_is(home.row(EYES), [files[Q4], files[MMPROJ]])
            home.ok("rm", EYES, "--files")
            assert file_state(place) == mine
        home.ok("rm", "mine", "--files")
        assert file_state(place) == mine

    def test_there_before_the_pull(self, home: Home, other: Home, hub: Hub) -> None:
        """With a user's file or directory at the target path, the pull uses another name or reports an error."""
        files = hub.vision(1)
        [place, _] = targets(other, home, EYES)
        put(place)
        mine = file_state(place)
        done = home.run("pull", EYES)
        assert "Traceback" not in done.text
        if done.returncode == 0:
            assert_is(home.row(EYES), [files[Q4], files[MMPROJ]])
            home.ok("rm", EYES, "--files")
        home.ok("prune", "--yes")
        assert file_state(place) == mine

    def test_a_link_of_the_users_at_the_target(self, home: Home, other: Home, hub: Hub, place: Path) -> None:
        """A pull does not write through a symbolic link."""
        hub.vision(1)
        [target, _] = targets(other, home, EYES)
        outside = place / "outside.gguf"
        put(outside)
        mine = file_state(outside)
        target.parent.mkdir(parents=True)
        target.symlink_to(outside)
        home.run("pull", EYES)
        home.run("rm", EYES, "--files")
        home.ok("prune", "--yes")
        assert file_state(outside) == mine
        assert target.is_symlink()


class TestInItsPlace:
    @pytest.mark.parametrize("how", ["over", "into", "same size"])
    @pytest.mark.parametrize("command", ["rm", "prune", "update"])
    def test_a_file_that_the_user_changed(self, home: Home, hub: Hub, how: str, command: str) -> None:
        """A file that the user replaced or modified is the user's: removal, prune and updates leave it."""
        hub.vision(1)
        home.ok("pull", EYES)
        [path, _] = files_of(home.row(EYES))
        path.chmod(0o644)
        if how == "over":
            put(path)
        else:
            content = bytearray(path.read_bytes())
            content[-8:] = b"changed!"
            with path.open("r+b") as file:
                file.write(content if how == "same size" else content + b"more")
        mine = file_state(path)
        if command == "rm":
            home.run("rm", EYES, "--files")
        elif command == "update":
            two = hub.vision(2)
            home.ok("pull", EYES)
            assert_is(home.row(EYES), [two[Q4], two[MMPROJ]])
        else:
            home.ok("rm", EYES)
        home.ok("prune", "--yes")
        home.ok("list")
        assert file_state(path) == mine

    def test_a_file_beside(self, home: Home, hub: Hub) -> None:
        """A user's file beside a model's file outlives the model, its updates and a prune."""
        hub.vision(1)
        home.ok("pull", EYES)
        beside = files_of(home.row(EYES))[0].with_name("notes.txt")
        put(beside, b"mine")
        mine = file_state(beside)
        hub.vision(2)
        home.ok("pull", EYES)
        home.ok("rm", EYES, "--files")
        home.ok("prune", "--yes")
        assert file_state(beside) == mine

    def test_put_there_after_a_removal_that_was_killed(self, home: Home, hub: Hub, place: Path) -> None:
        """A killed removal later deletes its own files, and not files that were put there since."""
        hub.vision(1)
        home.ok("pull", EYES)
        paths = files_of(home.row(EYES))
        keep = place / "keep"
        # The removal must fail to delete: the directory is read-only, or, since root bypasses permissions, the file is
        # immutable.
        if os.geteuid() == 0 and shutil.which("chattr") is None:
            pytest.skip("needs a way to make a file undeletable")
        _undeletable(paths[0], is_so=True)
        try:
            home.run("rm", EYES, "--files")
        finally:
            _undeletable(paths[0], is_so=False)
        paths[0].chmod(0o644)
        put(paths[0])
        mine = file_state(paths[0])
        home.ok("list")
        home.ok("prune", "--yes")
        home.ok("list")
        assert file_state(paths[0]) == mine
        assert not keep.exists()


def _undeletable(path: Path, *, is_so: bool) -> None:
    import subprocess

    if os.geteuid() != 0:
        path.parent.chmod(0o500 if is_so else 0o700)
        return
    done = subprocess.run(["chattr", "+i" if is_so else "-i", str(path)], check=False, capture_output=True)
    if done.returncode and is_so:
        pytest.skip("no file system that knows chattr")
