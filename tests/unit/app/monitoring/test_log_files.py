"""The names of logs and their paths."""

import os
from pathlib import Path

import pytest

from gglib.app.monitoring.log_files import find_logs, log_path
from gglib.core.errors import LogNotFoundError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gglib", "gglib.log"),
        ("engine:tiny", "engines/tiny.log"),
        ("engine:Org/coder:Q4", "engines/Org_coder_Q4.log"),
        ("engine:../../etc/passwd", "engines/.._.._etc_passwd.log"),
        ("engine:..", "engines/...log"),
        ("engine:a\x00b", "engines/a_b.log"),
    ],
)
def test_a_log_is_in_the_directory_of_logs(tmp_path: Path, name: str, expected: str) -> None:
    """No name of a model leads out of it."""
    path = log_path(tmp_path, name)
    assert path == tmp_path / expected
    assert path.resolve().is_relative_to(tmp_path.resolve())


@pytest.mark.parametrize(
    "name",
    ["", "tiny", "engine:", "gglib.log", "gglib.log.1", "../config.toml", "/etc/passwd", "GGLIB", ".."],
)
def test_other_names_are_unknown(tmp_path: Path, name: str) -> None:
    """Neither paths nor rotated files."""
    with pytest.raises(LogNotFoundError):
        log_path(tmp_path, name)


def test_logs_that_exist_are_listed(tmp_path: Path) -> None:
    """With the names of the catalogue; a log of a removed model has the name of its file; only regular files count."""
    engines = tmp_path / "engines"
    engines.mkdir()
    (tmp_path / "gglib.log").write_text("12345\n")
    (engines / "Org_coder.log").write_text("1\n")
    (engines / "gone.log").touch()
    (engines / "gone.log.1").touch()
    (engines / "dir.log").mkdir()
    os.mkfifo(engines / "fifo.log")
    Path(os.fsdecode(os.fsencode(engines) + b"/\xff.log")).touch()
    os.utime(engines / "gone.log", (5, 7.9))
    logs = find_logs(tmp_path, ["Org/coder", "never-loaded"])
    assert [(log.name, log.kind, log.model, log.size_bytes) for log in logs] == [
        ("gglib", "gglib", None, 6),
        ("engine:Org/coder", "engine", "Org/coder", 2),
        ("engine:gone", "engine", None, 0),
    ]
    assert logs[-1].modified_at == 7


def test_a_new_home_has_no_logs(tmp_path: Path) -> None:
    """Nor directories."""
    assert find_logs(tmp_path / "logs", ["tiny"]) == ()
