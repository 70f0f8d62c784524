"""``gglib backup`` and ``gglib restore`` of a whole home: catalogue, settings and request history in one archive."""

import json
import os
import shutil
import signal
import sqlite3
import stat
import tempfile
import threading
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.support.waiting import wait_until

from gglib.app.backup.manifest import FORMAT, MANIFEST_NAME
from gglib.db.history.schema import MIGRATIONS as HISTORY_MIGRATIONS
from gglib.testing import write_tiny_gguf

from .conftest import Home, Running

SETTINGS = """
# a comment that stays
default_model = "tiny"
record_bodies = true
history_days = 12

[api_keys]
alice = "sk-alice-0123456789"
"""
KEY = "sk-alice-0123456789"
OF_ONE_HOME = {"state", "edition", "home"}
"""Tables with random numbers that a restore renews, and with the identity of the home."""


@pytest.fixture(scope="module", name="original")
def make_original() -> Iterator[Home]:
    """Yield a home with two models, settings with a key, and recorded requests."""
    with tempfile.TemporaryDirectory(prefix="gg-") as name:
        home = Home(Path(name))
        home.ok("add", str(home.model_file))
        home.ok("add", str(write_tiny_gguf(home.path / "b.gguf")), "--name", "b", "--alias", "second")
        home.ok("set", "tiny", "--ctx", "512", "--alias", "first")
        home.set(SETTINGS)
        with home.serving() as server:
            for _ in range(3):
                chat(server)
            assert server.end(signal.SIGTERM) == 0
        yield home


@pytest.fixture
def full(original: Home, home: Home) -> Home:
    """Return a copy of that home."""
    shutil.copytree(
        original.path, home.path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("run", "locks")
    )
    return home


@pytest.fixture
def empty(tmp_path: Path) -> Home:
    """Return an empty home."""
    other = Home(tmp_path / "other")
    (other.path / "config.toml").unlink()
    return other


