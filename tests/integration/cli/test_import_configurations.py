"""``gglib import`` for the configurations of llama-swap and of llama.cpp's router, on files and a real catalogue."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from gglib.testing import write_tiny_gguf

from .conftest import Home
from .test_local_model_commands import on_a_terminal

EXAMPLES = Path(__file__).parents[2] / "support" / "configurations"


@pytest.fixture(name="files")
def make_files(home: Home) -> Path:
    """Return a directory with both configurations and their models."""
    directory = home.path / "swap"
    (directory / "models").mkdir(parents=True)
    for seed, name in enumerate(("chat", "embed", "talker", "vectors")):
        write_tiny_gguf(directory / "models" / f"{name}.gguf", name=name, seed=seed)
    for example in EXAMPLES.iterdir():
        shutil.copy(example, directory)
    home.variables["SWAP_MODELS"] = str(directory / "models")
    home.variables["CLOUD_KEY"] = "sk-never-shown-4"
    return directory


def shown(home: Home, *arguments: str) -> Any:
    """Return the output of a command with ``--json``."""
    return json.loads(home.ok(*arguments, "--json"))


def config(home: Home) -> str:
    """Return the settings file."""
    return (home.path / "config.toml").read_text(encoding="utf-8")


class TestLlamaSwap:
    def test_a_dry_run_shows_everything_and_changes_nothing(self, home: Home, files: Path) -> None:
        """Models, whole commands, settings, and what is not imported; no secret."""
        before = config(home)
        output = home.ok("import", "llama-swap", str(files / "llama-swap.yaml"), "--dry-run")
        for words in (
            "gpt-4o-mini, helper, brief, chat-again",
            "docker run --rm -p '{port}:8080' -v /models:/models example/server -m /models/boxed.gguf",
            "A request for 'speech' runs (with LANGUAGE): python3 serve.py",
            "max_models  1     3",
            "'gglib pull --name hub example/tiny-GGUF:Q4_K_M', or 'gglib import hf'",
            "'gglib key new NAME' makes a key",
            "apiKeys",
        ):
            assert words in output
        assert "never-shown" not in output
        assert shown(home, "list") == []
        assert config(home) == before

    def test_yes_imports_everything_in_one_go(self, home: Home, files: Path) -> None:
        """Models, their settings, profiles and settings of the server are there afterwards."""
        output = home.ok("import", "llama-swap", str(files / "llama-swap.yaml"), "--yes")
        assert "Added 'chat'." in output
        assert "Set max_models in" in output
        models = {model["name"]: model for model in shown(home, "list")}
        assert list(models) == [
            "chat",
            "embed",
            "speech",
            "boxed",
            "elsewhere",
            "large/one",
            "large/two",
            "box-model",
        ]
        chat = models["chat"]
        assert (chat["context"], chat["idle_ttl_s"]) == (1024, 120.0)
        assert chat["engine_args"] == ["--batch-size", "64", "--threads", "1", "--temp", "0.7"]
        profiles = {(each["model"], each["name"]) for each in shown(home, "profile", "list")}
        assert {("chat", "filters"), ("chat", "short"), ("large/two", "filters")} <= profiles
        assert {'log_level = "warning"', "max_models = 3", 'preload = ["chat"]'} <= set(
            config(home).splitlines()
        )

    def test_a_second_import_changes_nothing(self, home: Home, files: Path) -> None:
        """It says so."""
        file = str(files / "llama-swap.yaml")
        home.ok("import", "llama-swap", file, "--yes")
        before = (shown(home, "list"), shown(home, "profile", "list"), config(home))
        output = home.ok("import", "llama-swap", file, "--yes")
        assert "Nothing to import: everything else is there already." in output
        assert (shown(home, "list"), shown(home, "profile", "list"), config(home)) == before

    def test_settings_that_are_set_stay(self, home: Home, files: Path) -> None:
        """The command that changes one is shown, and works."""
        home.set("max_models = 2")
        output = home.ok("import", "llama-swap", str(files / "llama-swap.yaml"), "--yes")
        assert "config.toml sets max_models to 2 already. Instead: 'gglib config set max_models 3'" in output
        assert "max_models = 2" in config(home)

    def test_json_has_the_plan_and_then_the_results(self, home: Home, files: Path) -> None:
        """Without ``--yes`` it changes nothing; what was not imported is part of both."""
        file = str(files / "llama-swap.yaml")
        plan = json.loads(home.ok("import", "llama-swap", file, "--json"))
        assert {model["name"]: model["state"] for model in plan["models"]} == {
            "chat": "new",
            "embed": "new",
            "speech": "new",
            "boxed": "new",
            "hub": "skipped",
            "elsewhere": "new",
            "missing": "skipped",
            "large/one": "new",
            "large/two": "new",
            "box-model": "new",
        }
        assert shown(home, "list") == []
        done = json.loads(home.ok("import", "llama-swap", file, "--json", "--yes"))
        assert done["models"][0]["state"] == "added"
        assert done["settings"][0] == {
            "setting": "log_level",
            "from": "logLevel",
            "before": "info",
            "after": "warning",
        }
        assert done["not_imported"] == plan["not_imported"]
        assert "never-shown" not in json.dumps(done)

    def test_a_terminal_is_asked_after_the_list(self, home: Home, files: Path) -> None:
        """'n' changes nothing, 'y' imports."""
        file = str(files / "llama-swap.yaml")
        code, output = on_a_terminal(home, "import", "llama-swap", file, answer="n")
        assert (code, shown(home, "list")) == (0, [])
        assert output.index("python3 serve.py") < output.index("Import this?")
        code, output = on_a_terminal(home, "import", file, answer="y")
        assert (code, len(shown(home, "list"))) == (0, 8)

    def test_without_a_terminal_nothing_is_imported(self, home: Home, files: Path) -> None:
        """The sentence has the command to type."""
        file = str(files / "llama-swap.yaml")
        sentence = home.refused("import", "llama-swap", file)
        command = f"'gglib import --yes llama-swap {file}'"
        assert sentence == f"Nothing was imported in non-interactive mode: {command} imports what is listed."
        assert shown(home, "list") == []

    def test_nothing_of_the_file_is_run(self, home: Home, files: Path) -> None:
        """Neither commands nor programs that they name: each would leave a mark."""
        mark = home.path / "ran"
        program = home.path / "llama-server-9"
        program.write_text(f"#!/bin/sh\ntouch {mark}\n")
        program.chmod(0o755)
        file = files / "run.yaml"
        file.write_text(
            "models:\n"
            f"  a: {{cmd: '{program} --port ${{PORT}} -m models/chat.gguf --new 1', cmdStop: 'touch {mark}'}}\n"
            f"  b: {{cmd: 'touch {mark} ${{PORT}} $(touch {mark}) `touch {mark}`'}}\n"
        )
        home.ok("import", "llama-swap", str(file), "--yes")
        assert len(shown(home, "list")) == 2
        assert not mark.exists()

    def test_what_no_engine_may_get_is_listed(self, home: Home) -> None:
        """An import adds no model that cannot be loaded or changed because of its options or variables."""
        write_tiny_gguf(home.path / "m.gguf", name="m")
        file = home.path / "c.yaml"
        file.write_text(
            "models: {m: {cmd: 'llama-server -m m.gguf --kv-unified --temp 0.5 --port ${PORT}', "
            "env: [LD_PRELOAD=x.so, CUDA_VISIBLE_DEVICES=1]}}"
        )
        output = home.ok("import", "llama-swap", str(file), "--yes")
        assert "models.m --kv-unified: " in output
        assert (
            "models.m.env LD_PRELOAD: the environment variable 'LD_PRELOAD' cannot be set for an engine"
            in output
        )
        assert "x.so" not in output
        lines = [" ".join(line.split()) for line in home.ok("show", "m").splitlines()]
        assert {"Engine args: --temp 0.5", "Environment: CUDA_VISIBLE_DEVICES=1"} <= set(lines)
        home.ok("set", "m", "--env", "CUDA_VISIBLE_DEVICES=0")
        with home.serving():
            home.ok("load", "m")

    def test_a_changed_file_adds_what_is_new(self, home: Home, files: Path) -> None:
        """A model that was added to it, and a setting that a model lacks."""
        file = files / "own.yaml"
        file.write_text("models:\n  a: {cmd: 'llama-server --port ${PORT} -m models/chat.gguf'}\n")
        home.ok("import", str(file), "--yes")
        file.write_text(
            "models:\n  a: {cmd: 'llama-server --port ${PORT} -m models/chat.gguf -c 64', aliases: [x]}\n"
            "  b: {cmd: 'llama-server --port ${PORT} -m models/embed.gguf'}\n"
        )
        output = home.ok("import", str(file), "--yes")
        assert "Changed 'a'." in output
        assert "Added 'b'." in output
        first, second = shown(home, "list")
        assert (first["context"], first["aliases"], second["name"]) == (64, ["x"], "b")

    def test_names_and_commands_are_escaped(self, home: Home, files: Path) -> None:
        """No control sequence of the file reaches the terminal."""
        file = files / "hostile.yaml"
        file.write_text(
            'models:\n  a: {cmd: "serve ${PORT} \\e[2J", aliases: ["b\\e[2J"], new\\e: 1}\n'
            '  "c\\e[2J": {cmd: "serve ${PORT}"}\n'
        )
        output = home.ok("import", str(file), "--yes")
        assert output.replace("\n", "").isprintable()


class TestRouter:
    def test_presets_become_models(self, home: Home, files: Path) -> None:
        """Also without the program's name; options that apply to all come first."""
        output = home.ok("import", str(files / "presets.ini"), "--yes")
        assert "Added 'talker'." in output
        assert "'gglib pull example/tiny-GGUF:Q4_K_M', or 'gglib import hf'" in output
        assert "never-shown" not in output
        talker, vectors = shown(home, "list")
        assert (talker["name"], talker["context"], talker["aliases"]) == (
            "talker",
            1024,
            ["chatty", "chatter"],
        )
        assert (vectors["kind"], vectors["context"]) == ("embedding", 512)
        assert 'preload = ["talker"]' in config(home)
        assert "Nothing to import" in home.ok("import", "llama-cpp", str(files / "presets.ini"), "--yes")


