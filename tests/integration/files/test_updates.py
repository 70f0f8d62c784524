"""An update replaces a model atomically, after all its files have arrived, or not at all."""

import re
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.support.waiting import wait_until

from gglib.testing.local_hub import Fault, Host, sparse_file

from . import tiny
from .world import (
    BIG,
    BIG_MMPROJ,
    MMPROJ,
    Q4,
    SHARDS,
    VISION,
    FileState,
    Home,
    Hub,
    assert_is,
    assert_nothing_unexplained,
    file_state,
    files_of,
    unexplained,
)

BIG_TARGET = f"{BIG}:Q4_K_M"
EYES = f"{VISION}:Q4_K_M"
POINTS = [
    (SHARDS[0], 0),
    (SHARDS[0], 1_000),
    (SHARDS[1], 0),
    (SHARDS[1], 1_500),
    (SHARDS[1], 2_999),
    (BIG_MMPROJ, 0),
    (BIG_MMPROJ, 1_499),
]


class TestCut:
    @pytest.mark.parametrize(("file", "sent_bytes"), POINTS)
    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
    def test_a_killed_update_changes_nothing(
        self, home: Home, hub: Hub, file: str, sent_bytes: int, number: int
    ) -> None:
        """The row and its files stay unchanged, the pull is listed, and the same command completes it."""
        one = hub.big(1)
        home.ok("pull", BIG_TARGET)
        before, file_states = home.row(BIG_TARGET), home.file_states()
        two = hub.big(2)
        header_bytes = tiny.SIZE_BYTES if file == SHARDS[0] else 0
        gate = hub.body_gate(file, sent_bytes, header_bytes=header_bytes)
        with home.stopped("pull", BIG_TARGET, at=gate, ends=number):
            pass
        self._is_as_before(home, before, file_states, [*one.values()])
        assert [job["target"] for job in home.unfinished()] == [BIG_TARGET]
        assert_nothing_unexplained(home)
        home.ok("pull", BIG_TARGET)
        assert_is(home.row(BIG_TARGET), [*two.values()])
        assert home.row(BIG_TARGET)["id"] == before["id"]
        assert home.unfinished() == []
        assert unexplained(home) == []

    @pytest.mark.parametrize("file", [SHARDS[0], SHARDS[1], BIG_MMPROJ])
    def test_a_refused_file_changes_nothing(self, home: Home, hub: Hub, file: str) -> None:
        """403 for one of its files: the row and its files stay unchanged; later the same command completes it."""
        one = hub.big(1)
        home.ok("pull", BIG_TARGET)
        before, file_states = home.row(BIG_TARGET), home.file_states()
        two = hub.big(2)
        rule = hub.local.inject_fault(Fault(status=403), file=file, host=Host.CDN)
        home.refused("pull", BIG_TARGET)
        self._is_as_before(home, before, file_states, [*one.values()])
        rule.end()
        home.ok("pull", BIG_TARGET)
        assert_is(home.row(BIG_TARGET), [*two.values()])
        assert home.unfinished() == []
        assert_nothing_unexplained(home)

    def test_given_up_the_older_version_stays(self, home: Home, hub: Hub) -> None:
        """``--discard`` of an update deletes the update's files, and none of the model's."""
        one = hub.big(1)
        home.ok("pull", BIG_TARGET)
        before, file_states = home.row(BIG_TARGET), home.file_states()
        hub.big(2)
        with home.stopped("pull", BIG_TARGET, at=hub.body_gate(SHARDS[1], 1_500)):
            pass
        home.ok("pull", "--discard", BIG_TARGET)
        self._is_as_before(home, before, file_states, [*one.values()])
        assert home.unfinished() == []
        assert unexplained(home) == []

    def test_a_third_version_may_come_between(self, home: Home, hub: Hub) -> None:
        """An interrupted update resumes with the newest version; files of the intermediate version are deleted."""
        hub.big(1)
        home.ok("pull", BIG_TARGET)
        hub.big(2)
        with home.stopped("pull", BIG_TARGET, at=hub.body_gate(SHARDS[1], 1_500)):
            pass
        three = hub.big(3)
        home.ok("pull", BIG_TARGET)
        assert_is(home.row(BIG_TARGET), [*three.values()])
        assert home.unfinished() == []
        assert_nothing_unexplained(home)

    def _is_as_before(
        self, home: Home, before: object, file_states: Mapping[Path, FileState], contents: list[bytes]
    ) -> None:
        row = home.row(BIG_TARGET)
        assert row == before
        assert_is(row, contents)
        assert {path: file_state(path) for path in files_of(row)} == {
            path: file_states[path] for path in files_of(row)
        }
        home.ok("verify")


