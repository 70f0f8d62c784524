"""``gglib pull`` from the user's side: a real process, a local hub, and failures between them."""

import contextlib
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.preloaded import GGLIB, PreloadedProcess
from tests.support.waiting import wait_until

from gglib.db import SqliteCatalog
from gglib.hf.download.segment import BLOCK_BYTES
from gglib.library.search import HEADER_BYTES
from gglib.library.versions.layout import MANIFEST_NAME
from gglib.testing import write_tiny_gguf, write_tiny_projector
from gglib.testing.local_hub import Fault, Host, LocalHub

from .conftest import Done, Home

REPO = "ada/tiny-GGUF"
TOKEN = "hf_wonderland_123"
HOSTILE_NAMES = (
    "../outside-Q4_K_M.gguf", "../../outside-Q4_K_M.gguf", "a/../../outside-Q4_K_M.gguf", "/etc/outside-Q4_K_M.gguf",
    "//host/share/x-Q4_K_M.gguf", "C:/x-Q4_K_M.gguf", "C:x-Q4_K_M.gguf", "..\\x-Q4_K_M.gguf", "a\\b-Q4_K_M.gguf",
    "\\\\host\\x-Q4_K_M.gguf", "./x-Q4_K_M.gguf", "a/./x-Q4_K_M.gguf", "a//x-Q4_K_M.gguf", "~/x-Q4_K_M.gguf\x00",
    "x\n-Q4_K_M.gguf", "x\r-Q4_K_M.gguf", "x\t-Q4_K_M.gguf", "x\x1b[31m-Q4_K_M.gguf", "x\x7f-Q4_K_M.gguf",
    "x\u202e-Q4_K_M.gguf", "x\u200b-Q4_K_M.gguf", "x\ufeff-Q4_K_M.gguf", "CON/x-Q4_K_M.gguf", "NUL.gguf", "aux.gguf",
    "COM1.gguf", "lpt9.Q4_K_M.gguf", "a /x-Q4_K_M.gguf", "a./x-Q4_K_M.gguf", ".ssh/x-Q4_K_M.gguf", ".x-Q4_K_M.gguf",
    "-x-Q4_K_M.gguf", "x:y-Q4_K_M.gguf", "x?-Q4_K_M.gguf", "x*-Q4_K_M.gguf", "x|-Q4_K_M.gguf", "x<-Q4_K_M.gguf",
    'x"-Q4_K_M.gguf', "x" * 260 + "-Q4_K_M.gguf", "/".join(["d" * 200] * 30) + "/x-Q4_K_M.gguf",
    "e\u0301-Q4_K_M.gguf",
)  # fmt: skip


@pytest.fixture
def hub(home: Home) -> Iterator[LocalHub]:
    """Yield the hub of the commands of ``home``, with a repository of two quantizations."""
    other = write_tiny_gguf(home.path / "other.gguf", seed=1)
    with LocalHub() as hub:
        hub.add_repository(
            REPO, {"tiny-Q4_K_M.gguf": home.model_file, "tiny-Q8_0.gguf": other, "README.md": b"hi"}
        )
        home.variables = {
            "HF_ENDPOINT": hub.url,
            "NO_PROXY": "127.0.0.1,localhost",
            "HF_HOME": str(home.path),
        }
        yield hub


def files_in(home: Home) -> list[str]:
    """Return the files in ``models/`` without manifests and markers; digests are removed from directory names."""
    models = home.path / "models"
    names = [path.relative_to(models).as_posix() for path in models.rglob("*") if path.is_file()]
    return sorted(re.sub(r"-[0-9a-f]{8}(?=/[^/]*$)", "", name) for name in names if not is_mark(name))


def is_mark(name: str) -> bool:
    """Whether a file is gglib's own state file."""
    return name == ".home" or name.endswith(MANIFEST_NAME)


def part_of(home: Home, name: str | None = None) -> Path | None:
    """Return a part file: that of the repository file ``name``, or any."""
    for part in (home.path / "models" / ".incoming").glob("*.part"):
        manifest = part.with_name(f"{part.name}.note")
        if name is None or (manifest.exists() and f'"name": "{name}"'.encode() in manifest.read_bytes()):
            return part
    return None


