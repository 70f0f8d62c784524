"""The state of a file."""

import os
from pathlib import Path

from gglib.system.files.file_state import read_state


def test_state_notices_a_replacement_of_the_same_size_and_time(tmp_path: Path) -> None:
    """An editor that writes a new file and keeps its times changes the inode."""
    config, other = tmp_path / "config.toml", tmp_path / "other"
    for path in (config, other):
        path.write_text("a = 1")
        os.utime(path, ns=(5, 5))
    before = read_state(config)
    other.replace(config)
    assert read_state(config) != before
    config.unlink()
    assert read_state(config) is None