class TestBroken:
    @pytest.mark.parametrize("file", [*SHARDS, BIG_MMPROJ])
    def test_a_truncated_file_replaces_nothing(self, home: Home, hub: Hub, file: str) -> None:
        """A file committed truncated upstream is detected before the older version is deleted."""
        one = hub.big(1)
        home.ok("pull", BIG_TARGET)
        before, file_states = home.row(BIG_TARGET), home.file_states()
        hub.publish(BIG, {file: tiny.truncated(hub.big(2)[file])})
        sentence = home.refused("pull", BIG_TARGET)
        assert "Error" in sentence
        row = home.row(BIG_TARGET)
        assert row == before
        assert_is(row, [*one.values()])
        assert {path: file_state(path) for path in files_of(row)} == {
            path: file_states[path] for path in files_of(row)
        }
        assert_nothing_unexplained(home)
        three = hub.big(3)
        home.ok("pull", BIG_TARGET)
        assert_is(home.row(BIG_TARGET), [*three.values()])
        assert_nothing_unexplained(home)

    @pytest.mark.parametrize("file", [*SHARDS, BIG_MMPROJ])
    def test_a_truncated_file_is_no_model(self, home: Home, hub: Hub, file: str) -> None:
        """A first pull of the file creates no row, and leaves no file after a prune."""
        hub.publish(BIG, {file: tiny.truncated(hub.big(1)[file])})
        home.refused("pull", BIG_TARGET)
        assert home.rows() == {}
        home.ok("prune", "--yes")
        assert [path for path in home.file_states() if path.suffix == ".gguf"] == []

    def test_a_file_that_is_no_shard_of_the_others(self, home: Home, hub: Hub) -> None:
        """Two first shards do not form a model: the older version stays."""
        one = hub.big(1)
        home.ok("pull", BIG_TARGET)
        before = home.row(BIG_TARGET)
        two = hub.big(2)
        hub.publish(BIG, {SHARDS[1]: two[SHARDS[0]]})
        home.refused("pull", BIG_TARGET)
        assert home.row(BIG_TARGET) == before
        assert_is(home.row(BIG_TARGET), [*one.values()])