def names_in(home: Home) -> list[str]:
    """Return the names of the models in the catalogue."""
    return [model["name"] for model in json.loads(home.ok("list", "--json"))]


class TestPulling:
    @pytest.mark.usefixtures("hub")
    def test_one_command_and_the_model_can_be_used(self, home: Home) -> None:
        """The file is downloaded and verified; the catalogue has its source, and the output says what to type next."""
        printed = home.ok("pull", f"{REPO}:Q4_K_M")
        assert "gglib run tiny-Q4_K_M" in printed
        assert "SHA-256 verified" in printed
        assert files_in(home) == ["ada/tiny-GGUF/Q4_K_M/tiny-Q4_K_M.gguf"]
        [model] = json.loads(home.ok("list", "--json"))
        assert (model["source"]["repo"], model["aliases"]) == (REPO, [f"{REPO}:Q4_K_M"])
        home.ok("verify", "tiny-Q4_K_M")

    @pytest.mark.usefixtures("hub")
    def test_a_choice_without_a_terminal_is_a_list_of_what_to_type(self, home: Home) -> None:
        """Without a terminal: exit code 1, each quantization with its command and size, and no download."""
        done = home.run("pull", REPO)
        assert done.returncode == 1
        assert f"gglib pull {REPO}:Q4_K_M" in done.stderr
        assert f"gglib pull {REPO}:Q8_0" in done.stderr
        assert files_in(home) == []
        home.ok("pull", REPO, "--yes")
        assert names_in(home) == ["tiny-Q4_K_M"]

    @pytest.mark.usefixtures("hub")
    def test_a_choice_at_a_revision_stays_at_it(self, home: Home) -> None:
        """The suggested commands name the requested revision, also in the output of 'show'."""
        done = home.run("pull", f"{REPO}@main")
        assert f"gglib pull {REPO}:Q4_K_M@main" in done.stderr
        assert f"gglib pull {REPO}:Q8_0@main" in done.stderr
        assert f"gglib pull {REPO}:Q4_K_M@main" in home.ok("show", f"{REPO}@main")
        shown = json.loads(home.ok("show", f"{REPO}@main", "--json"))
        assert {variant["pull"] for variant in shown["variants"]} == {
            f"{REPO}:Q4_K_M@main",
            f"{REPO}:Q8_0@main",
        }

    @pytest.mark.usefixtures("hub")
    def test_programs_read_events(self, home: Home) -> None:
        """JSON output is one object per line: the plan, the progress, the model."""
        events = [json.loads(line) for line in home.ok("pull", "--json", f"{REPO}:Q8_0").splitlines()]
        kinds = [event["event"] for event in events]
        assert kinds[0] == "plan"
        assert kinds[-1] == "done"
        assert set(kinds[1:-1]) == {"progress"}
        assert events[0]["total_bytes"] == events[-2]["done_bytes"] == home.model_file.stat().st_size
        assert events[-1]["model"]["name"] == "tiny-Q8_0"

    @pytest.mark.usefixtures("hub")
    def test_programs_read_an_error_as_an_event_too(self, home: Home) -> None:
        """Every error of a pull is an event with a code."""
        done = home.run("pull", "--json", "ada/none:Q8_0")
        assert done.returncode == 1
        assert json.loads(done.stdout.splitlines()[-1])["code"] == "repository_not_found"

    def test_nothing_is_asked_that_the_user_did_not_ask_for(self, home: Home, hub: LocalHub) -> None:
        """A new process requests only the repository and the file, and sends no telemetry."""
        assert home.process("pull", f"{REPO}:Q4_K_M").returncode == 0
        asked = {seen.path for seen in hub.requests if seen.host is Host.HUB}
        assert {
            path for path in asked if not path.startswith((f"/api/models/{REPO}", f"/{REPO}/resolve/"))
        } == set()
        assert {seen.headers["user-agent"] for seen in hub.requests} == {"gglib"}

    def test_shards_are_one_model(self, home: Home, hub: LocalHub) -> None:
        """A model in two files is one job and one row; ``verify`` reads both files."""
        shards = _shards(home)
        hub.add_repository("ada/big-GGUF", {f"Q4_K_M/{path.name}": path for path in shards})
        home.ok("pull", "ada/big-GGUF:Q4_K_M")
        [model] = json.loads(home.ok("list", "--json"))
        assert [Path(path).name for path in model["paths"]] == [path.name for path in shards]
        assert model["size_bytes"] == sum(path.stat().st_size for path in shards)
        assert len([line for line in home.ok("verify").splitlines() if "gguf" in line]) == 2

    def test_an_address_of_any_server(self, home: Home, hub: LocalHub) -> None:
        """A file without a known hash is downloaded, and the output does not claim a verification."""
        address = hub.add_address("/files/found.gguf", home.model_file)
        printed = home.ok("pull", address)
        assert "verified" not in printed
        assert names_in(home) == ["found"]

    def test_what_is_unfinished_is_listed_and_can_be_given_up(self, home: Home, hub: LocalHub) -> None:
        """``gglib pull`` without a target lists unfinished pulls, and how to resume or cancel them."""
        assert "No unfinished pulls" in home.run("pull").stdout
        hub.add_repository("ada/mid", {"mid-Q4_K_M.gguf": _padded(home, 8_000_000)})
        with hub.pause_after("mid-Q4_K_M.gguf", 5_000_000), _pulling(home, "ada/mid:Q4_K_M") as process:
            assert "Another gglib" in home.refused("pull", "--discard", "ada/mid:Q4_K_M")
            process.kill()
        assert "gglib pull ada/mid:Q4_K_M" in home.ok("pull")
        assert json.loads(home.ok("pull", "--json"))[0]["target"] == "ada/mid:Q4_K_M"
        assert "Discarded 'mid-Q4_K_M'" in home.ok("pull", "--discard", "ada/mid:Q4_K_M")
        assert "No unfinished pulls" in home.run("pull").stdout
        assert files_in(home) == []

    def test_a_newer_version_is_called_an_update(self, home: Home, hub: LocalHub) -> None:
        """Pulling the same version again is not called an update."""
        home.ok("pull", f"{REPO}:Q4_K_M")
        assert home.ok("pull", f"{REPO}:Q4_K_M").startswith("Up to date: 'tiny-Q4_K_M'")
        hub.commit(REPO, {"tiny-Q4_K_M.gguf": home.path / "other.gguf"})
        assert home.ok("pull", f"{REPO}:Q4_K_M").startswith("Updated 'tiny-Q4_K_M'")

    def test_a_link_of_the_default_branch_pins_nothing(self, home: Home, hub: LocalHub) -> None:
        """A URL copied from the browser means the model of the default branch."""
        home.ok("pull", hub.resolve_url(REPO, "tiny-Q8_0.gguf"))
        assert files_in(home) == ["ada/tiny-GGUF/Q8_0/tiny-Q8_0.gguf"]
        assert home.ok("pull", f"{REPO}:Q8_0").startswith("Up to date")

    @pytest.mark.usefixtures("hub")
    @pytest.mark.parametrize(
        "command",
        [("pull", f"{REPO}:Q4_K_M"), ("rm", "tiny-Q8_0", "--files"), ("prune", "--yes")],
        ids=["pull", "rm", "prune"],
    )
    def test_a_command_opens_the_catalogue_once(
        self, home: Home, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
    ) -> None:
        """Opening reads the catalogue and cleans up the home, so plan, prompt and execution share one catalogue."""
        home.ok("pull", f"{REPO}:Q8_0")
        if command[0] == "prune":
            home.ok("rm", "tiny-Q8_0")
        opened = 0
        open_it = SqliteCatalog.open

        async def count(catalog: SqliteCatalog) -> None:
            nonlocal opened
            opened += 1
            await open_it(catalog)

        monkeypatch.setattr(SqliteCatalog, "open", count)
        home.ok(*command)
        assert opened == 1

    @pytest.mark.usefixtures("hub")
    def test_ctrl_c_at_a_question_ends_it(self, home: Home) -> None:
        """It exits immediately, with the exit code of an interruption or of an abort, and nothing was fetched."""
        terminal, end = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "gglib", "pull", REPO],
            env=home.environment | {"TERM": "xterm"},
            stdin=end,
            stdout=end,
            stderr=end,
        ) as process:
            os.close(end)
            try:
                seen = b""
                while b"Number or name" not in seen:
                    seen += os.read(terminal, 4096)
                assert _interrupted(process) in {1, 130}
            finally:
                process.kill()
        os.close(terminal)
        assert files_in(home) == []


