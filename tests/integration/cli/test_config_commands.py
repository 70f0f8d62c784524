"""``gglib config`` on real homes, at real terminals, and beside a running server."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.terminal import ENTER, terminal
from tests.support.waiting import wait_until

from gglib.cli.command_names import COMMANDS

from .conftest import AS_STARTED, Home

CONFIG = """\
# ours
port = 0  # any

[aliases]
fast = ["a", "b"]  # small ones

# of the team
[api_keys.jobs]
key = "SECRET-of-jobs"
"""


@pytest.fixture
def configured(home: Home) -> Home:
    """Return a home with a file of settings and comments."""
    path = home.path / "config.toml"
    path.write_text(CONFIG)
    path.chmod(0o600)
    return home


def config_of(home: Home) -> str:
    """Return the text of ``config.toml``."""
    return (home.path / "config.toml").read_text()


def log_of(home: Home) -> str:
    """Return gglib's log; empty before its first line."""
    path = home.path / "logs" / "gglib.log"
    return path.read_text() if path.exists() else ""


class TestShow:
    """The effective settings."""

    def test_each_value_has_its_source(self, configured: Home) -> None:
        """The file, the environment and the defaults; keys by name."""
        configured.variables = {"GGLIB_PORT": "7", "GGLIB_SLOTS": "2"}
        shown = configured.ok("config")
        assert shown.startswith(f"config.toml: {configured.path}/config.toml\n")
        cells = {
            words[0]: [word.strip() for word in words[1:]]
            for line in shown.splitlines()
            if len(words := line.split(maxsplit=2)) == 3
        }
        assert cells["port"] == ["7", "GGLIB_PORT, over config.toml"]
        assert cells["slots"] == ["2", "GGLIB_SLOTS"]
        assert cells["host"] == ["127.0.0.1", "default"]
        assert cells["api_keys"] == ["jobs", "config.toml"]
        printed = configured.ok("config", "--json")
        found = {setting["setting"]: setting for setting in json.loads(printed)["settings"]}
        assert found["aliases"]["value"] == {"fast": ["a", "b"]}
        assert "SECRET" not in shown + printed

    @pytest.mark.parametrize("columns", [80, 100, 140])
    def test_the_table_fits_a_terminal(self, configured: Home, columns: int) -> None:
        """No line is wider; names stay whole, and values are wrapped."""
        configured.variables = {
            "GGLIB_ALLOWED_HOSTS": ",".join(f"machine-{number}.example.com" for number in range(9))
        }
        with terminal(
            [sys.executable, "-m", "gglib", "config"], env=configured.environment, columns=columns
        ) as screen:
            assert screen.wait_for_exit() == 0
        names = [line.split()[0] for line in screen.lines if line[:1].isalpha()]
        assert {"allowed_hosts", "allowed_engine_fields", "max_connections"} <= set(names)
        assert any("machine-8.example.com" in line for line in screen.lines)
        assert max(map(len, screen.lines)) <= columns

    def test_the_options_of_the_running_server_are_named(self, stocked: Home) -> None:
        """They override the sources that this command can see: they are read from its command line."""
        options = ("serve", "--ctx", "4096")
        with stocked.foreground(*options, first_words="Listening on", process_class=subprocess.Popen):
            shown = stocked.ok("config")
            assert json.loads(stocked.ok("config", "--json"))["server_options"] == ["--ctx 4096"]
            done = stocked.run("config", "set", "ctx", "2048")
        assert "The running server was started with --ctx 4096, which it uses instead." in shown
        assert (
            done.stderr
            == "Warning: The running server was started with --ctx, which overrides config.toml.\n"
        )

    def test_an_invalid_file_is_shown_with_its_error(self, home: Home) -> None:
        """The command is for finding such errors."""
        home.set("prot = 1")
        done = home.run("config")
        assert done.returncode == 0
        assert "sets the unknown key 'prot': did you mean port" in done.stderr


class TestGet:
    """Single values."""

    @pytest.mark.parametrize(
        ("key", "shown"),
        [
            ("port", "0"),
            ("aliases.fast", "a, b"),
            ("api_keys", "jobs"),
            ("api_keys.jobs.models", "*"),
            ("api_keys.jobs.key", ""),
            ("engine", ""),
        ],
    )
    def test_a_value_is_printed_alone(self, configured: Home, key: str, shown: str) -> None:
        """An empty line if it is not set; never a key."""
        assert configured.ok("config", "get", key) == f"{shown}\n"

    def test_json_has_the_source(self, configured: Home) -> None:
        """For scripts."""
        assert json.loads(configured.ok("config", "get", "port", "--json")) == {
            "setting": "port",
            "value": 0,
            "source": "config.toml",
            "overrides": [],
        }

    def test_an_unknown_key_is_refused(self, configured: Home) -> None:
        """With the nearest names."""
        assert "There is no setting 'prot': did you mean port" in configured.refused("config", "get", "prot")