class TestWrongUse:
    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (
                ("llama-swap",),
                "llama-swap has its models in a file: 'gglib import llama-swap FILE' imports it.",
            ),
            (
                ("llama-swap", "nowhere.yaml"),
                "The file nowhere.yaml does not exist: name a configuration file.",
            ),
            (("ollama", "x.yaml"), "'ollama' takes no file: name one of llama-swap, llama-cpp before it."),
            (("presets.ini",), "The file presets.ini does not exist: name a configuration file."),
        ],
    )
    def test_one_sentence(self, home: Home, arguments: tuple[str, ...], sentence: str) -> None:
        """It says what to type."""
        assert home.refused("import", *arguments) == sentence

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "is empty"),
            (b"models: [", "is not valid YAML"),
            (b"models:\n  a: {cmd: x, cmd: y}", "line 2, column 15: the key 'cmd' is there twice"),
            (b"models: {a: {cmd: [x]}}", "'models.a.cmd' must be a text, not a list"),
            (b"GGUF\0", "is not a text"),
            (b"a: \xff", "is not valid UTF-8"),
            (b"#" * 1_100_000, "is larger than 1 MB"),
        ],
    )
    def test_files_that_are_no_configuration(self, home: Home, content: bytes, words: str) -> None:
        """One sentence, and nothing is imported."""
        file = home.path / "c.yaml"
        file.write_bytes(content)
        assert words in home.refused("import", "llama-swap", str(file))
        assert shown(home, "list") == []

    def test_a_directory_is_no_configuration(self, home: Home) -> None:
        """The system's reason is part of the sentence."""
        assert "cannot be read" in home.refused("import", "llama-swap", str(home.path))