class TestNames:
    def test_a_file_that_was_renamed_upstream(self, home: Home, hub: Hub) -> None:
        """``owner/name:QUANT`` means the last pulled version, and ``rm --files`` deletes only that version."""
        one = hub.vision(1)
        home.ok("pull", EYES)
        renamed = tiny.model("renamed")
        hub.publish(VISION, {Q4: None, "eyes-v2-Q4_K_M.gguf": renamed})
        home.ok("pull", EYES)
        assert_is(home.row(EYES), [renamed, one[MMPROJ]])
        assert len(home.rows()) == 1
        assert_nothing_unexplained(home)
        home.ok("rm", EYES, "--files")
        assert home.rows() == {}
        assert [path for path in home.file_states() if path.suffix == ".gguf"] == []

    def test_a_file_that_was_split(self, home: Home, hub: Hub) -> None:
        """One file becomes two shards: the model keeps its id and its settings."""
        hub.vision(1)
        home.ok("pull", EYES)
        home.ok("set", EYES, "--ctx", "2048")
        before = home.row(EYES)
        shards = {
            f"eyes-Q4_K_M-{index + 1:05}-of-00002.gguf": tiny.model(f"split {index}", shard=(index, 2))
            for index in range(2)
        }
        files = hub.publish(VISION, {Q4: None, **shards})
        home.ok("pull", EYES)
        row = home.row(EYES)
        assert [file_state(path).sha256 for path in files_of(row)[:2]] == list(
            map(tiny.sha256, files.values())
        )
        assert (row["id"], row["context"]) == (before["id"], 2048)
        assert len(home.rows()) == 1
        assert_nothing_unexplained(home)

    def test_shards_that_were_joined(self, home: Home, hub: Hub) -> None:
        """Two shards become one file: the older files are deleted."""
        big = hub.big(1)
        home.ok("pull", BIG_TARGET)
        joined = tiny.model("joined")
        hub.publish(BIG, {SHARDS[0]: None, SHARDS[1]: None, "big-Q4_K_M.gguf": joined})
        home.ok("pull", BIG_TARGET)
        assert_is(home.row(BIG_TARGET), [joined, big[BIG_MMPROJ]])
        assert len(home.rows()) == 1
        assert_nothing_unexplained(home)

    @pytest.mark.parametrize("is_changed", [False, True])
    def test_a_repository_that_moved(self, home: Home, hub: Hub, *, is_changed: bool) -> None:
        """The old and the new name mean the same model, and update it."""
        files = hub.vision(1)
        home.ok("pull", EYES)
        before = home.row(EYES)
        hub.local.rename_repository(VISION, "lovelace/eyes-GGUF")
        if is_changed:
            files = files | hub.publish("lovelace/eyes-GGUF", {Q4: tiny.model("moved")})
        home.ok("pull", EYES)
        home.ok("pull", "lovelace/eyes-GGUF:Q4_K_M")
        assert list(home.rows()) == [before["name"]]
        assert home.row(EYES)["id"] == home.row("lovelace/eyes-GGUF:Q4_K_M")["id"] == before["id"]
        assert_is(home.row(EYES), [files[Q4], files[MMPROJ]])
        assert_nothing_unexplained(home)

    def test_an_address_with_other_content_of_the_same_size(self, home: Home, hub: Hub) -> None:
        """The same URL with a newer file of equal size is an update."""
        one, two = tiny.model("address 1"), tiny.model("address 2")
        address = hub.local.add_address("/files/found.gguf", one)
        home.ok("pull", address)
        assert home.ok("pull", address).startswith("Up to date")
        assert_is(home.row("found"), [one])
        hub.local.add_address("/files/found.gguf", two)
        home.ok("pull", address)
        assert_is(home.row("found"), [two])
        assert_nothing_unexplained(home)

    def test_two_addresses_that_differ_in_their_query(self, home: Home, hub: Hub) -> None:
        """The URL includes its query: the second URL is another model, and the first model stays."""
        one, two = tiny.model("query 1"), tiny.model("query 2")
        first = hub.local.add_address("/get.gguf?file=1", one)
        second = hub.local.add_address("/get.gguf?file=2", two)
        home.ok("pull", first, "--name", "one")
        home.ok("pull", second, "--name", "two")
        assert_is(home.row("one"), [one])
        assert_is(home.row("two"), [two])

    def test_one_name_in_two_folders_of_a_host(self, home: Home, hub: Hub) -> None:
        """Two files with one name from two URLs are two models."""
        one, two = tiny.model("folder 1"), tiny.model("folder 2")
        home.ok("pull", hub.local.add_address("/a/m.gguf", one), "--name", "one")
        home.ok("pull", hub.local.add_address("/b/m.gguf", two), "--name", "two")
        assert_is(home.row("one"), [one])
        assert_is(home.row("two"), [two])


class TestDisk:
    def test_an_update_frees_the_older_version(self, home: Home, hub: Hub) -> None:
        """After an update the disk has only the newer version."""
        hub.big(1)
        home.ok("pull", BIG_TARGET)
        old = files_of(home.row(BIG_TARGET))
        two = hub.big(2)
        home.ok("pull", BIG_TARGET)
        assert not any(path.exists() for path in old)
        found = sorted(one.sha256 for path, one in home.file_states().items() if path.suffix == ".gguf")
        assert found == sorted(map(tiny.sha256, two.values()))

    def test_an_update_says_what_room_it_needs(self, home: Home, hub: Hub) -> None:
        """If the new version does not fit beside the older one, it is refused before the download, with both sizes."""
        hub.big(1)
        home.ok("pull", BIG_TARGET)
        before = home.row(BIG_TARGET)
        hub.local.commit(BIG, {SHARDS[1]: sparse_file(1 << 50)})
        sentence = home.refused("pull", BIG_TARGET)
        assert re.search(r"needs [\d.]+ [A-Z]i?B more.*[\d.]+ [A-Z]i?B are free", sentence), sentence
        assert home.row(BIG_TARGET) == before

    def test_a_file_that_did_not_change_is_not_fetched_again(self, home: Home, hub: Hub) -> None:
        """In an update with one new shard, the other shard is shared with the older version."""
        one = hub.big(1)
        home.ok("pull", BIG_TARGET)
        changed = tiny.model("changed", shard=(1, 2))
        hub.publish(BIG, {SHARDS[1]: changed})
        sent = hub.local.sent_bytes(BIG_MMPROJ)
        home.ok("pull", BIG_TARGET)
        assert_is(home.row(BIG_TARGET), [one[SHARDS[0]], changed, one[BIG_MMPROJ]])
        assert hub.local.sent_bytes(BIG_MMPROJ) == sent
        assert_nothing_unexplained(home)