class TestSet:
    """Changes of the file."""

    def test_comments_and_layout_stay(self, configured: Home) -> None:
        """Also the mode of the file."""
        path = configured.path / "config.toml"
        assert configured.ok("config", "set", "port", "9000") == f"Set port = 9000 in {path}.\n"
        configured.ok("config", "set", "aliases.gpt-*", "c")
        configured.ok("config", "set", "api_keys.jobs.models", "chat*,embed")
        configured.ok("config", "set", "max_models", "auto")
        changed = CONFIG.replace("port = 0  # any\n", 'port = 9000  # any\nmax_models = "auto"\n')
        changed = changed.replace("# small ones\n", '# small ones\n"gpt-*" = "c"\n')
        assert config_of(configured) == changed + 'models = ["chat*", "embed"]\n'
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "already" in configured.ok("config", "set", "port", "9000")

    def test_a_value_is_checked_by_the_setting(self, configured: Home) -> None:
        """Nothing is written."""
        sentence = configured.refused("config", "set", "port", "many")
        assert sentence == "'port' is 'many', but it must be a whole number from 0 to 65535."
        assert config_of(configured) == CONFIG

    def test_a_wrong_value_in_the_file_can_be_corrected(self, home: Home) -> None:
        """Only the value that is set is checked."""
        home.set('slots = "many"')
        home.ok("config", "set", "slots", "2")
        assert config_of(home).endswith("slots = 2\n")

    @pytest.mark.parametrize(
        ("words", "warning"),
        [
            (("preload", "tinny"), "Setting 'preload': Model 'tinny' is not in the catalogue"),
            (("default_model", "tinny"), "Setting 'default_model': Model 'tinny' is not in the catalogue"),
            (("aliases.fast", "tiny,tinny"), "Setting 'aliases', 'fast': Model 'tinny' is not in the"),
            (("api_keys.bob.models", "tinny*"), "'models' of 'bob': the pattern 'tinny*' matches no model."),
        ],
    )
    def test_unknown_names_of_models_are_warned_of_at_once(
        self, stocked: Home, words: tuple[str, str], warning: str
    ) -> None:
        """The value is set, since the model may come later."""
        assert "Setting '" not in stocked.run("key", "new", "bob", "--models", "tin*").stderr
        done = stocked.run("config", "set", *words)
        assert done.returncode == 0
        assert "Warning: Setting" in done.stderr
        assert warning in done.stderr
        assert "matches no model" in stocked.run("key", "new", "eve", "--models", "eve*").stderr

    def test_a_value_after_an_equals_sign_is_explained(self, home: Home) -> None:
        """With the command to type; exit code 2 as for a missing value."""
        done = home.run("config", "set", "aliases.fast=qwen 4b")
        assert done.returncode == 2
        assert """Missing argument 'VALUE': type "gglib config set aliases.fast 'qwen 4b'".""" in done.stderr
        assert home.run("config", "set", "port").stderr.endswith("Missing argument 'VALUE'.\n")

    def test_a_file_that_is_not_toml_is_left_alone(self, home: Home) -> None:
        """The error has the line and the problem."""
        home.set("slots = = 2")
        before = config_of(home)
        assert "is not valid TOML" in home.refused("config", "set", "slots", "2")
        assert config_of(home) == before

    def test_the_first_setting_creates_the_file(self, home: Home) -> None:
        """With access for its owner only, as its home."""
        path = home.path / "new" / "config.toml"
        home.variables = {"GGLIB_HOME": str(path.parent)}
        home.ok("config", "set", "port", "0")
        assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("port = 0\n", 0o600)
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    def test_a_variable_that_overrides_it_is_named(self, configured: Home) -> None:
        """The file is written all the same."""
        configured.variables = {"GGLIB_PORT": "7"}
        done = configured.run("config", "set", "port", "9000")
        assert done.stderr == "Warning: GGLIB_PORT is set in the environment and overrides config.toml.\n"
        assert "port = 9000" in config_of(configured)

    def test_a_running_server_applies_it_or_needs_a_restart(self, stocked: Home) -> None:
        """As the command says."""
        with stocked.serving() as server:
            assert "applies it within seconds" in stocked.ok("config", "set", "slots", "2")
            wait_until(lambda: "slots 4 -> 2" in log_of(stocked))
            assert "after a restart: 'gglib stop --server'" in stocked.ok("config", "set", "port", "9000")
            assert json.loads(stocked.ok("ps", "--json"))["server"]["url"] == server.url

    def test_unset_restores_the_default(self, configured: Home) -> None:
        """With the comment on the line."""
        configured.ok("config", "unset", "port")
        assert config_of(configured) == CONFIG.replace("port = 0  # any\n", "")
        assert "does not set 'port'" in configured.refused("config", "unset", "port")
        assert "'gglib key revoke NAME'" in configured.refused("config", "unset", "api_keys.jobs")

    def test_a_misspelt_key_can_be_removed(self, home: Home) -> None:
        """It prevents a start; no other command would remove it."""
        home.set("prot = 1")
        home.ok("config", "unset", "prot")
        assert "prot" not in config_of(home)
        assert "There is no setting 'prot'" in home.refused("config", "unset", "prot")

    def test_names_that_no_model_has_are_warned_of(self, stocked: Home) -> None:
        """The setting is written; `doctor` and the commands that use it name it, too."""
        unknown = "Setting 'default_model': Model 'tinny' is not in the catalogue."
        assert f"Warning: {unknown}" in stocked.run("config", "set", "default_model", "tinny").stderr
        assert unknown in stocked.run("doctor").stdout
        stocked.ok("config", "set", "port", "18080")
        self.assert_named_by_connect(stocked, unknown)
        stocked.ok("config", "set", "port", "0")
        with stocked.serving():
            self.assert_named_by_connect(stocked, unknown)
        assert stocked.run("config", "set", "default_model", "tiny").stderr == ""

    def assert_named_by_connect(self, home: Home, unknown: str) -> None:
        """Only where the name is that of the setting."""
        typed = home.run("connect", "curl", "--model", "tinny").stderr
        assert typed.startswith("Error: Model 'tinny'")
        assert home.run("connect", "curl").stderr.startswith(f"Error: {unknown}")

    def test_a_removed_model_is_named_with_its_settings(self, stocked: Home) -> None:
        """As after a renaming."""
        stocked.ok("config", "set", "default_model", "tiny")
        done = stocked.run("rm", "tiny")
        assert done.returncode == 0
        assert done.stderr == "These settings still name 'tiny': default_model.\n"

    def test_a_host_that_needs_a_key_is_warned_of(self, home: Home) -> None:
        """Before the next start is refused."""
        warning = "is reachable from other machines and no access key is set: 'gglib key new NAME' makes one"
        assert warning in home.run("config", "set", "host", "box.lan").stderr
        home.ok("key", "new", "alice")
        assert "no access key" not in home.run("config", "set", "host", "other.lan").stderr

    def test_keys_are_not_taken_from_the_command_line(self, configured: Home) -> None:
        """The process list would show them."""
        assert "'gglib key new NAME'" in configured.refused("config", "set", "api_keys.a", "SECRET-of-a")
        assert config_of(configured) == CONFIG


