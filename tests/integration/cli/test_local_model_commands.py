"""verify, rm --files, import, list and show on local models."""

import asyncio
import hashlib
import json
import os
import pty
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.preloaded import GGLIB, PreloadedProcess
from tests.support.waiting import LIMIT_S, is_asleep, wait_until

from gglib.core.models import ModelSource, NewModel
from gglib.core.versions import FileRole, NewVersion, OwnFile
from gglib.db import SqliteCatalog
from gglib.gguf import read_model
from gglib.library.versions.ownership import identity_of
from gglib.testing import LocalHub, write_tiny_gguf

from .conftest import Done, Home

REPO = "ada/coder-GGUF"


def pulled(home: Home, name: str = "coder", *, sha256: str | None = None) -> Path:
    """Create a model as a pull of an older gglib left it: its file inside ``models/``, its version and row."""
    path = home.path / "models" / REPO / f"{name}.gguf"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tiny_gguf(path, seed=len(name))
    files = read_model(path)
    identity = identity_of(path)
    assert identity is not None
    source = ModelSource(origin="hub", repo=REPO, revision="f" * 40, file=path.name, sha256=sha256)
    own = OwnFile(path=path, role=FileRole.MODEL, name=path.name, identity=identity, sha256=sha256)
    model = NewModel(
        name=name,
        paths=files.paths,
        size_bytes=files.size_bytes,
        facts=files.facts,
        source=source,
        hashes=(sha256,),
    )

    async def add() -> None:
        async with SqliteCatalog(home.path / "gglib.db") as catalog:
            await catalog.install_version(NewVersion(directory=None, source=source, files=(own,)), model)

    asyncio.run(add())
    return path


def on_a_terminal(home: Home, *arguments: str, answer: str) -> tuple[int, str]:
    """Run a command on a terminal of 80 columns, type an answer, and return its exit code and its output."""
    terminal, end = pty.openpty()
    process = PreloadedProcess(
        [*GGLIB, *arguments],
        stdin=end,
        stdout=end,
        stderr=end,
        env=home.environment | {"TERM": "dumb", "COLUMNS": "80", "LINES": "40"},
    )
    os.close(end)
    os.write(terminal, f"{answer}\n".encode())
    shown = b""
    try:
        while content := os.read(terminal, 65536):
            shown += content
    except OSError:  # EIO: Linux, when the other end of the terminal is closed
        pass
    finally:
        os.close(terminal)
    return process.wait(LIMIT_S), shown.decode().replace("\r\n", "\n")


class TestVerify:
    def test_a_damaged_file_is_one_line_and_exit_code_1(self, home: Home) -> None:
        """Each file has one line; the line of a damaged file says what to do."""
        import hashlib

        path = pulled(home, sha256="a" * 64)
        good = hashlib.sha256(path.read_bytes()).hexdigest()
        pulled(home, "fine", sha256=hashlib.sha256(write_copy(home, "fine").read_bytes()).hexdigest())
        done = home.run("verify")
        assert done.returncode == 1
        assert done.stdout.splitlines() == [
            f"coder: coder.gguf is damaged or was changed: 'gglib pull {REPO}/coder.gguf' downloads it again.",
            "fine: fine.gguf matches its source.",
        ]
        assert home.ok("verify", "fine") == "fine: fine.gguf matches its source.\n"
        (output,) = json.loads(home.run("verify", "coder", "--json").stdout)
        assert (output["verdict"], output["expected_sha256"], output["found_sha256"]) == (
            "differs",
            "a" * 64,
            good,
        )

    def test_a_file_that_is_gone_fails(self, home: Home) -> None:
        """A model without its file fails the verification."""
        pulled(home, sha256="a" * 64).unlink()
        done = home.run("verify")
        assert (done.returncode, "is missing" in done.stdout) == (1, True)

    def test_a_file_of_unknown_right_is_remembered_when_asked(self, stocked: Home) -> None:
        """Without a known hash verify prints the computed one; ``--remember`` stores it for the next comparison."""
        output = stocked.ok("verify")
        assert "no expected hash is known" in output
        assert "'gglib verify --remember'" in output
        assert "Stored the computed hashes of 1 model." in stocked.ok("verify", "--remember")
        assert stocked.ok("verify") == "tiny: tiny.gguf matches its source.\n"
        with stocked.model_file.open("ab") as file:
            file.write(b"!")
        assert "restore the file, or remove the model" in stocked.run("verify").stdout


