"""Two quantizations share one projector file, and each model keeps the projector that it was pulled with."""

import signal

import pytest
from tests.support.waiting import wait_until

from . import tiny
from .world import (
    MMPROJ,
    Q4,
    Q8,
    VISION,
    Home,
    Hub,
    assert_is,
    assert_nothing_unexplained,
    files_of,
    unexplained,
)

EYES, OTHER_EYES = f"{VISION}:Q4_K_M", f"{VISION}:Q8_0"


class TestShared:
    def test_two_quantizations_have_one_projector_on_the_disk(self, home: Home, hub: Hub) -> None:
        """One inode, fetched once; it stays until the second quantization is removed."""
        files = hub.vision(1)
        home.ok("pull", EYES)
        home.ok("pull", OTHER_EYES)
        projectors = [files_of(home.row(name))[1] for name in (EYES, OTHER_EYES)]
        assert len({path.stat().st_ino for path in projectors}) == 1
        assert hub.local.sent_bytes(MMPROJ) == len(files[MMPROJ])
        home.ok("rm", EYES, "--files")
        assert_is(home.row(OTHER_EYES), [files[Q8], files[MMPROJ]])
        home.ok("rm", OTHER_EYES, "--files")
        assert [path for path in home.file_states() if path.suffix == ".gguf"] == []
        assert unexplained(home) == []

    def test_both_at_once(self, home: Home, hub: Hub) -> None:
        """Two concurrent pulls that need one projector both succeed."""
        files = hub.vision(1)
        gate = hub.body_gate(MMPROJ, 700)
        processes = [home.start("pull", target) for target in (EYES, OTHER_EYES)]
        wait_until(
            lambda: (
                gate.has_been_reached
                and (hub.local.sent_bytes(Q4), hub.local.sent_bytes(Q8)) >= (tiny.SIZE_BYTES, tiny.SIZE_BYTES)
            )
        )
        gate.release()
        ends = [process.communicate(timeout=60) for process in processes]
        assert [process.returncode for process in processes] == [0, 0], ends
        assert_is(home.row(EYES), [files[Q4], files[MMPROJ]])
        assert_is(home.row(OTHER_EYES), [files[Q8], files[MMPROJ]])
        assert home.unfinished() == []
        assert_nothing_unexplained(home)

    @pytest.mark.parametrize("file", [Q8, MMPROJ])
    def test_one_is_removed_while_the_other_comes(self, home: Home, hub: Hub, file: str) -> None:
        """``rm --files`` of one quantization deletes no projector from the pull of the other."""
        files = hub.vision(1)
        home.ok("pull", EYES)
        if file == MMPROJ:  # a newer projector, else it is shared and not fetched
            files = files | hub.publish(VISION, {MMPROJ: tiny.projector("newer"), Q8: tiny.model("newer")})
        gate = hub.body_gate(file, 700, header_bytes=tiny.SIZE_BYTES if file == Q8 else 0)
        with home.stopped("pull", OTHER_EYES, at=gate) as process:
            home.ok("rm", EYES, "--files")
            gate.release()
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
        assert_is(home.row(OTHER_EYES), [files[Q8], files[MMPROJ]])
        assert_nothing_unexplained(home)

    def test_giving_up_one_pull_leaves_the_other_its_projector(self, home: Home, hub: Hub) -> None:
        """``--discard`` of a pull killed within the projector, while another pull fetches the same file."""
        files = hub.vision(1)
        with home.stopped("pull", EYES, at=hub.body_gate(MMPROJ, 700)):
            pass
        gate = hub.body_gate(MMPROJ, 300)
        with home.stopped("pull", OTHER_EYES, at=gate) as process:
            home.run("pull", "--discard", EYES)
            gate.release()
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
        assert_is(home.row(OTHER_EYES), [files[Q8], files[MMPROJ]])
        assert EYES not in [job["target"] for job in home.unfinished()]
        assert_nothing_unexplained(home)

    def test_an_update_of_one_changes_nothing_of_the_other(self, home: Home, hub: Hub) -> None:
        """The other quantization keeps its projector, and ``verify`` reports both as good."""
        one = hub.vision(1)
        home.ok("pull", EYES)
        home.ok("pull", OTHER_EYES)
        other = home.row(OTHER_EYES)
        two = hub.vision(2)
        home.ok("pull", EYES)
        assert home.row(OTHER_EYES) == other
        assert_is(home.row(OTHER_EYES), [one[Q8], one[MMPROJ]])
        assert_is(home.row(EYES), [two[Q4], two[MMPROJ]])
        home.ok("verify")
        assert_nothing_unexplained(home)

    @pytest.mark.parametrize("first", [EYES, OTHER_EYES])
    def test_a_removal_keeps_the_projector_of_the_other(self, home: Home, hub: Hub, first: str) -> None:
        """In either order of removal."""
        files = hub.vision(1)
        home.ok("pull", EYES)
        home.ok("pull", OTHER_EYES)
        home.ok("rm", first, "--files")
        [row] = home.rows().values()
        assert_is(row, [files[Q8 if first == EYES else Q4], files[MMPROJ]])
        home.ok("verify")


