"""A home of an older gglib keeps working: no byte moves, no row is lost, and its files are recognized as gglib's."""

from . import old_home, tiny
from .world import (
    BIG,
    BIG_MMPROJ,
    MMPROJ,
    Q4,
    Q8,
    VISION,
    Home,
    Hub,
    assert_is,
    file_state,
    files_of,
    unexplained,
)

EYES, OTHER_EYES = f"{VISION}:Q4_K_M", f"{VISION}:Q8_0"


class TestMigration:
    def test_the_rows_and_the_files_are_as_they_were(self, home: Home, hub: Hub) -> None:
        """The first command moves no byte: every file keeps its inode, time and content."""
        old_home.build(home)
        paths = [home.path / name for name in (*old_home.OWN, *old_home.USERS) if BIG not in name]
        file_states = {path: file_state(path) for path in paths}
        rows = home.rows()
        assert sorted(rows) == ["eyes-Q4_K_M", "eyes-Q8_0", "mine", "one-Q4_K_M"]
        assert (rows["eyes-Q4_K_M"]["id"], rows["eyes-Q4_K_M"]["context"]) == (1, 2048)
        assert sorted(rows["eyes-Q4_K_M"]["aliases"]) == [EYES, "eyes"]
        one = hub.vision(1)
        assert_is(rows["eyes-Q4_K_M"], [one[Q4], one[MMPROJ]])
        assert_is(rows["eyes-Q8_0"], [one[Q8], one[MMPROJ]])
        assert {path: file_state(path) for path in paths} == file_states
        home.ok("verify")

    def test_an_update_of_one_leaves_the_other_its_projector(self, home: Home, hub: Hub) -> None:
        """The older files are deleted as soon as no model uses them, and not before."""
        old_home.build(home)
        one, two = hub.vision(1), hub.vision(2)
        home.ok("pull", EYES)
        assert_is(home.row(EYES), [two[Q4], two[MMPROJ]])
        assert_is(home.row(OTHER_EYES), [one[Q8], one[MMPROJ]])
        assert not (home.path / f"models/{VISION}/eyes-Q4_K_M.gguf").exists()
        home.ok("rm", OTHER_EYES, "--files")
        assert not (home.path / f"models/{VISION}/mmproj-F16.gguf").exists()
        assert_is(home.row(EYES), [two[Q4], two[MMPROJ]])

    def test_what_is_pulled_again_is_up_to_date(self, home: Home, hub: Hub) -> None:
        """A pull of an existing model fetches nothing."""
        old_home.build(home)
        hub.vision(1)
        assert home.ok("pull", EYES).startswith("Up to date")
        assert hub.local.sent_bytes(MMPROJ) == 0

    def test_an_unfinished_pull_goes_on(self, home: Home, hub: Hub) -> None:
        """The pull is listed, and resuming it completes the model, without fetching the first shard again."""
        old_home.build(home)
        big = hub.big(1)
        assert [job["target"] for job in home.unfinished()] == [f"{BIG}:Q4_K_M"]
        home.ok("pull", f"{BIG}:Q4_K_M")
        assert_is(home.row(f"{BIG}:Q4_K_M"), [*big.values()])
        assert BIG_MMPROJ in big
        assert home.unfinished() == []

    def test_an_unfinished_pull_can_be_given_up(self, home: Home, hub: Hub) -> None:
        """A discard deletes the files of the pull, and no others."""
        hub.big(1)
        old_home.build(home)
        home.ok("pull", "--discard", f"{BIG}:Q4_K_M")
        assert home.unfinished() == []
        home.ok("prune", "--yes")
        assert sorted(home.rows()) == ["eyes-Q4_K_M", "eyes-Q8_0", "mine", "one-Q4_K_M"]
        assert not (home.models / BIG).exists()

    def test_all_of_it_can_be_deleted(self, home: Home) -> None:
        """Removals and a prune leave only the user's files."""
        old_home.build(home)
        users = {home.path / name: file_state(home.path / name) for name in old_home.USERS}
        home.ok("pull", "--discard", f"{BIG}:Q4_K_M")
        for name in list(home.rows()):
            home.ok("rm", name, "--files")
        home.ok("prune", "--yes")
        assert {path: file_state(path) for path in users} == users
        assert unexplained(home, list(users)) == []

    def test_a_moved_home_of_an_older_gglib(self, home: Home, hub: Hub) -> None:
        """A home moved before the newer gglib first opens it: its absolute paths are resolved."""
        old_home.build(home)
        moved = home.moved(home.path.with_name("moved"))
        one = hub.vision(1)
        rows = moved.rows()
        own = [path for row in rows.values() if row["is_downloaded"] for path in files_of(row)]
        assert all(path.is_relative_to(moved.path) for path in own)
        assert_is(rows["eyes-Q4_K_M"], [one[Q4], one[MMPROJ]])
        moved.ok("verify", "eyes")
        assert tiny.sha256(old_home.USERS["mine.gguf"]) == file_state(moved.path / "mine.gguf").sha256
