"""The speed of a download."""

from gglib.library.pull.speed import WINDOW_S, Speed


def test_steady_stream_has_its_speed() -> None:
    """Bytes a second over the window, whatever came before."""
    speed = Speed()
    speed.add(0.0, 1_000_000)  # what was here already is no speed
    for tenth in range(1, 201):
        speed.add(tenth / 10, 1_000_000 + tenth * 50)
    assert speed.bytes_per_s(20.0) == 500


def test_first_block_has_no_speed() -> None:
    """One block is not enough for a speed."""
    speed = Speed()
    assert speed.bytes_per_s(0.0) is None
    speed.add(0.0, 0)
    speed.add(0.1, 64_000)
    assert speed.bytes_per_s(0.1) is None


def test_stalled_stream_slows_to_no_speed() -> None:
    """Without new bytes the speed falls, and is gone with the window."""
    speed = Speed()
    for second in range(6):
        speed.add(second, second * 1000)
    assert speed.bytes_per_s(5.0) == 1000
    slower = speed.bytes_per_s(7.0)
    assert slower is not None
    assert 0 < slower < 1000
    assert speed.bytes_per_s(5.0 + WINDOW_S + 0.1) is None


def test_restart_is_measured_anew() -> None:
    """A file that changed on the hub starts again from its beginning: no negative speed."""
    speed = Speed()
    speed.add(0.0, 9000)
    speed.add(1.0, 0)
    speed.add(2.0, 300)
    assert speed.bytes_per_s(2.0) == 300