def write_copy(home: Home, name: str) -> Path:
    """Write the same file as ``pulled``, in another place."""
    return write_tiny_gguf(home.path / f"copy-of-{name}", seed=len(name))


class TestRemove:
    def test_files_are_deleted_and_counted(self, home: Home) -> None:
        """``--files`` deletes the files and prints the freed size; without it the file stays."""
        path = pulled(home)
        other = pulled(home, "other")
        assert home.ok("rm", "coder", "--files") == "Removed 'coder' and freed 520 kB of disk.\n"
        assert not path.exists()
        assert "Its file stays" in home.ok("rm", "other")
        assert other.exists()

    def test_a_file_of_the_users_own_stays(self, stocked: Home) -> None:
        """A file that gglib did not download is kept, and the output says so."""
        output = stocked.ok("rm", "tiny", "--files").splitlines()
        assert output == [
            "Removed 'tiny'; no file was deleted.",
            f"Keeps {stocked.model_file}: gglib did not download it.",
        ]
        assert stocked.model_file.exists()

    def test_a_terminal_is_asked(self, home: Home) -> None:
        """On a terminal the files are listed and the user confirms; "no" cancels, and --yes skips the prompt."""
        path = pulled(home)
        code, shown = on_a_terminal(home, "rm", "coder", "--files", answer="n")
        assert (code, path.exists()) == (1, True)
        assert f"Deletes {path}" in shown
        code, shown = on_a_terminal(home, "rm", "coder", "--files", answer="y")
        assert (code, path.exists()) == (0, False)
        path = pulled(home)
        code, shown = on_a_terminal(home, "rm", "coder", "--files", "--yes", answer="")
        assert (code, path.exists(), "Deletes" in shown) == (0, False, False)

    def test_a_terminal_is_asked_about_a_beginning_and_about_several(self, home: Home) -> None:
        """The question has whole names, also where the files stay."""
        paths = [pulled(home, name) for name in ("coder", "chat1")]
        code, shown = on_a_terminal(home, "rm", "cod", answer="n")
        assert (code, "Remove 'coder'? [y/N]" in shown, "Deletes" in shown) == (1, True, False)
        code, shown = on_a_terminal(home, "rm", "chat1", "cod", "--files", answer="y")
        assert (code, [path.exists() for path in paths]) == (0, [False, False])
        assert "Remove 'chat1', 'coder'? [y/N]" in shown
        assert "Freed 1 MB of disk in total." in shown or "Freed 2 MB of disk in total." in shown

    def test_ctrl_c_at_the_question_ends_it(self, home: Home) -> None:
        """One Ctrl-C cancels: nothing is removed."""
        path = pulled(home)
        terminal, end = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "gglib", "rm", "coder", "--files"],
            stdin=end,
            stdout=end,
            stderr=end,
            env=home.environment | {"TERM": "dumb"},
        )
        os.close(end)
        shown = b""
        try:
            while b"Remove 'coder'? [y/N]: " not in shown:
                shown += os.read(terminal, 65536)
            wait_until(lambda: is_asleep(process.pid))  # it reads: earlier, C code could miss the signal
            process.send_signal(signal.SIGINT)
            assert process.wait(LIMIT_S) == 1
        finally:
            process.kill()
            process.wait()
            os.close(terminal)
        assert path.exists()
        assert "coder" in home.ok("list")

    def test_retained_files_are_listed_with_the_command_that_deletes_them(self, home: Home) -> None:
        """``rm`` without ``--files`` lists the downloaded files that stay, with the command that deletes them."""
        path = pulled(home)
        assert home.ok("rm", "coder").splitlines() == [
            f"Removed 'coder'. Its file stays: {path}",
            "'gglib prune' deletes it now; 'gglib rm --files' deletes the files with the model.",
        ]
        home.ok("add", str(home.model_file))
        assert home.ok("rm", "tiny") == f"Removed 'tiny'. Its file stays: {home.model_file}\n"

    def test_a_model_in_memory_frees_its_disk_later(self, home: Home) -> None:
        """The server deletes the files of a loaded model after the unload, and rm prints that."""
        from gglib.app.settings import load_settings
        from gglib.cli.server.instance import require_endpoint

        path = pulled(home)
        with home.serving():
            endpoint = require_endpoint(load_settings({"home": str(home.path)}, {}))
            from gglib.cli.server.client import post_json

            body = {"model": "coder", "messages": [{"role": "user", "content": "hi"}]}
            post_json(endpoint, "/v1/chat/completions", body)
            output = home.ok("rm", "coder", "--files")
            wait_until(lambda: not path.exists())
        assert "loaded by the running gglib (ready)" in output
        assert "freed when it is unloaded" in output


