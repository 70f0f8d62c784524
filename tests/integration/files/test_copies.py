"""A copied or moved home: the copy's commands never touch the original's files, and a moved home works."""

from pathlib import Path

import pytest
from tests.support.waiting import wait_until

from . import tiny
from .world import (
    BIG,
    MMPROJ,
    Q4,
    SHARDS,
    VISION,
    Home,
    Hub,
    assert_is,
    assert_nothing_unexplained,
    files_of,
    unexplained,
)

EYES, OTHER_EYES = f"{VISION}:Q4_K_M", f"{VISION}:Q8_0"
BIG_TARGET = f"{BIG}:Q4_K_M"
COMMANDS = [
    ("pull", "--discard", BIG_TARGET),
    ("pull", BIG_TARGET),
    ("rm", EYES, "--files"),
    ("prune", "--yes"),
    ("pull", EYES),
    ("verify",),
]


class TestCopies:
    @pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
    def test_a_command_in_a_copy_leaves_the_original_alone(
        self, home: Home, hub: Hub, place: Path, command: tuple[str, ...]
    ) -> None:
        """The original's models and the part of its unfinished pull are unchanged, including the inodes."""
        eyes, big = hub.vision(1), hub.big(1)
        home.ok("pull", EYES)
        with home.stopped("pull", BIG_TARGET, at=hub.body_gate(SHARDS[1], 1_500)):
            pass
        assert [job["target"] for job in home.unfinished()] == [BIG_TARGET]
        file_states, rows = home.file_states(), home.rows()
        copy = home.copied(place / "copy")
        copy.run(*command)
        copy.run(*command)
        assert home.file_states() == file_states
        assert home.rows() == rows
        for row in copy.rows().values():
            assert all(path.is_relative_to(copy.path) for path in files_of(row))
        home.ok("pull", BIG_TARGET)
        assert_is(home.row(BIG_TARGET), [*big.values()])
        assert_is(home.row(EYES), [eyes[Q4], eyes[MMPROJ]])
        assert_nothing_unexplained(home)

    @pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
    def test_a_command_in_a_copy_beside_a_running_pull(
        self, home: Home, hub: Hub, place: Path, command: tuple[str, ...]
    ) -> None:
        """The original's pull completes as if there were no copy."""
        eyes, big = hub.vision(1), hub.big(1)
        home.ok("pull", EYES)
        gate = hub.body_gate(SHARDS[1], 1_500)
        with home.stopped("pull", BIG_TARGET, at=gate) as process:
            copy = home.copied(place / "copy")
            if command != ("pull", BIG_TARGET):  # it would wait at the same gate
                copy.run(*command)
            gate.release()
            wait_until(lambda: process.poll() is not None)
            assert process.returncode == 0
        assert_is(home.row(BIG_TARGET), [*big.values()])
        assert_is(home.row(EYES), [eyes[Q4], eyes[MMPROJ]])
        assert_nothing_unexplained(home)

    def test_the_copy_is_a_home_of_its_own(self, home: Home, hub: Hub, place: Path) -> None:
        """The copy's models are separate files, which are updated and deleted only in the copy."""
        one = hub.vision(1)
        home.ok("pull", EYES)
        copy = home.copied(place / "copy")
        two = hub.vision(2)
        copy.ok("pull", EYES)
        assert_is(copy.row(EYES), [two[Q4], two[MMPROJ]])
        assert_is(home.row(EYES), [one[Q4], one[MMPROJ]])
        assert_nothing_unexplained(copy)
        copy.ok("rm", EYES, "--files")
        assert [path for path in copy.file_states() if path.suffix == ".gguf"] == []
        assert_is(home.row(EYES), [one[Q4], one[MMPROJ]])
        assert_nothing_unexplained(home)

    def test_a_home_that_shares_the_files_of_another(self, home: Home, hub: Hub, place: Path) -> None:
        """In a copied catalogue whose ``models`` links to the original's, commands delete none of the shared files."""
        one = hub.vision(1)
        home.ok("pull", EYES)
        file_states = home.file_states()
        copy = place / "copy"
        copy.mkdir()
        for path in home.path.iterdir():
            if path.is_file():
                (copy / path.name).write_bytes(path.read_bytes())
        (copy / "models").symlink_to(home.models)
        twin = Home(copy, hub)
        twin.run("rm", EYES, "--files")
        twin.run("prune", "--yes")
        assert (
            home.file_states().items()
            >= {k: v for k, v in file_states.items() if k.suffix == ".gguf"}.items()
        )
        assert_is(home.row(EYES), [one[Q4], one[MMPROJ]])


