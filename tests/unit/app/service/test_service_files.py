"""Files of a service are written and removed, never those of others."""

from pathlib import Path

import pytest

from gglib.app.service.files import installed_names, remove_files, require_own, write_files
from gglib.app.service.plan import ServiceFile
from gglib.core.errors import InvalidSettingError

NAMES = ("a.service", "a.socket", "b.socket")
BOTH = (ServiceFile("a.service", "[Unit]\n"), ServiceFile("a.socket", "[Socket]\n"))


def test_what_changed_is_written_and_what_is_gone_is_removed(tmp_path: Path) -> None:
    """In a new directory, readable for others."""
    directory = tmp_path / "systemd/user"
    assert write_files(directory, BOTH, NAMES) == ("a.service", "a.socket")
    assert (directory / "a.service").stat().st_mode & 0o777 == 0o644
    assert write_files(directory, BOTH, NAMES) == ()
    assert write_files(directory, BOTH[:1], NAMES) == ("a.socket",)
    assert installed_names(directory, NAMES) == ("a.service",)
    require_own(directory, NAMES)
    remove_files(directory, NAMES)
    assert list(directory.iterdir()) == []


def test_a_file_that_another_installation_has_removed_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the check and the removal."""
    write_files(tmp_path, BOTH, NAMES)
    unlink = Path.unlink

    def unlink_twice(path: Path, *, missing_ok: bool = False) -> None:
        unlink(path)
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink_twice)
    assert write_files(tmp_path, BOTH[:1], NAMES) == ("a.socket",)
    assert [path.name for path in tmp_path.iterdir()] == ["a.service"]


@pytest.mark.parametrize("kind", ["foreign", "changed", "mask", "bytes", "directory"])
def test_files_of_others_stay_and_nothing_is_written(tmp_path: Path, kind: str) -> None:
    """Neither beside one that gglib did not write, nor one that was changed, nor a mask (a link to /dev/null)."""
    path = tmp_path / "a.socket"
    if kind == "changed":
        write_files(tmp_path, BOTH[1:], NAMES)
        path.write_text(f"{path.read_text()}Backlog=1\n")
    elif kind == "mask":
        path.symlink_to("/dev/null")
    elif kind == "directory":
        path.mkdir()
    else:
        path.write_bytes(b"\xff" if kind == "bytes" else b"[Socket]\n")
    expected = (
        "changed since: move it away and put your changes" if kind == "changed" else "not written by gglib"
    )
    with pytest.raises(InvalidSettingError, match=expected):
        write_files(tmp_path, BOTH, NAMES)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.socket"]
    with pytest.raises(InvalidSettingError):
        require_own(tmp_path, NAMES)