class TestOrphans:
    def test_a_projector_that_is_not_wanted_any_more(self, home: Home, hub: Hub) -> None:
        """An update with ``--no-mmproj`` deletes the older projector."""
        hub.vision(1)
        home.ok("pull", EYES)
        two = hub.vision(2)
        home.ok("pull", EYES, "--no-mmproj")
        assert_is(home.row(EYES), [two[Q4]])
        found = [one.sha256 for path, one in home.file_states().items() if path.suffix == ".gguf"]
        assert found == [tiny.sha256(two[Q4])]
        assert_nothing_unexplained(home)

    def test_a_projector_that_was_renamed_upstream(self, home: Home, hub: Hub) -> None:
        """The projector of the older name is deleted."""
        one = hub.vision(1)
        home.ok("pull", EYES)
        renamed = tiny.projector("renamed")
        hub.publish(VISION, {MMPROJ: None, "mmproj-eyes-F16.gguf": renamed})
        home.ok("pull", EYES)
        assert_is(home.row(EYES), [one[Q4], renamed])
        found = sorted(one.sha256 for path, one in home.file_states().items() if path.suffix == ".gguf")
        assert found == sorted([tiny.sha256(one[Q4]), tiny.sha256(renamed)])
        assert_nothing_unexplained(home)

    def test_projectors_of_one_base_name(self, home: Home, hub: Hub) -> None:
        """``outdated`` compares a model's own projector, and not that of another folder."""
        files = {
            "a/eyes-a-Q4_K_M.gguf": tiny.model("a"),
            "a/mmproj-F16.gguf": tiny.projector("a"),
            "b/eyes-b-Q8_0.gguf": tiny.model("b"),
            "b/mmproj-F16.gguf": tiny.projector("b"),
        }
        hub.publish("ada/two-GGUF", files)
        home.ok("pull", "ada/two-GGUF:Q4_K_M")
        home.ok("pull", "ada/two-GGUF:Q8_0")
        names = list(files)
        assert_is(home.row("ada/two-GGUF:Q4_K_M"), [files[names[0]], files[names[1]]])
        assert_is(home.row("ada/two-GGUF:Q8_0"), [files[names[2]], files[names[3]]])
        import json

        said = json.loads(home.ok("outdated", "--json"))
        assert {one["model"]: one["state"] for one in said} == {
            "eyes-a-Q4_K_M": "current",
            "eyes-b-Q8_0": "current",
        }

    def test_a_name_that_means_two_unfinished_pulls(self, home: Home, hub: Hub) -> None:
        """``--discard NAME`` for two matching pulls discards neither, and says what to type."""
        for owner in ("ada", "bob"):
            hub.publish(f"{owner}/same-GGUF", {"same-Q4_K_M.gguf": tiny.model(owner)})
            gate = hub.body_gate("same-Q4_K_M.gguf", 1_500, header_bytes=tiny.SIZE_BYTES)
            with home.stopped("pull", f"{owner}/same-GGUF:Q4_K_M", at=gate):
                pass
        assert len(home.unfinished()) == 2
        sentence = home.refused("pull", "--discard", "same-Q4_K_M")
        assert "ada/same-GGUF:Q4_K_M" in sentence
        assert "bob/same-GGUF:Q4_K_M" in sentence
        assert len(home.unfinished()) == 2
        home.ok("pull", "--discard", "bob/same-GGUF:Q4_K_M")
        assert [job["target"] for job in home.unfinished()] == ["ada/same-GGUF:Q4_K_M"]

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
    def test_a_kill_leaves_nothing_that_a_discard_does_not_take(
        self, home: Home, hub: Hub, number: int
    ) -> None:
        """After a discard no draft, manifest or empty directory of the pull is left."""
        hub.vision(1)
        gate = hub.body_gate(MMPROJ, 700)
        with home.stopped("pull", EYES, at=gate, ends=number):
            pass
        home.ok("pull", "--discard", EYES)
        assert unexplained(home) == []
        assert [
            path for path in home.models.rglob("*") if path.is_dir() and not path.name.startswith(".")
        ] == []


class TestWaiting:
    def test_a_second_pull_of_the_same_shares_the_first(self, home: Home, hub: Hub) -> None:
        """Two processes pull one model: both succeed, or the second reports the running pull; one row."""
        files = hub.vision(1)
        gate = hub.body_gate(Q4, 1_500, header_bytes=tiny.SIZE_BYTES)
        with home.stopped("pull", EYES, at=gate) as first:
            second = home.start("pull", EYES)
            # Planning reads the header behind the gate, so the gate must open before the pull reaches the
            # lock.
            gate.release()
            _, errors = second.communicate(timeout=60)
            first.communicate(timeout=60)
        assert first.returncode == 0
        assert second.returncode == 0 or "Another gglib" in errors
        assert_is(home.row(EYES), [files[Q4], files[MMPROJ]])
        assert len(home.rows()) == 1
        assert_nothing_unexplained(home)
