"""Settings and names change by field: concurrent changes of several processes are all stored."""

from pathlib import Path

import pytest

from . import tiny
from .world import Home

ROUNDS = 4


class TestAtOnce:
    @pytest.mark.parametrize("number", range(ROUNDS))
    def test_three_settings_at_once(self, home: Home, place: Path, number: int) -> None:
        """Three processes set three fields of one model: all three are stored."""
        path = place / "mine.gguf"
        path.write_bytes(tiny.model("mine"))
        home.ok("add", str(path))
        processes = [
            home.start("set", "mine", "--ctx", str(1000 + number)),
            home.start("set", "mine", "--idle-ttl", f"{number + 1}m"),
            home.start("set", "mine", "--embedding"),
        ]
        ends = [process.communicate(timeout=60) for process in processes]
        assert [process.returncode for process in processes] == [0, 0, 0], ends
        row = home.row("mine")
        assert (row["context"], row["idle_ttl_s"], row["kind"]) == (
            1000 + number,
            60.0 * (number + 1),
            "embedding",
        )

    def test_names_and_settings_at_once(self, home: Home, place: Path) -> None:
        """Aliases of one process and settings of another are both stored, over several rounds."""
        path = place / "mine.gguf"
        path.write_bytes(tiny.model("mine"))
        home.ok("add", str(path))
        for number in range(3):
            processes = [
                home.start("set", "mine", "--ctx", str(2000 + number)),
                home.start("set", "mine", "--alias", f"name-{number}"),
            ]
            for process in processes:
                process.communicate()
            assert [process.returncode for process in processes] == [0, 0]
            row = home.row("mine")
            assert (row["context"], row["aliases"]) == (2000 + number, [f"name-{number}"])

    def test_one_alias_for_two_models(self, home: Home, place: Path) -> None:
        """Two processes give two models one alias: exactly one succeeds, the other reports an error."""
        for name in ("one", "two"):
            path = place / f"{name}.gguf"
            path.write_bytes(tiny.model(name))
            home.ok("add", str(path))
        processes = [home.start("set", name, "--alias", "wanted") for name in ("one", "two")]
        ends = [process.communicate(timeout=60) for process in processes]
        assert sorted(process.returncode or 0 for process in processes) == [0, 1], ends
        assert not any("Traceback" in text for end in ends for text in end)
        assert sum(row["aliases"] == ["wanted"] for row in home.rows().values()) == 1