def _interrupted(process: subprocess.Popen[bytes]) -> int:
    """Press Ctrl-C until the process exits: CPython loses a SIGINT that arrives just before it reads the terminal.

    The interval is long enough for a slow machine: a SIGINT during interpreter shutdown would kill the
    process.
    """
    for _ in range(6):
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(20)
    process.kill()
    return process.wait()


class TestPruning:
    def test_a_pull_that_runs_goes_on(self, home: Home, hub: LocalHub) -> None:
        """A concurrent ``prune`` deletes none of its files, and the pull completes."""
        hub.add_repository("ada/mid", {"mid-Q4_K_M.gguf": _padded(home, 8_000_000)})
        gate = hub.pause_after("mid-Q4_K_M.gguf", 5_000_000)
        with _pulling(home, "ada/mid:Q4_K_M") as process:
            shown = home.ok("prune", "--yes")
            gate.release()
            _, errors = process.communicate(timeout=20)
        assert process.returncode == 0, errors
        assert "Deletes" not in shown
        assert ".part: it is being downloaded now" in shown
        assert files_in(home) == ["ada/mid/Q4_K_M/mid-Q4_K_M.gguf"]
        assert home.ok("prune", "--yes") == f"Nothing to free in {home.path / 'models'}.\n"

    def test_an_interrupted_pull_is_kept_until_it_is_given_up(self, home: Home, hub: LocalHub) -> None:
        """The part of a resumable pull stays, and 'prune' gives the reason."""
        hub.add_repository("ada/mid", {"mid-Q4_K_M.gguf": _padded(home, 8_000_000)})
        gate = hub.pause_after("mid-Q4_K_M.gguf", 5_000_000)
        with _pulling(home, "ada/mid:Q4_K_M") as process:
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=20)
        gate.release()
        assert ".part: the pull of 'mid-Q4_K_M' is unfinished" in home.ok("prune", "--yes")
        assert part_of(home) is not None
        home.ok("pull", "--discard", "mid-Q4_K_M")
        assert part_of(home) is None