def on_a_full_disk(home: Home, *arguments: str) -> Done:
    """Run a command with the home on a disk without a free byte, and list the files that are there afterwards.

    The disk is a copy of the home, in a mount namespace, and filled up.
    """
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare to mount a small disk")
    copy = home.path.with_name(f"{home.path.name}-copy")
    home.path.rename(copy)
    home.path.mkdir()
    gglib = shlex.join([sys.executable, "-m", "gglib", *arguments])
    script = f"""
        mount -t tmpfs -o size=8m none {home.path} || exit 77
        cp -a {copy}/. {home.path}
        cat /dev/zero > {home.path}/filler 2>/dev/null
        {gglib}
        code=$?
        find {home.path} -type f -printf '%P\\n'
        exit $code
    """
    try:
        done = subprocess.run(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
            env=home.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        home.path.rmdir()
        copy.rename(home.path)
    if done.returncode == 77:
        pytest.skip("this machine lets nobody mount a small disk")
    return Done(done.returncode, done.stdout, done.stderr)


class TestFullDisk:
    def test_a_removal_makes_room(self, home: Home) -> None:
        """On a disk without a free byte row and file are removed, without a leftover manifest or crash report."""
        # On another file system the inode differs, so the content identifies the owner of a file.
        scratch = write_tiny_gguf(home.path.with_name("scratch.gguf"), seed=len("coder"))
        pulled(home, sha256=hashlib.sha256(scratch.read_bytes()).hexdigest())
        scratch.unlink()
        assert home.run("list").returncode == 0
        done = on_a_full_disk(home, "rm", "coder", "--files")
        assert done.stderr == ""
        output, *files = done.stdout.splitlines()
        assert output == "Removed 'coder' and freed 520 kB of disk."
        kept = [name for name in files if name.startswith(("models/", "logs/"))]
        assert kept == ["models/.home"]


def without_privileges(home: Home, *arguments: str) -> Done:
    """Run a command as an unprivileged user, also when root, which bypasses permissions, runs the tests."""
    program = [sys.executable, "-m", "gglib", *arguments]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv to take root's privileges away")
        program = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *program]
    done = subprocess.run(
        program, env=home.environment, capture_output=True, text=True, timeout=60, check=False
    )
    return Done(done.returncode, done.stdout, done.stderr)


class TestForbidden:
    @pytest.fixture(name="closed", params=["models/ada/coder-GGUF", "models"])
    def make_closed(self, home: Home, request: pytest.FixtureRequest) -> Iterator[Path]:
        """Return the path of a model in, or below, a directory without search permission."""
        path = pulled(home)
        directory = home.path / str(request.param)
        directory.chmod(0)
        yield path
        directory.chmod(0o700)

    def test_a_file_in_an_inaccessible_directory_is_reported(self, home: Home, closed: Path) -> None:
        """Commands that show the model report that its file is inaccessible and what to do; others work."""
        for arguments in (("show", "coder"), ("doctor",), ("list",)):
            done = without_privileges(home, *arguments)
            assert "Internal error" not in done.stderr
            assert "Errno" not in done.stdout
        assert (
            f"{closed}  (not accessible: grant this user" in without_privileges(home, "show", "coder").stdout
        )
        assert "cannot search: fix their permissions" in without_privileges(home, "doctor").stdout

    @pytest.mark.usefixtures("closed")
    def test_models_are_listed(self, home: Home) -> None:
        """The total counts the readable files; gglib's manifests of its own files are unreadable."""
        done = without_privileges(home, "list")
        assert (done.returncode, len(done.stdout.splitlines())) == (0, 2)
        assert done.stderr == "1 model, 0 MB on disk, 0 MB of that managed by gglib.\n"

    def test_it_is_not_deleted(self, home: Home, closed: Path) -> None:
        """``rm --files`` keeps a file that it cannot read, and prints that."""
        done = without_privileges(home, "rm", "coder", "--files")
        assert f"Keeps {closed}: it cannot be read" in done.stdout or "leave --files out" in done.stderr

    def test_a_folder(self, home: Home, closed: Path) -> None:
        """An unreadable folder is listed as unreadable, or refused in one sentence."""
        for folder in (closed.parent, home.path / "models"):
            done = without_privileges(home, "import", str(folder))
            assert "Permission denied" in done.stdout or "is not a readable directory" in done.stderr


