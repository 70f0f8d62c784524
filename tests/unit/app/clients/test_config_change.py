"""Configuration files on the disk: links, modes, backups, and other programs that write them too."""

import json
import stat
from pathlib import Path

import pytest

from gglib.app.clients.client import ConfigFile, ConfigFormat
from gglib.app.clients.config_change import ConfigChange, plan_change, write_change
from gglib.core.errors import GglibError


def file_at(path: Path) -> ConfigFile:
    """Return one value for a JSON file."""
    return ConfigFile(path=path, format=ConfigFormat.JSON, values={"n": 2})


def mode(path: Path) -> int:
    """Return the permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_and_its_directories_are_for_the_owner(tmp_path: Path) -> None:
    """All missing directories, and no backup of nothing."""
    path = tmp_path / "a" / "b" / "settings.json"
    change = plan_change(file_at(path))
    assert (change.before, change.is_needed) == (None, True)
    assert not path.parent.exists()
    assert write_change(change) is None
    assert json.loads(path.read_text()) == {"n": 2}
    assert [mode(place) for place in (path, path.parent, path.parent.parent)] == [0o600, 0o700, 0o700]
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_the_diff_names_the_file_and_both_versions(tmp_path: Path) -> None:
    """A unified diff, from /dev/null for a new file."""
    path = tmp_path / "s.json"
    assert plan_change(file_at(path)).diff().splitlines()[:2] == ["--- /dev/null", f"+++ {path}"]
    path.write_text('{\n  "a": 1\n}\n')
    assert plan_change(file_at(path)).diff().splitlines() == [
        *(f"--- {path}", f"+++ {path}", "@@ -1,3 +1,4 @@", " {"),
        *('-  "a": 1', '+  "a": 1,', '+  "n": 2', " }"),
    ]


def test_an_existing_file_keeps_its_mode_and_has_a_backup(tmp_path: Path) -> None:
    """Each change has a backup of its own; a file that has the values is not written."""
    path = tmp_path / "s.json"
    path.write_text('{"n": 1}')
    path.chmod(0o640)
    backup = write_change(plan_change(file_at(path)))
    assert backup == tmp_path / "s.json.gglib-backup"
    assert (backup.read_text(), mode(backup), mode(path)) == ('{"n": 1}', 0o640, 0o640)
    assert not plan_change(file_at(path)).is_needed
    path.write_text('{"n": 3}')
    assert write_change(plan_change(file_at(path))) == tmp_path / "s.json.gglib-backup-2"
    assert backup.read_text() == '{"n": 1}'


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """Users keep their configuration elsewhere, and link it; the target may not exist yet."""
    for content in ('{"n": 1}', None):
        target, link = tmp_path / f"t{content}" / "t.json", tmp_path / f"link{content}.json"
        target.parent.mkdir()
        if content is not None:
            target.write_text(content)
        link.symlink_to(target)
        backup = write_change(plan_change(file_at(link)))
        assert link.is_symlink()
        assert json.loads(target.read_text()) == {"n": 2}
        assert (backup is None) == (content is None)


@pytest.mark.parametrize("before", [None, '{"n": 1}'])
def test_a_change_of_another_program_is_not_lost(tmp_path: Path, before: str | None) -> None:
    """Between the diff and the answer the client itself may write its file."""
    path = tmp_path / "s.json"
    if before is not None:
        path.write_text(before)
    change = plan_change(file_at(path))
    path.write_text('{"n": 7}')
    with pytest.raises(GglibError, match="changed by another program"):
        write_change(change)
    assert path.read_text() == '{"n": 7}'
    assert [found.name for found in tmp_path.iterdir()] == ["s.json"]


def test_an_empty_file_is_no_missing_file(tmp_path: Path) -> None:
    """It has a backup, and may be removed meanwhile."""
    path = tmp_path / "s.json"
    path.touch()
    change = plan_change(file_at(path))
    assert change.before == ""
    path.unlink()
    with pytest.raises(GglibError, match="changed by another program"):
        write_change(change)
    path.touch()
    assert write_change(change) is not None


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"{", "it is not JSON: line 1"), (b"\xff", "it is not UTF-8"), (b"[]", "the file is not an object")],
)
def test_a_broken_file_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    """With the path, the reason, and what to do."""
    path = tmp_path / "s.json"
    path.write_bytes(content)
    with pytest.raises(GglibError) as caught:
        plan_change(file_at(path))
    assert str(caught.value) == f"{path} cannot be changed ({reason}): add the settings by hand."
    assert path.read_bytes() == content


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """Read-only ones, directories in its place, and files in the place of its directory."""
    path = tmp_path / "s.json"
    path.write_text("{}")
    path.chmod(0o400)
    with pytest.raises(GglibError, match="it is read-only"):
        plan_change(file_at(path))
    (tmp_path / "d.json").mkdir()
    with pytest.raises(GglibError, match="cannot be changed"):
        plan_change(file_at(tmp_path / "d.json"))
    with pytest.raises(GglibError, match="cannot be changed"):
        write_change(ConfigChange(path=path / "x.json", before=None, after="{}"))


def test_a_directory_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The backup is the first that fails, and the file keeps its content."""
    path = tmp_path / "s.json"
    path.write_text("{}")
    change = plan_change(file_at(path))

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr("gglib.app.clients.config_change.os.open", refuse)
        with pytest.raises(GglibError, match="Permission denied"):
            write_change(change)
    assert path.read_text() == "{}"
    assert [found.name for found in tmp_path.iterdir()] == ["s.json"]