@pytest.fixture(autouse=True)
def _other_directory(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()


def chat(server: Running) -> None:
    """Send one chat."""
    body = {"model": "tiny", "messages": [{"role": "user", "content": "a secret prompt"}]}
    send(server, "/v1/chat/completions", json.dumps(body).encode())


def send(server: Running, path: str, body: bytes | None = None) -> bytes:
    """Send a request with the key, and return the body of its response."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
    request = urllib.request.Request(f"{server.url}{path}", body, headers)  # noqa: S310 - http
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        content: bytes = answer.read()
        return content


def rows(file: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of a database by table."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            table: sorted(connection.execute(f'SELECT * FROM "{table}"').fetchall(), key=repr)  # noqa: S608
            for table in tables
            if table not in OF_ONE_HOME
        }


def history_rows(home: Home) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of the history."""
    return rows(home.path / "history.db")


def test_into_an_empty_home(full: Home, empty: Home, tmp_path: Path) -> None:
    """Catalogue, settings and history are equal, row by row and byte by byte; the file is for its owner alone."""
    file = tmp_path / "backup.zip"
    output = full.ok("backup", str(file))
    assert output.startswith(
        "Wrote the catalogue with 2 models, the settings and the history of 3 requests to "
    )
    assert "It contains 3 recorded prompts with answers: '--no-history' leaves them out." in output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with zipfile.ZipFile(file) as archive:
        assert archive.namelist() == [MANIFEST_NAME, "gglib.db", "config.toml", "history.db"]
        assert json.loads(archive.read(MANIFEST_NAME))["parts"]["history"] == {
            "file": "history.db",
            "requests": 3,
            "recorded_bodies": 3,
        }
    output = empty.ok("restore", str(file))
    assert output.startswith(
        "Restored the catalogue with 2 models, the settings and the request history from "
    )
    assert rows(empty.path / "gglib.db") == rows(full.path / "gglib.db")
    assert history_rows(empty) == history_rows(full)
    assert len(history_rows(empty)["bodies"]) == 3
    assert (empty.path / "config.toml").read_bytes() == (full.path / "config.toml").read_bytes()
    for name in ("config.toml", "history.db"):
        assert stat.S_IMODE((empty.path / name).stat().st_mode) & 0o077 == 0, name
    assert not [name for name in os.listdir(empty.path) if "before-restore" in name or ".restore" in name]  # noqa: PTH208
    assert empty.ok("requests", "--json") == full.ok("requests", "--json")
    assert sorted(os.listdir(tmp_path)) == ["backup.zip", "other"]  # noqa: PTH208 - no part file is left


def test_what_is_replaced_is_kept(full: Home, tmp_path: Path) -> None:
    """Catalogue, settings and history of before stay beside the restored ones, and can be put back."""
    file = tmp_path / "backup.zip"
    full.ok("backup", str(file))
    before = (full.path / "config.toml").read_bytes()
    old_history = history_rows(full)
    full.ok("rm", "b")
    full.set("# changed")
    changed = (full.path / "config.toml").read_bytes()
    output = json.loads(full.ok("restore", str(file), "--json"))
    assert output["parts"] == ["catalog", "settings", "history"]
    assert output["models"] == ["tiny", "b"]
    assert Path(output["settings_before"]).read_bytes() == changed
    assert (full.path / "config.toml").read_bytes() == before
    assert rows(Path(output["history_before"])) == old_history == history_rows(full)
    full.ok("restore", output["before"])
    assert [model["name"] for model in json.loads(full.ok("list", "--json"))] == ["tiny"]


@pytest.mark.parametrize("part", ["catalog", "settings", "history"])
def test_one_part(full: Home, empty: Home, tmp_path: Path, part: str) -> None:
    """Only the named part is restored."""
    file = tmp_path / "backup.zip"
    full.ok("backup", str(file))
    output = json.loads(empty.ok("restore", str(file), "--only", part, "--json"))
    assert output["parts"] == [part]
    names = {"catalog": "gglib.db", "settings": "config.toml", "history": "history.db"}
    present = {name for name in names.values() if (empty.path / name).exists()}
    assert present == {names[part]}


def test_without_the_history(full: Home, empty: Home, tmp_path: Path) -> None:
    """Neither the file nor the restored home has any of it; asking for it names what there is."""
    file = tmp_path / "backup.zip"
    output = json.loads(full.ok("backup", str(file), "--no-history", "--json"))
    assert (output["parts"], output["requests"], output["recorded_bodies"]) == (
        ["catalog", "settings"],
        None,
        None,
    )
    assert empty.refused("restore", str(file), "--only", "history") == (
        f"{file} has no history: it has catalog and settings."
    )
    empty.ok("restore", str(file))
    assert not (empty.path / "history.db").exists()
    assert full.run("backup", str(file), "--no-history", "--only", "history").returncode == 2


def test_an_older_backup_has_only_the_catalogue(full: Home, tmp_path: Path) -> None:
    """A backup that is the catalogue itself restores it alone, and an archive replaces it without --force."""
    file = tmp_path / "backup.db"
    full.ok("backup", "--only", "catalog", str(file))
    assert (
        full.refused("restore", str(file), "--only", "settings") == f"{file} has no settings: it has catalog."
    )
    assert json.loads(full.ok("restore", str(file), "--json"))["parts"] == ["catalog"]
    full.ok("backup", str(file))
    full.ok("backup", "--only", "settings", str(file))
    assert zipfile.is_zipfile(file)


class TestWhileItRuns:
    def test_under_requests(self, full: Home, empty: Home, tmp_path: Path) -> None:
        """A backup that is taken while requests are served is one state of the history, and none of them fails."""
        file = tmp_path / "backup.zip"
        with full.serving() as server, requesting(server):
            for _ in range(3):
                full.ok("backup", str(file))
        empty.ok("restore", str(file))
        restored, now = history_rows(empty), history_rows(full)
        assert {row[0] for row in restored["requests"]} <= {row[0] for row in now["requests"]}
        with closing(sqlite3.connect(empty.path / "history.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            (next_id,) = connection.execute("SELECT next_id FROM state").fetchone()
            assert connection.execute("SELECT max(id) + 1 FROM requests").fetchone() == (next_id,)
        assert json.loads(empty.ok("requests", "--json")) is not None

    def test_settings_and_catalogue(self, full: Home, tmp_path: Path) -> None:
        """A running server serves the restored models and applies the restored settings; the history is refused."""
        file = tmp_path / "backup.zip"
        full.ok("backup", str(file))
        full.ok("config", "set", "history_days", "5")
        full.ok("rm", "b")
        with full.serving() as server:
            sentence = full.refused("restore", str(file))
            assert sentence == (
                "gglib runs, and writes the request history: stop it with 'gglib stop --server', or restore the rest: "
                f"'gglib restore {file} --only catalog --only settings'."
            )
            assert [model["name"] for model in json.loads(full.ok("list", "--json"))] == ["tiny"], (
                "nothing changed"
            )
            output = full.ok("restore", str(file), "--only", "catalog", "--only", "settings")
            assert "The running gglib applies the settings at once" in output
            wait_until(lambda: "history_days 5 -> 12" in (full.path / "stderr.txt").read_text())
            models = json.loads(send(server, "/v1/models"))["data"]
            assert [model["id"] for model in models] == ["tiny", "b"]


@contextmanager
def requesting(server: Running) -> Iterator[None]:
    """Send chats in the block, one after the other; raise if one of them failed."""
    is_over, failures = threading.Event(), list[BaseException]()

    def run() -> None:
        while not is_over.is_set():
            try:
                chat(server)
            except BaseException as error:  # noqa: BLE001 - raised below
                failures.append(error)
                return

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
    assert failures == []


def edited(file: Path, changes: dict[str, bytes | None], *, extra: tuple[str, bytes] | None = None) -> Path:
    """Return a copy of an archive with other members; None: without the member."""
    target = file.with_name("edited.zip")
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as copy:
        for name in source.namelist():
            content = changes.get(name, source.read(name)) if name in changes else source.read(name)
            if content is not None:
                copy.writestr(name, content)
        if extra is not None:
            copy.writestr(*extra)
    return target


def manifest_with(file: Path, **fields: object) -> bytes:
    """Return the manifest of an archive with other fields."""
    with zipfile.ZipFile(file) as archive:
        return json.dumps(json.loads(archive.read(MANIFEST_NAME)) | fields).encode()


def newer_history(file: Path) -> bytes:
    """Return the history of an archive with the number of a newer format."""
    with zipfile.ZipFile(file) as archive:
        path = Path(archive.extract("history.db", file.parent / "other"))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(HISTORY_MIGRATIONS) + 1}")
    content = path.read_bytes()
    path.unlink()
    return content


class TestFaults:
    @pytest.fixture
    def archive(self, full: Home, tmp_path: Path) -> Path:
        """Return a backup of the home."""
        full.ok("backup", str(tmp_path / "backup.zip"))
        return tmp_path / "backup.zip"

    @pytest.mark.parametrize(
        ("spoil", "reason"),
        [
            (lambda file: edited(file, {"config.toml": b"port = 'x'"}), "'port' in config.toml in "),
            (lambda file: edited(file, {"config.toml": b"colour = 1"}), "sets the unknown key 'colour'"),
            (lambda file: edited(file, {"config.toml": b"\xff"}), "is not UTF-8"),
            (lambda file: edited(file, {"config.toml": b"#" * (1 << 21)}), "config.toml is larger than"),
            (lambda file: edited(file, {"gglib.db": b"no database"}), "gglib.db in "),
            (lambda file: edited(file, {"gglib.db": b""}), "is empty"),
            (lambda file: edited(file, {"history.db": b"no database"}), "is damaged"),
            (lambda file: edited(file, {"history.db": newer_history(file)}), "newer gglib"),
            (lambda file: edited(file, {"history.db": None}), "has no history.db"),
            (lambda file: edited(file, {MANIFEST_NAME: None}), "is a zip file, but not a gglib backup"),
            (lambda file: edited(file, {MANIFEST_NAME: b"[" * 100_000}), "is damaged"),
            (
                lambda file: edited(file, {MANIFEST_NAME: manifest_with(file, format=FORMAT + 1)}),
                "was written by a newer gglib",
            ),
            (lambda file: cut(file, 0.5), "is damaged or incomplete"),
            (lambda file: cut(file, 0.99), "is damaged or incomplete"),
            (lambda file: flipped(file, "gglib.db"), "is damaged"),
            (lambda file: flipped(file, "history.db"), "is damaged"),
        ],
    )
    def test_nothing_changes(
        self, full: Home, archive: Path, spoil: Callable[[Path], Path], reason: str
    ) -> None:
        """A backup with one part that cannot be restored changes nothing; what is wrong is said in one sentence."""
        full.ok("rm", "b")
        before = {name: (full.path / name).read_bytes() for name in ("gglib.db", "config.toml", "history.db")}
        assert reason in full.refused("restore", str(spoil(archive)))
        after = {name: (full.path / name).read_bytes() for name in before}
        assert after == before
        assert not [each for each in full.path.iterdir() if "restore" in each.name]

    def test_the_rest_of_a_broken_backup(self, full: Home, archive: Path) -> None:
        """The sentence about the broken part has the command that restores the others."""
        broken = edited(archive, {"history.db": b"no database"})
        command = f"'gglib restore {broken} --only catalog --only settings'"
        assert command in full.refused("restore", str(broken))
        full.ok("restore", str(broken), "--only", "catalog", "--only", "settings")

    def test_names_of_other_places(self, full: Home, empty: Home, archive: Path, tmp_path: Path) -> None:
        """Members with paths are never written: only three names are read."""
        evil = edited(archive, {}, extra=("../../evil.txt", b"evil"))
        with zipfile.ZipFile(evil, "a") as opened:
            opened.writestr("/etc/evil.txt", b"evil")
            opened.writestr("config.toml/../evil", b"evil")
        empty.ok("restore", str(evil))
        assert not [path for path in (*tmp_path.rglob("*evil*"), *full.path.rglob("*evil*")) if path != evil]
        assert not Path("/etc/evil.txt").exists()

    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_a_name_twice(self, full: Home, archive: Path) -> None:
        """An archive in which programs could see different settings is refused."""
        evil = edited(archive, {}, extra=("config.toml", b"insecure = true"))
        assert "it has config.toml twice" in full.refused("restore", str(evil))

    @pytest.mark.parametrize("name", ["config.toml", "history.db", "history.db-wal", "gglib.db"])
    def test_own_files_are_no_target(self, full: Home, name: str) -> None:
        """A backup overwrites no file of the home, not even with --force."""
        before = (full.path / "config.toml").read_bytes(), history_rows(full)
        assert "itself" in full.refused("backup", str(full.path / name), "--force")
        assert ((full.path / "config.toml").read_bytes(), history_rows(full)) == before

    @pytest.mark.parametrize("name", ["config.toml", "history.db"])
    @pytest.mark.parametrize("only", [(), ("--only", "catalog"), ("--only", "settings")], ids=str)
    def test_links_to_own_files_are_no_target(
        self, full: Home, tmp_path: Path, name: str, only: tuple[str, ...]
    ) -> None:
        """Nor through a link, another spelling of the path, or as a catalogue alone."""
        link = tmp_path / "link.zip"
        link.symlink_to(full.path / name)
        (full.path / "logs").mkdir(exist_ok=True)
        other = f"{full.path}/logs/../{name}"
        before = (full.path / name).read_bytes()
        for target in (str(link), other, str(full.path / name)):
            assert "itself" in full.refused("backup", target, "--force", *only)
            assert (full.path / name).read_bytes() == before

    def test_a_large_catalogue(
        self, full: Home, empty: Home, archive: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What would not fit into memory, or onto the disk, is refused before it is extracted."""
        del full
        monkeypatch.setattr("gglib.app.backup.archive.MAX_CATALOG_BYTES", 1000)
        assert "gglib.db is larger than 1 kB" in empty.refused("restore", str(archive))
        monkeypatch.setattr("gglib.app.backup.archive._WRITTEN", 1 << 50)
        sentence = empty.refused("restore", str(archive), "--only", "history")
        assert "for its history" in sentence
        assert sentence.endswith(f"are free in {empty.path}: free some space.")
        assert not (empty.path / "history.db").exists()

    def test_a_failure_in_the_middle(
        self, full: Home, archive: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sentence has the parts that are restored, and the files with their previous content."""

        def no_room(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("gglib.app.backup.restoring.restore", no_room)
        sentence = full.refused("restore", str(archive))
        assert "No space left on device; restored before that: history (the previous content is " in sentence
        assert len(list(full.path.glob("history.db.before-restore-*"))) == 1

    def test_a_history_that_does_not_fit(
        self, full: Home, archive: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The history is as before, and no second copy of it takes the room that is missing."""

        def no_room(*_: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        before = history_rows(full)
        monkeypatch.setattr("gglib.db.history.backup._replace_rows", no_room)
        full.refused("restore", str(archive), "--only", "history")
        assert history_rows(full) == before
        assert not list(full.path.glob("*before-restore*"))

    @pytest.mark.parametrize(("mode", "after"), [(0o644, 0o640), (0o600, 0o600)])
    def test_restored_keys_are_not_for_everybody(
        self, full: Home, empty: Home, archive: Path, mode: int, after: int
    ) -> None:
        """Settings without keys may be readable by all users; restored ones, which have keys, are not."""
        del full
        config = empty.path / "config.toml"
        config.write_text("# no keys\n")
        config.chmod(mode)
        output = json.loads(empty.ok("restore", str(archive), "--only", "settings", "--json"))
        assert KEY in config.read_text()
        assert stat.S_IMODE(config.stat().st_mode) == after
        assert stat.S_IMODE(Path(output["settings_before"]).stat().st_mode) == 0o600

    def test_another_zip_is_kept(self, full: Home, tmp_path: Path) -> None:
        """A zip file of another program is overwritten only with --force."""
        file = tmp_path / "photos.zip"
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("photo.jpg", b"x")
        assert "overwrite it with --force" in full.refused("backup", str(file))
        assert full.refused("restore", str(file)) == (
            f"{file} is a zip file, but not a gglib backup: name another file."
        )
        full.ok("backup", str(file), "--force")
        full.ok("restore", str(file))


def cut(file: Path, share: float) -> Path:
    """Return a copy of the first part of a file."""
    content = file.read_bytes()
    target = file.with_name("cut.zip")
    target.write_bytes(content[: int(len(content) * share)])
    return target


def flipped(file: Path, name: str) -> Path:
    """Return a copy with changed bytes in the middle of a member."""
    with zipfile.ZipFile(file) as archive:
        info = archive.getinfo(name)
        at = info.header_offset + 60 + info.compress_size // 2
    content = bytearray(file.read_bytes())
    content[at : at + 8] = bytes(byte ^ 0xFF for byte in content[at : at + 8])
    target = file.with_name("flipped.zip")
    target.write_bytes(content)
    return target


def test_a_full_disk_leaves_nothing(full: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the archive cannot be completed, the older backup stays, and no part of the new one."""
    file = tmp_path / "backup.zip"
    full.ok("backup", str(file))
    content = file.read_bytes()

    def no_room(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gglib.app.backup.writing.sync", no_room)
    assert full.refused("backup", str(file)) == (
        f"{file} cannot be written (No space left on device): name another file."
    )
    assert file.read_bytes() == content
    assert sorted(os.listdir(tmp_path)) == ["backup.zip", "other"]  # noqa: PTH208


def test_a_kill_leaves_no_litter_for_good(full: Home, tmp_path: Path) -> None:
    """What a killed backup has left is deleted by a later one, unless it is young or in use."""
    old, young = tmp_path / ".backup.zip.part-old", tmp_path / ".backup.zip.part-young"
    for left in (old, young):
        left.mkdir()
        (left / "gglib.db").write_bytes(b"x")
    os.utime(old, (1, 1))
    full.ok("backup", str(tmp_path / "backup.zip"))
    assert not old.exists()
    assert young.exists()


def test_a_damaged_history_is_set_aside(full: Home, empty: Home, tmp_path: Path) -> None:
    """A restore replaces a history that SQLite cannot read, and keeps its file."""
    file = tmp_path / "backup.zip"
    full.ok("backup", str(file))
    (empty.path / "history.db").write_bytes(b"no database" * 1000)
    output = json.loads(empty.ok("restore", str(file), "--only", "history", "--json"))
    assert Path(output["history_before"]).read_bytes() == b"no database" * 1000
    assert history_rows(empty) == history_rows(full)


def test_a_foreign_history_is_kept(full: Home, empty: Home, tmp_path: Path) -> None:
    """A database of another program in the place of the history is not touched."""
    file = tmp_path / "backup.zip"
    full.ok("backup", str(file))
    with closing(sqlite3.connect(empty.path / "history.db")) as connection:
        connection.execute("CREATE TABLE bookmarks (url)")
    assert "belongs to another program" in empty.refused("restore", str(file), "--only", "history")
    assert "bookmarks" in rows(empty.path / "history.db")