class TestImport:
    @pytest.fixture(name="folder")
    def make_folder(self, home: Home) -> Path:
        """Return a folder with a model and a file that is not a model."""
        folder = home.path / "elsewhere"
        folder.mkdir()
        write_tiny_gguf(folder / "found.gguf", seed=9)
        (folder / "broken.gguf").write_bytes(b"no")
        return folder

    def test_nothing_is_added_without_a_word(self, home: Home, folder: Path) -> None:
        """A dry run shows the list; without a terminal the error says how to add the models."""
        output = home.ok("import", str(folder), "--dry-run")
        assert f"Skipped: {folder}/broken.gguf" in output
        assert "found" in output
        assert f"'gglib import --yes {folder}' adds this model" in home.refused("import", str(folder))
        (broken, found) = json.loads(home.ok("import", str(folder), "--json"))
        assert (broken["state"], found["state"], found["path"]) == (
            "skipped",
            "new",
            f"{folder}/found.gguf",
        )
        assert json.loads(home.ok("list", "--json")) == []

    def test_yes_adds_it_in_place(self, home: Home, folder: Path) -> None:
        """The model is in the catalogue, its file stays in place; the next import lists it as known."""
        assert "Added 'found'." in home.ok("import", str(folder), "--yes")
        (model,) = json.loads(home.ok("list", "--json"))
        assert model["paths"] == [f"{folder}/found.gguf"]
        assert not model["is_downloaded"]
        again = home.ok("import", str(folder))
        assert f"Already added: {folder}/found.gguf is 'found'." in again
        assert "No new models" in again

    def test_a_terminal_is_asked(self, home: Home, folder: Path) -> None:
        """On a terminal the list comes first, then the prompt."""
        code, shown = on_a_terminal(home, "import", str(folder), answer="n")
        assert code == 0
        assert "Add this model" in shown
        assert json.loads(home.ok("list", "--json")) == []
        code, shown = on_a_terminal(home, "import", str(folder), answer="y")
        assert "Added 'found'." in shown

    def test_who_watches_sees_what_is_looked_at(self, home: Home, folder: Path) -> None:
        """A terminal on stderr shows the progress of the scan; stdout has the usual list, and JSON is valid."""
        with home.watched("import", str(folder), "--json") as watched:
            printed = watched.end()
        assert len(json.loads(printed)) == 2
        assert "Reading found.gguf ..." in watched.seen

    def test_an_unknown_place_is_one_sentence(self, home: Home, tmp_path: Path) -> None:
        """For an unknown place the error lists the supported ones."""
        assert "hf, ollama, lm-studio" in home.refused("import", str(tmp_path / "missing"))


class TestHostileNames:
    """A file name may contain terminal escape sequences; no command prints them raw."""

    NAME = "a\x1b[2J\nb.gguf"
    HARMLESS = "a\\x1b[2J\\nb.gguf"

    @pytest.fixture(name="hostile")
    def make_hostile(self, home: Home) -> Path:
        """Return a model file with a hostile name, beside a broken file."""
        folder = home.path / "elsewhere"
        folder.mkdir()
        (folder / f"broken-{self.NAME}").write_bytes(b"no")
        return write_tiny_gguf(folder / self.NAME, seed=9)

    def test_they_are_shown_escaped(self, home: Home, hostile: Path) -> None:
        """No command prints an escape or a line feed of the name; JSON has the name in full."""
        output = home.ok("import", str(hostile.parent), "--yes")
        output += home.ok("import", str(hostile.parent))
        (name,) = (model["name"] for model in json.loads(home.ok("list", "--json")))
        output += home.ok("show", name) + home.ok("verify", name)
        assert json.loads(home.ok("show", name, "--json"))["paths"] == [str(hostile)]
        output += home.ok("rm", name, "--files")
        home.ok("import", str(hostile.parent), "--yes")
        output += home.ok("rm", name)
        assert output.replace("\n", "").isprintable()
        assert output.count(self.HARMLESS) >= 8
        assert not [line for line in output.splitlines() if line.startswith("b.gguf")]