class TestUnderWay:
    def test_a_pull_that_is_under_way_is_not_said_to_be_interrupted(self, home: Home, hub: Hub) -> None:
        """A running pull is not listed as resumable or discardable; a killed one is."""
        hub.big(1)
        with home.stopped("pull", BIG_TARGET, at=hub.body_gate(BIG_MMPROJ, 700)):
            listing = home.ok("pull")
            assert listing.endswith("downloaded. Another gglib is pulling it now.\n")
            assert [job["is_running"] for job in home.unfinished()] == [True]
        assert f"Resume: gglib pull {BIG_TARGET}\n" in home.ok("pull")
        assert [job["is_running"] for job in home.unfinished()] == [False]

    def test_verify_during_an_update_finds_nothing_wrong(self, home: Home, hub: Hub) -> None:
        """Files being fetched are not reported as damage of the existing model."""
        hub.big(1)
        home.ok("pull", BIG_TARGET)
        hub.big(2)
        with home.stopped("pull", BIG_TARGET, at=hub.body_gate(BIG_MMPROJ, 700)):
            assert home.run("verify").returncode == 0

    def test_what_is_set_during_an_update_holds(self, home: Home, hub: Hub) -> None:
        """Aliases, context and idle time set during an update are kept."""
        hub.big(1)
        home.ok("pull", BIG_TARGET, "--alias", "old")
        two = hub.big(2)
        gate = hub.body_gate(BIG_MMPROJ, 700)
        with home.stopped("pull", BIG_TARGET, at=gate) as process:
            home.ok("set", BIG_TARGET, "--alias", "new", "--alias", BIG_TARGET, "--ctx", "2048")
            gate.release()
            wait_until(lambda: process.poll() is not None)
            assert process.returncode == 0
        row = home.row(BIG_TARGET)
        assert (sorted(row["aliases"]), row["context"]) == (sorted(["new", BIG_TARGET]), 2048)
        assert_is(row, [*two.values()])

    def test_an_alias_that_is_taken_meanwhile(self, home: Home, hub: Hub, place: Path) -> None:
        """The pull succeeds, without the alias."""
        files = hub.big(1)
        user = place / "mine.gguf"
        user.write_bytes(tiny.model("mine"))
        gate = hub.body_gate(BIG_MMPROJ, 700)
        with home.stopped("pull", BIG_TARGET, "--alias", "wanted", at=gate) as process:
            home.ok("add", str(user), "--alias", "wanted")
            gate.release()
            wait_until(lambda: process.poll() is not None)
            assert process.returncode == 0
        assert_is(home.row(BIG_TARGET), [*files.values()])
        assert home.row("wanted")["name"] == "mine"

    def test_a_model_that_is_removed_during_its_update(self, home: Home, hub: Hub) -> None:
        """If it is removed with its files while the newer version is fetched, no row names a missing file."""
        hub.big(1)
        home.ok("pull", BIG_TARGET)
        two = hub.big(2)
        gate = hub.body_gate(BIG_MMPROJ, 700)
        with home.stopped("pull", BIG_TARGET, at=gate) as process:
            home.run("rm", BIG_TARGET, "--files")
            gate.release()
            wait_until(lambda: process.poll() is not None)
        for row in home.rows().values():
            assert_is(row, [*two.values()])
        assert_nothing_unexplained(home)
