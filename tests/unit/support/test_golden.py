"""Golden files: recorded, compared, and never silently accepted."""

from pathlib import Path

import pytest
from tests.support.golden import Golden, read_golden


def record(file: Path, test: str, *texts: str) -> None:
    """Record texts as the texts of a test."""
    golden = Golden(file, test, is_recording=True)
    for text in texts:
        assert golden(text)
    golden.save()


def test_recorded_texts_are_compared_in_turn(tmp_path: Path) -> None:
    """The first call compares with the first text, the second with the second; another text fails."""
    file = tmp_path / "test_it.py"
    record(file, "test_a", "one\n\ntwo\n", "three")
    golden = Golden(file, "test_a", is_recording=False)
    assert golden("one\n\ntwo")
    with pytest.raises(AssertionError, match="make golden"):
        golden("four")


def test_text_that_was_never_recorded_fails(tmp_path: Path) -> None:
    """A test whose text was forgotten cannot pass."""
    with pytest.raises(AssertionError, match="no text is recorded for test_a #1"):
        Golden(tmp_path / "test_it.py", "test_a", is_recording=False)("one")


def test_recording_replaces_only_the_texts_of_its_own_test(tmp_path: Path) -> None:
    """Texts of other tests stay, texts that the test no longer has go."""
    file = tmp_path / "test_it.py"
    record(file, "test_a", "one", "two")
    record(file, "test_b", "three")
    record(file, "test_a", "four")
    assert read_golden(tmp_path / "golden" / "test_it.txt") == {"test_a #1": "four", "test_b #1": "three"}