class TestUpdating:
    def test_killed_on_its_second_shard_the_older_version_stays_whole(
        self, home: Home, hub: LocalHub
    ) -> None:
        """Row and files are unchanged, 'list' shows only the old version, and the same pull resumes and completes."""
        old = {f"Q4_K_M/{path.name}": path for path in _shards(home)}
        hub.add_repository("ada/mid", old)
        home.ok("pull", "ada/mid:Q4_K_M")
        before = json.loads(home.ok("list", "--json"))
        first, second = old
        hub.commit("ada/mid", {name: _longer(home, path, 6_000_000) for name, path in old.items()})
        gate = hub.pause_after(second, 4_500_000)
        with _pulling(home, "ada/mid:Q4_K_M", least_bytes=4_000_000, parts_of=second) as process:
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=20)
        gate.release()
        assert json.loads(home.ok("list", "--json")) == before
        assert [Path(path).read_bytes() for path in before[0]["paths"]] == [
            path.read_bytes() for path in old.values()
        ]
        assert "gglib pull ada/mid:Q4_K_M" in home.ok("pull")
        sent = hub.sent_bytes(first)
        printed = home.ok("pull", "ada/mid:Q4_K_M")
        assert printed.startswith("Updated 'big-Q4_K_M'")
        assert hub.sent_bytes(first) <= sent + HEADER_BYTES
        [model] = json.loads(home.ok("list", "--json"))
        assert model["id"] == before[0]["id"]
        home.ok("verify")
        assert not Path(before[0]["paths"][0]).exists()

    def test_it_says_what_it_takes_and_what_it_gives_back(self, home: Home, hub: LocalHub) -> None:
        """Sizes are printed before the download and at its end; JSON has them as numbers."""
        home.ok("pull", f"{REPO}:Q4_K_M")
        hub.commit(REPO, {"tiny-Q4_K_M.gguf": home.path / "other.gguf"})
        size = home.model_file.stat().st_size
        done = home.process("pull", f"{REPO}:Q4_K_M")
        assert done.stderr.splitlines()[2] == (
            "Updates 'tiny-Q4_K_M': needs 520 kB of disk space; the older version is deleted at the end, "
            "which frees 520 kB."
        )
        assert "Deleted the older version and freed" in done.stdout
        hub.commit(REPO, {"tiny-Q4_K_M.gguf": home.model_file})
        events = [json.loads(line) for line in home.ok("pull", "--json", f"{REPO}:Q4_K_M").splitlines()]
        assert (events[0]["needs_bytes"], events[0]["frees_bytes"]) == (size, size)
        assert events[-1]["freed_bytes"] >= size

    @pytest.mark.usefixtures("hub")
    def test_a_name_that_another_model_has_is_one_line(self, home: Home) -> None:
        """The pull succeeds: the repository's name becomes an alias of the user's existing model."""
        home.ok("add", str(home.path / "other.gguf"), "--name", "mine", "--alias", f"{REPO}:Q4_K_M")
        done = home.run("pull", f"{REPO}:Q4_K_M")
        assert done.returncode == 0, done.stderr
        assert f"The alias '{REPO}:Q4_K_M' belongs to another model and was not added." in done.stderr
        assert names_in(home) == ["mine", "tiny-Q4_K_M"]