class TestMoves:
    def test_a_moved_home_works(self, home: Home, hub: Hub, place: Path) -> None:
        """The models are below the new path, and can be verified, pulled again, updated and deleted."""
        one = hub.vision(1)
        home.ok("pull", EYES)
        inodes = [one.inode for one in home.file_states().values() if one.size_bytes == tiny.SIZE_BYTES]
        moved = home.moved(place / "moved")
        assert all(path.is_relative_to(moved.path) for path in files_of(moved.row(EYES)))
        assert_is(moved.row(EYES), [one[Q4], one[MMPROJ]])
        moved.ok("verify")
        assert moved.ok("pull", EYES).startswith("Up to date")
        assert [
            one.inode for one in moved.file_states().values() if one.size_bytes == tiny.SIZE_BYTES
        ] == inodes
        two = hub.vision(2)
        moved.ok("pull", EYES)
        assert_is(moved.row(EYES), [two[Q4], two[MMPROJ]])
        assert_nothing_unexplained(moved)
        moved.ok("rm", EYES, "--files")
        assert [path for path in moved.file_states() if path.suffix == ".gguf"] == []

    def test_an_unfinished_pull_moves_along(self, home: Home, hub: Hub, place: Path) -> None:
        """The moved home resumes the pull, and does not fetch the first shard again."""
        big = hub.big(1)
        with home.stopped("pull", BIG_TARGET, at=hub.body_gate(SHARDS[1], 1_500)):
            pass
        moved = home.moved(place / "moved")
        assert [job["target"] for job in moved.unfinished()] == [BIG_TARGET]
        sent = hub.local.sent_bytes(SHARDS[0])
        moved.ok("pull", BIG_TARGET)
        assert hub.local.sent_bytes(SHARDS[0]) - sent <= tiny.SIZE_BYTES  # the header is read again
        assert_is(moved.row(BIG_TARGET), [*big.values()])
        assert_nothing_unexplained(moved)

    def test_what_a_user_added_stays_where_it_is(self, home: Home, place: Path) -> None:
        """A user's file outside of the home keeps its path; a file inside moves with the home."""
        outside, inside = place / "outside.gguf", home.path / "inside.gguf"
        home.path.mkdir()
        outside.write_bytes(tiny.model("outside"))
        inside.write_bytes(tiny.model("inside"))
        home.ok("add", str(outside))
        home.ok("add", str(inside))
        moved = home.moved(place / "moved")
        assert files_of(moved.row("outside")) == [outside]
        assert files_of(moved.row("inside")) == [moved.path / "inside.gguf"]

    def test_a_home_reached_by_a_link(self, home: Home, hub: Hub, place: Path) -> None:
        """Both paths are the same home: versions written through either are updated and deleted through the other."""
        hub.vision(1)
        home.ok("pull", EYES)
        link = place / "link"
        link.symlink_to(home.path)
        linked = Home(link, hub)
        assert linked.ok("pull", EYES).startswith("Up to date")
        two = hub.vision(2)
        linked.ok("pull", EYES)
        assert_is(home.row(EYES), [two[Q4], two[MMPROJ]])
        linked.ok("pull", OTHER_EYES)
        home.ok("rm", EYES, "--files")
        assert_is(home.row(OTHER_EYES), [two["eyes-Q8_0.gguf"], two[MMPROJ]])
        linked.ok("rm", OTHER_EYES, "--files")
        assert [path for path in home.file_states() if path.suffix == ".gguf"] == []
        assert unexplained(home) == []

    def test_a_discard_through_a_link_keeps_the_projector_of_a_model(
        self, home: Home, hub: Hub, place: Path
    ) -> None:
        """Failure kind 6: another spelling of a path is the same file."""
        one = hub.vision(1)
        home.ok("pull", EYES)
        link = place / "link"
        link.symlink_to(home.path)
        linked = Home(link, hub)
        gate = hub.body_gate("eyes-Q8_0.gguf", 1_500, header_bytes=tiny.SIZE_BYTES)
        with linked.stopped("pull", OTHER_EYES, at=gate):
            pass
        linked.ok("pull", "--discard", OTHER_EYES)
        assert_is(home.row(EYES), [one[Q4], one[MMPROJ]])
        assert_is(linked.row(EYES), [one[Q4], one[MMPROJ]])