class TestOutdated:
    def test_the_hub_is_asked(self, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        """An outdated model is listed with its update command; unchanged and the user's own models are counted."""
        pulled(home, sha256="a" * 64)
        home.ok("add", str(home.model_file))
        with LocalHub() as hub:
            hub.add_repository(REPO, {"coder.gguf": b"GGUF newer"})
            monkeypatch.setenv("HF_ENDPOINT", hub.url)
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
            output = home.ok("outdated")
            (one,) = json.loads(home.ok("outdated", "--json"))
        assert f"coder: {REPO} has a newer coder.gguf" in output
        assert f"Update: gglib pull {REPO}/coder.gguf" in output
        assert "1 model has no source to compare with." in output
        assert (one["state"], one["changes"][0]["old_sha256"]) == ("changed", "a" * 64)

    def test_a_hub_that_cannot_be_asked(self, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a network each model is reported as not checked, and the exit code is 1."""
        pulled(home, sha256="a" * 64)
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        done = home.run("outdated")
        assert done.returncode == 1
        assert "could not be compared" in done.stdout


class TestListing:
    def test_a_version_and_what_is_shared_are_shown(self, home: Home) -> None:
        """``show`` prints the commit of the files, their number, and the other model that shares them."""
        path = pulled(home)
        os.link(path, home.path / "twin.gguf")
        home.ok("add", str(home.path / "twin.gguf"))
        shown = home.ok("show", "coder").splitlines()
        assert f"Revision:     {'f' * 40}" in shown
        assert "Version:      1 file, 520 kB" in shown
        assert f"File:         {path}  (shared with twin)" in shown
        assert home.run("list").stderr == (
            "2 models, 520 kB on disk, 520 kB of that managed by gglib. "
            "520 kB are shared between models and counted once.\n"
        )

    def test_a_model_without_its_file_is_named(self, home: Home) -> None:
        """Below the list, with the command that says what to do."""
        path = home.path / "own.gguf"
        write_tiny_gguf(path)
        home.ok("add", str(path))
        path.unlink()
        note = home.run("list").stderr.splitlines()[-1]
        assert note.startswith("Files are missing of: own. '")
        assert note.endswith(" doctor' says how to restore them.")

    def test_what_is_known_is_shown(self, home: Home) -> None:
        """``list`` shows size, source and last use; ``show`` adds revision, hash and template."""
        pulled(home, sha256="a" * 64)
        table = home.ok("list")
        assert {"SIZE", "QUANT", "CONTEXT", "SOURCE", "USED", "STATE"} <= set(table.split())
        assert REPO in table
        shown = home.ok("show", "coder")
        assert f"Source:       {REPO}\n" in shown
        assert f"Revision:     {'f' * 40}\n" in shown
        assert f"SHA-256:      {'a' * 64}\n" in shown
        assert "Template:" in shown

    def test_a_terminal_of_80_columns_is_enough(self, home: Home) -> None:
        """With a long name and a long source the columns that fit are shown, and the name is whole."""
        name = "Qwen3-Coder-30B-A3B-Instruct-UD-Q4_K_XL-with-a-long-name"
        pulled(home, name)
        code, shown = on_a_terminal(home, "list", answer="")
        lines = [line for line in shown.splitlines() if line]
        assert code == 0
        assert max(map(len, lines)) <= 80
        assert {"NAME", "SIZE", "STATE", name} <= set(shown.split())

    def test_the_last_use_is_seen(self, stocked: Home) -> None:
        """A model shows when it last responded; the server writes the time at exit at the latest."""
        assert json.loads(stocked.ok("list", "--json"))[0]["last_used_at"] is None
        before = int(time.time())
        stocked.ok("run", "tiny", "hello")
        (model,) = json.loads(stocked.ok("list", "--json"))
        assert before <= model["last_used_at"] <= time.time()
        assert "just now" in stocked.ok("list")
        assert "Last used:    just now\n" in stocked.ok("show", "tiny")
