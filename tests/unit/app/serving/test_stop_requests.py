"""How a server knows that ``gglib stop --server`` sent its SIGTERM."""

from pathlib import Path

from gglib.app.serving.stop_requests import announced_stop, take_announced_stop


def test_an_announced_stop_is_seen_once_by_its_process(tmp_path: Path) -> None:
    """Another process, or a second signal, is another cause."""
    with announced_stop(tmp_path, 12):
        assert not take_announced_stop(tmp_path, 1)
        assert take_announced_stop(tmp_path, 12)
        assert not take_announced_stop(tmp_path, 12)
    assert list(tmp_path.iterdir()) == []


def test_a_stop_that_was_not_taken_is_forgotten(tmp_path: Path) -> None:
    """By an older gglib; a later process with the same number must not see it."""
    with announced_stop(tmp_path, 12):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_written_prevents_nothing(tmp_path: Path) -> None:
    """The stop itself needs no file."""
    with announced_stop(tmp_path / "missing", 12):
        assert not take_announced_stop(tmp_path / "missing", 12)