class TestTwoAtOnce:
    def test_two_quantizations_share_a_projector(self, home: Home, hub: LocalHub) -> None:
        """The second process waits for the projector that the first one downloads, reports that, and both succeed."""
        projector = _longer(home, write_tiny_projector(home.path / "eye.gguf"), 6_000_000)
        files = {"mid-Q4_K_M.gguf": home.model_file, "mid-Q8_0.gguf": home.path / "other.gguf"}
        hub.add_repository("ada/mid", {**files, "mmproj-F16.gguf": projector})
        gate = hub.pause_after("mmproj-F16.gguf", 4_500_000)
        with _pulling(home, "ada/mid:Q4_K_M", "--mmproj", parts_of="mmproj-F16.gguf") as first:
            second = PreloadedProcess(
                [*GGLIB, "pull", "--mmproj", "ada/mid:Q8_0"],
                env=home.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            assert second.stderr is not None
            with second:
                lines = iter(second.stderr.readline, "")
                assert "Another gglib is downloading mmproj-F16.gguf: waiting for it.\n" in lines
                gate.release()
                assert second.wait(20) == 0
                assert first.wait(20) == 0
        models = json.loads(home.ok("list", "--json"))
        projectors = [Path(model["projector"]) for model in models]
        assert len(projectors) == 2
        assert projectors[0].samefile(projectors[1])
        assert hub.sent_bytes("mmproj-F16.gguf") <= 6_000_000

    def test_giving_up_one_of_two_names_it(self, home: Home, hub: LocalHub) -> None:
        """A name that matches two unfinished pulls is refused, with the command for each."""
        for owner in ("ada", "eve"):
            hub.add_repository(f"{owner}/mid", {"mid-Q4_K_M.gguf": _padded(home, 8_000_000)})
            hub.inject_fault(Fault(), file="mid-Q4_K_M.gguf", host=Host.HUB, times=1)  # the header request
            hub.inject_fault(Fault(status=403), file="mid-Q4_K_M.gguf", host=Host.HUB, times=1)
            home.refused("pull", f"{owner}/mid:Q4_K_M")
        done = home.run("pull", "--discard", "mid-Q4_K_M")
        assert done.returncode == 1
        for owner in ("ada", "eve"):
            assert f"gglib pull --discard {owner}/mid:Q4_K_M" in done.stderr
        home.ok("pull", "--discard", "eve/mid:Q4_K_M")
        home.ok("pull", "--discard", "mid-Q4_K_M")
        assert "No unfinished pulls" in home.run("pull").stdout


class TestAddresses:
    def test_a_signature_is_never_shown(self, home: Home, hub: LocalHub) -> None:
        """A signed URL does not appear in output, log or list of unfinished pulls; its key cancels the pull."""
        address = hub.add_address("/files/found.gguf?Signature=hush", _padded(home, 8_000_000))
        gate = hub.pause_after("/files/found.gguf", 5_000_000)
        with _pulling(home, address) as process:
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
        gate.release()
        unfinished = json.loads(home.ok("pull", "--json"))
        shown = [
            errors,
            home.ok("pull"),
            home.ok("pull", "--json"),
            home.refused("pull", "--discard", f"{address}&x"),
        ]
        finished = home.process("pull", address)
        shown += [finished.stdout, finished.stderr, home.ok("list", "--json"), home.ok("show", "found")]
        shown += [path.read_text() for path in (home.path / "logs").rglob("*.log")]
        assert finished.returncode == 0, finished.stderr
        assert unfinished[0]["target"] == address.partition("?")[0]
        assert not any("hush" in text for text in shown), [text for text in shown if "hush" in text]

    def test_new_content_of_equal_size_is_an_update(self, home: Home, hub: LocalHub) -> None:
        """A changed ETag means new content."""
        address = hub.add_address("/files/found.gguf", home.model_file)
        home.ok("pull", address)
        assert home.ok("pull", address).startswith("Up to date: 'found'")
        hub.add_address("/files/found.gguf", home.path / "other.gguf")
        assert home.ok("pull", address).startswith("Updated 'found'")
        [model] = json.loads(home.ok("list", "--json"))
        assert Path(model["paths"][0]).read_bytes() == (home.path / "other.gguf").read_bytes()


class TestInterrupted:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
    def test_the_same_command_goes_on(self, home: Home, hub: LocalHub, number: int) -> None:
        """After SIGINT or SIGKILL: a part file, no row, and the second pull fetches only the remaining bytes."""
        hub.add_repository("ada/mid", {"mid-Q4_K_M.gguf": _padded(home, 8_000_000)})
        gate = hub.pause_after("mid-Q4_K_M.gguf", 5_000_000)
        with _pulling(home, "ada/mid:Q4_K_M") as process:
            process.send_signal(number)
            _, errors = process.communicate(timeout=20)
        assert process.returncode == (130 if number == signal.SIGINT else -number)
        assert "Traceback" not in errors
        assert ("' resumes." in errors) is (number == signal.SIGINT)
        gate.release()
        before = hub.sent_bytes("mid-Q4_K_M.gguf")
        assert names_in(home) == []
        home.ok("pull", "ada/mid:Q4_K_M")
        fetched = hub.sent_bytes("mid-Q4_K_M.gguf") - before - HEADER_BYTES
        assert fetched <= 8_000_000 - 4_000_000 + BLOCK_BYTES
        assert files_in(home) == ["ada/mid/Q4_K_M/mid-Q4_K_M.gguf"]


class TestWhatGoesWrong:
    """Each failure is one sentence, and leaves at most a part file that the same command resumes."""

    def test_a_full_disk(self, home: Home, hub: LocalHub) -> None:
        """The size that the hub reports is checked before the download; nothing is left."""
        hub.add_repository("ada/large", {"large-Q4_K_M.gguf": _padded(home, 8_000_000)})
        done = _pull_on_small_disk(home, "ada/large:Q4_K_M", size_mb=4)
        assert done.returncode == 1, done.stdout
        assert "free" in done.stderr
        assert [line for line in done.stderr.splitlines() if "free" in line] == done.stderr.splitlines()[1:]
        assert done.stdout == ""

    def test_a_disk_that_fills_up_meanwhile(self, home: Home, hub: LocalHub) -> None:
        """Another program fills the disk: the part stays, and with space again only the remaining bytes are fetched."""
        hub.add_repository("ada/large", {"large-Q4_K_M.gguf": _padded(home, 8_000_000)})
        done = _pull_on_small_disk(home, "ada/large:Q4_K_M", size_mb=76, taken_after=2_000_000, hub=hub)
        assert done.returncode == 1, done.stdout
        assert "free" in done.stderr
        assert "Traceback" not in done.stderr
        assert re.search(r"\bs-[0-9a-f]{32}", done.stderr) is None
        assert [name.partition(".")[2] for name in done.stdout.split()] == ["part", "part.note"]

    @pytest.mark.usefixtures("hub")
    def test_a_directory_that_cannot_be_written(self, home: Home) -> None:
        """The error is raised before the download."""
        models = home.path / "models"
        models.mkdir(exist_ok=True)
        (models / "ada").write_text("in the way")
        assert "cannot be written" in home.refused("pull", f"{REPO}:Q4_K_M")
        assert files_in(home) == ["ada"]

    @pytest.mark.usefixtures("hub")
    def test_no_network(self, home: Home) -> None:
        """Connections to the hub are refused; local commands still work, and the message says so."""
        home.variables["HF_ENDPOINT"] = "http://127.0.0.1:9"
        sentence = home.refused("pull", f"{REPO}:Q4_K_M")
        assert "127.0.0.1" in sentence
        assert files_in(home) == []

    def test_offline_mode(self, home: Home, hub: LocalHub) -> None:
        """The hub receives no request."""
        home.variables["HF_HUB_OFFLINE"] = "1"
        assert "HF_HUB_OFFLINE" in home.refused("pull", f"{REPO}:Q4_K_M")
        assert "HF_HUB_OFFLINE" in home.refused("search", "tiny")
        assert hub.requests == []

    def test_terms_that_are_not_accepted(self, home: Home, hub: LocalHub) -> None:
        """The message has the URL of the terms; nothing is fetched."""
        hub.add_repository("ada/gated", {"gated-Q4_K_M.gguf": home.model_file}, gated="auto")
        sentence = home.refused("pull", "ada/gated:Q4_K_M")
        assert "HF_TOKEN" in sentence
        hub.accept_token(TOKEN)
        home.variables["HF_TOKEN"] = TOKEN
        sentence = home.refused("pull", "ada/gated:Q4_K_M")
        assert f"{hub.url}/ada/gated" in sentence
        hub.grant(TOKEN, "ada/gated")
        home.ok("pull", "ada/gated:Q4_K_M")

    def test_wrong_bytes(self, home: Home, hub: LocalHub) -> None:
        """Content of the right size with a wrong hash is deleted, and no row is written."""
        hub.inject_fault(Fault(flips_byte_at=300_000), file="tiny-Q8_0.gguf")
        home.refused("pull", f"{REPO}:Q8_0")
        assert files_in(home) == []
        assert names_in(home) == []

    def test_a_foreign_host_never_sees_the_token(self, home: Home, hub: LocalHub) -> None:
        """The hub redirects the download: the other host gets the request without an Authorization header."""
        hub.accept_token(TOKEN)
        home.variables["HF_TOKEN"] = TOKEN
        foreign = hub.add_address("/elsewhere.gguf", home.model_file)
        hub.inject_fault(Fault(location=foreign), file="tiny-Q4_K_M.gguf", host=Host.HUB)
        home.run("pull", f"{REPO}:Q4_K_M")
        by_host = {seen.host.name: seen for seen in hub.requests}
        assert TOKEN in by_host["HUB"].headers.get("authorization", "")
        assert by_host["FOREIGN"].path == "/elsewhere.gguf"
        for seen in hub.requests:
            assert seen.host.name == "HUB" or TOKEN not in f"{seen.headers} {seen.path}"
        logs = "".join(path.read_text() for path in (home.path / "logs").rglob("*.log"))
        assert TOKEN not in logs

    def test_hostile_names(self, home: Home, hub: LocalHub) -> None:
        """None of forty hostile names becomes a file, alone or beside a valid one, which can still be pulled."""
        assert len(HOSTILE_NAMES) >= 40
        before = sorted(home.path.rglob("*"))
        hub.add_repository("eve/hostile", dict.fromkeys(HOSTILE_NAMES, home.model_file))
        sentence = home.refused("pull", "eve/hostile", "--yes")
        assert sentence.isprintable()
        assert not {str(path) for path in home.path.rglob("*.gguf")} - {str(path) for path in before}
        hub.add_repository("eve/mixed", dict.fromkeys((*HOSTILE_NAMES, "good-Q8_0.gguf"), home.model_file))
        home.ok("pull", "eve/mixed", "--yes")
        assert files_in(home) == ["eve/mixed/Q8_0/good-Q8_0.gguf"]
        assert not list(home.path.parent.glob("outside*"))

    @pytest.mark.parametrize("name", [name for name in HOSTILE_NAMES if "\0" not in name])
    def test_a_hostile_name_that_is_asked_for(self, home: Home, hub: LocalHub, name: str) -> None:
        """The same for names typed by the user, as far as a command line can pass them."""
        hub.add_repository("eve/hostile", {name: home.model_file})
        assert home.refused("pull", f"eve/hostile/{name}").isprintable()
        assert files_in(home) == []


@contextmanager
def _pulling(
    home: Home, *arguments: str, least_bytes: int = 4_000_000, parts_of: str | None = None
) -> Iterator["subprocess.Popen[str]"]:
    """Pull in a separate process, and yield it when the part (of ``parts_of``, or any) has reached a size."""
    with PreloadedProcess(
        [*GGLIB, "pull", *arguments],
        env=home.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            wait_until(
                lambda: (
                    (part := part_of(home, parts_of)) is not None
                    and part.stat().st_blocks * 512 >= least_bytes
                )
            )
            yield process
        finally:
            process.kill()


def _padded(home: Home, size_bytes: int) -> Path:
    """Return a tiny model of this total size; readers ignore the bytes after the tensors."""
    path = home.path / f"padded-{size_bytes}.gguf"
    content = home.model_file.read_bytes()
    path.write_bytes(content + os.urandom(size_bytes - len(content)))
    return path


def _longer(home: Home, path: Path, size_bytes: int) -> Path:
    """Return a copy of a file, padded to a total size."""
    longer = home.path / f"longer-{path.name}"
    content = path.read_bytes()
    longer.write_bytes(content + os.urandom(size_bytes - len(content)))
    return longer


def _shards(home: Home) -> list[Path]:
    """Return a tiny model split into two files as llama.cpp's tools do."""
    import gguf

    reader = gguf.GGUFReader(home.model_file)
    paths = []
    for index in range(2):
        path = home.path / f"big-Q4_K_M-{index + 1:05}-of-00002.gguf"
        writer = gguf.GGUFWriter(path, "llama")
        writer.add_uint16("split.no", index)
        writer.add_uint16("split.count", 2)
        writer.add_int32("split.tensors.count", len(reader.tensors))
        half = len(reader.tensors) // 2
        for tensor in reader.tensors[:half] if index == 0 else reader.tensors[half:]:
            writer.add_tensor(tensor.name, tensor.data)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        paths.append(path)
    return paths


def _pull_on_small_disk(
    home: Home, target: str, *, size_mb: int, taken_after: int | None = None, hub: LocalHub | None = None
) -> Done:
    """Pull with ``models/`` on a separate disk in a mount namespace, and print its files at the end.

    ``taken_after``: the number of bytes sent by the hub after which the disk is filled.
    """
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare to mount a small disk")
    models = home.path / "models"
    models.mkdir(exist_ok=True)
    ready, full = home.path / "ready", home.path / "full"
    filling = f"cat /dev/zero > {models}/filler 2>/dev/null; touch {ready}"
    fill = f"( while [ ! -e {full} ]; do sleep 0.02; done; {filling} ) &"
    script = f"""
        mount -t tmpfs -o size={size_mb}m none {models} || exit 77
        {fill if taken_after else ""}
        {sys.executable} -m gglib pull {target} >/dev/null
        code=$?
        {f"touch {full}; wait" if taken_after else ""}
        find {models} -type f -path '*/.incoming/*' -printf '%f\\n' | sort
        exit $code
    """
    process = subprocess.Popen(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
        env=home.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if taken_after and hub is not None:
        gate = hub.pause_after(target.partition("/")[2].partition(":")[0] + "-Q4_K_M.gguf", taken_after)
        gate.wait_until_reached()
        full.touch()
        wait_until(ready.exists)
        gate.release()
    printed, errors = process.communicate(timeout=60)
    if process.returncode == 77:
        pytest.skip("this machine lets nobody mount a small disk")
    return Done(process.returncode, printed, errors)