class TestEdit:
    """The user's editor."""

    @staticmethod
    def editor(home: Home, line: str) -> None:
        """Set an editor that appends a line."""
        program = home.path / "editor"
        program.write_text(f"#!/bin/sh\necho '{line}' >> \"$1\"\n")
        program.chmod(0o755)
        home.variables = {"VISUAL": str(program)}

    def test_the_result_is_checked(self, home: Home) -> None:
        """Each problem is a sentence."""
        self.editor(home, "slots = 2")
        assert home.ok("config", "edit").startswith("config.toml is valid.")
        assert config_of(home).endswith("slots = 2\n")
        self.editor(home, 'ctx = "many"')
        done = home.process("config", "edit")
        assert done.returncode == 1
        assert "'ctx' in" in done.stderr
        assert "'gglib config edit' opens it again" in done.stderr

    def test_the_editor_has_the_terminal(self, home: Home) -> None:
        """It reads the keys and shows its own text."""
        program = home.path / "editor"
        program.write_text('#!/bin/sh\nprintf "A line: "\nread line\necho "$line" >> "$1"\n')
        program.chmod(0o755)
        env = home.environment | {"EDITOR": str(program), "VISUAL": ""}
        with terminal([sys.executable, "-m", "gglib", "config", "edit"], env=env) as screen:
            screen.wait_for("A line: ")
            screen.send("slots = 3" + ENTER)
            assert screen.wait_for_exit() == 0
        assert "config.toml is valid." in screen.text
        assert config_of(home).endswith("slots = 3\n")

    def test_the_path_is_printed(self, home: Home) -> None:
        """For other programs."""
        assert home.ok("config", "path") == f"{home.path}/config.toml\n"


def test_starting_does_not_import_the_editor_of_toml() -> None:
    """Its import takes longer than the rest of a short command."""
    modules = (
        "gglib.cli.app",
        "gglib.cli.commands.start.serve",
        "gglib.cli.commands.start.up",
        "gglib.app.serving.server",
    )
    code = f"import sys, {', '.join(modules)}; sys.exit('tomlkit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestHints:
    """Commands in messages can be typed as they stand."""

    def test_a_module_with_a_home_is_named_as_it_was_started(self, tmp_path: Path) -> None:
        """The hint of an empty catalogue, run by a shell, works on the same home."""
        home = tmp_path / "my home"
        command = [sys.executable, "-m", "gglib", "--home", str(home), "list"]
        with terminal(command, env=dict(os.environ), columns=300) as screen:
            assert screen.wait_for_exit() == 0
        assert f"\"{AS_STARTED} --home '{home}' up\" downloads a starter model" in screen.text

    def test_a_path_is_named_as_it_was_typed(self, home: Home) -> None:
        """Relative to the directory, unless the PATH finds the same program as ``gglib``."""
        script = home.path / "gglib"
        script.write_text(f"#!{sys.executable}\nfrom gglib.cli import main\nmain()\n")
        script.chmod(0o755)
        environment = home.environment
        for path, command, shown in (
            (os.environ["PATH"], "./gglib", "./gglib"),
            (f"{home.path}:{os.environ['PATH']}", "gglib", "gglib"),
        ):
            line = ["/bin/sh", "-c", f"{command} list; {command} list --nope"]
            with terminal(line, env=environment | {"PATH": path}, columns=200, cwd=home.path) as screen:
                screen.wait_for_exit()
            assert f"'{shown} up' downloads a starter model" in screen.text
            assert f"Try '{shown} list --help' for help." in screen.text


LOCAL = sorted({*COMMANDS} - {"up", "serve", "connect", "completion", "service"})
ARGUMENTS = {
    "run": ("none", "Hello"),
    "launch": ("codex",),
    "pull": ("--discard", "none"),
    "add": ("none.gguf",),
    "profile": ("list",),
    "config": ("path",),
    "key": ("list",),
    "node": ("list",),
    "cluster": ("status",),
    "engine": ("list",),
    "import": ("--dry-run",),
    "search": ("none",),
}
NEEDS_A_MODEL = ("show", "set", "tune", "rm", "load", "unload", "pin", "unpin")


@pytest.mark.parametrize("command", LOCAL)
def test_every_command_warns_of_an_unknown_variable_once(home: Home, command: str) -> None:
    """Also one that fails, or that needs no server.

    The list of ``connect`` uses no settings, and a service not those of a shell.
    """
    home.variables = {"GGLIB_MAX_MODLES": "3", "HOME": str(home.path)}
    arguments = ARGUMENTS.get(command, ("none",) if command in NEEDS_A_MODEL else ())
    if command == "set":
        arguments = ("none", "--ctx", "1")
    if command == "backup":
        arguments = (str(home.path / "backup.zip"),)
    if command == "restore":
        arguments = (str(home.path / "no-backup.zip"),)
        (home.path / "no-backup.zip").write_bytes(b"no backup")
    done = home.run(command, *arguments)
    output = done.stderr + (done.stdout if command == "doctor" else "")
    warning = "Unknown environment variable GGLIB_MAX_MODLES: did you mean GGLIB_MAX_MODELS"
    assert output.count(warning) == 1, (done.stdout, done.stderr)


def test_serve_warns_of_an_unknown_variable_once(stocked: Home) -> None:
    """Also after a reload."""
    stocked.variables = {"GGLIB_MAX_MODLES": "3"}
    with stocked.serving():
        stocked.variables = {}
        stocked.ok("reload")
    assert (stocked.path / "stderr.txt").read_text().count("GGLIB_MAX_MODLES") == 1
