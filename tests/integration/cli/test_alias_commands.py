"""``gglib alias``, and aliases in ``list``, ``show``, ``run`` and a running server."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest
from tests.support.waiting import wait_until

from gglib.core.defaults import IN_MEMORY_ALIAS
from gglib.testing import read_record, write_tiny_gguf

from .conftest import Home
from .test_reload import log_of
from .test_server_commands import ANSWER

KEY = "SECRET-of-alice"


@pytest.fixture
def twice(stocked: Home) -> Home:
    """Yield a home with the models ``tiny`` and ``Org/other:Q4``, and a comment in ``config.toml``."""
    file = write_tiny_gguf(stocked.path / "other.gguf", seed=7)
    stocked.ok("add", str(file), "--name", "Org/other:Q4")
    stocked.set("# of this machine")
    return stocked


def config_of(home: Home) -> str:
    """Return the text of ``config.toml`` after its comment."""
    return (home.path / "config.toml").read_text(encoding="utf-8").partition("# of this machine\n")[2]


def rows_of(home: Home, *words: str) -> dict[str, Any]:
    """Return the sources and the models of all aliases, by name."""
    rows = json.loads(home.ok(*words, "alias", "--json"))
    return {row["name"]: (row["source"], row["models"]) for row in rows}


BUILT_IN: dict[str, Any] = {IN_MEMORY_ALIAS: ("built-in", [])}


class TestCatalogue:
    def test_a_name_for_one_model_is_an_alias_of_it(self, twice: Home) -> None:
        """The file of the settings stays as it is."""
        assert twice.ok("alias", "chat", "1") == "'chat' is now tiny.\n"
        assert json.loads(twice.ok("show", "chat", "--json"))["aliases"] == ["chat"]
        assert rows_of(twice) == {"chat": ("catalogue", ["tiny"]), **BUILT_IN}
        assert config_of(twice) == ""
        assert twice.ok("alias", "CHAT", "tiny") == "'CHAT' is now tiny.\n"  # no second one
        assert rows_of(twice) == {"chat": ("catalogue", ["tiny"]), **BUILT_IN}

    def test_an_alias_moves_to_another_model(self, twice: Home) -> None:
        """The model before it keeps its other aliases."""
        twice.ok("set", "tiny", "--alias", "chat", "--alias", "small")
        assert twice.ok("alias", "Chat", "Org/other:Q4") == "'Chat' is now Org/other:Q4. It was tiny.\n"
        assert rows_of(twice) == {
            "small": ("catalogue", ["tiny"]),
            "Chat": ("catalogue", ["Org/other:Q4"]),
            **BUILT_IN,
        }

    def test_an_alias_is_removed(self, twice: Home) -> None:
        """In any case; the others stay."""
        twice.ok("set", "tiny", "--alias", "chat", "--alias", "small")
        assert twice.ok("alias", "--rm", "CHAT") == "Removed the alias 'CHAT' of tiny.\n"
        assert rows_of(twice) == {"small": ("catalogue", ["tiny"]), **BUILT_IN}


class TestConfig:
    def test_lists_and_patterns_are_entries_of_the_file(self, twice: Home) -> None:
        """With the catalogue's names of the models; a comment and other settings stay."""
        said = twice.ok("alias", "fast", "ORG/other:q4", "1", "tiny")
        assert said == "'fast' is now Org/other:Q4, tiny, the first that can run.\n"
        assert twice.ok("alias", "gpt-*", "tiny") == "'gpt-*' is now tiny.\n"
        assert config_of(twice) == '\n[aliases]\nfast = ["Org/other:Q4", "tiny"]\n"gpt-*" = "tiny"\n'
        assert rows_of(twice) == {
            "fast": ("config", ["Org/other:Q4", "tiny"]),
            "gpt-*": ("config", ["tiny"]),
            **BUILT_IN,
        }

    def test_an_entry_is_replaced_and_removed(self, twice: Home) -> None:
        """Under its own spelling."""
        twice.set('[aliases]\n"gpt-*" = "tiny" # for an editor\nfast = ["none", "tiny"]')
        assert twice.ok("alias", "GPT-*", "2") == "'gpt-*' is now Org/other:Q4. It was tiny.\n"
        assert (
            twice.ok("alias", "--rm", "FAST") == "Removed the alias 'fast' of none, tiny from config.toml.\n"
        )
        assert config_of(twice) == '[aliases]\n"gpt-*" = "Org/other:Q4" # for an editor\n'

    def test_the_built_in_pattern_is_replaced(self, twice: Home) -> None:
        """And back again."""
        twice.ok("alias", IN_MEMORY_ALIAS, "tiny")
        assert rows_of(twice) == {IN_MEMORY_ALIAS: ("config", ["tiny"])}
        twice.ok("alias", "--rm", IN_MEMORY_ALIAS)
        assert rows_of(twice) == BUILT_IN
        assert "built in" in twice.refused("alias", "--rm", IN_MEMORY_ALIAS)

    def test_a_name_is_either_of_a_model_or_a_list(self, twice: Home) -> None:
        """The other one would have no effect, so it is removed."""
        twice.ok("alias", "chat", "tiny")
        said = twice.ok("alias", "chat", "2", "1")
        assert said == "'chat' is now Org/other:Q4, tiny, the first that can run. It was tiny.\n"
        assert rows_of(twice) == {"chat": ("config", ["Org/other:Q4", "tiny"]), **BUILT_IN}
        assert twice.ok("alias", "CHAT", "tiny") == "'CHAT' is now tiny. It was Org/other:Q4, tiny.\n"
        assert rows_of(twice) == {"CHAT": ("catalogue", ["tiny"]), **BUILT_IN}
        assert config_of(twice) == "\n[aliases]\n"

    def test_a_pattern_that_matches_a_model_says_so(self, twice: Home) -> None:
        """On stderr; the name of the model keeps its meaning, and a pattern of no model says nothing."""
        twice.ok("alias", "t1", "tiny")
        done = twice.run("alias", "t*", "2")
        assert done.stderr == "It also matches names in the catalogue, which keep their models: tiny, t1.\n"
        assert twice.run("alias", "gpt-*", "2").stderr == ""
        assert json.loads(twice.ok("show", "tiny", "--json"))["name"] == "tiny"

    def test_the_variable_replaces_the_file(self, twice: Home) -> None:
        """A change of the file would have no effect, so it is refused."""
        twice.variables = {"GGLIB_ALIASES": "fast=tiny"}
        assert twice.refused("alias", "gpt-*", "1", "2") == (
            "GGLIB_ALIASES is set and replaces the aliases of config.toml: add 'gpt-*=tiny,Org/other:Q4' to it."
        )
        assert "remove 'fast' there" in twice.refused("alias", "--rm", "fast")
        assert "GGLIB_ALIASES" in twice.ok("alias", "fast")
        twice.ok("alias", "fast", "2")
        assert "ignored: a model has this name" in twice.ok("alias")
        twice.ok("alias", "--rm", "fast")
        assert rows_of(twice) == {"fast": ("config", ["tiny"]), **BUILT_IN}
        assert config_of(twice) == ""

    def test_a_file_that_cannot_be_changed_is_an_error(self, twice: Home) -> None:
        """It says what to write."""
        twice.set('aliases = "fast=tiny"')
        said = twice.refused("alias", "gpt-*", "tiny")
        assert said.endswith('write "gpt-*" = "tiny" below [aliases] in it.')


class TestErrors:
    @pytest.mark.parametrize(
        ("words", "reason"),
        [
            (
                ("tiny", "2"),
                "'tiny' is the name of a model, which precedes every alias: choose another alias.",
            ),
            (("TINY", "1", "2"), "'tiny' is the name of a model"),
            (("x", "none"), "Model 'none' is not in the catalogue"),
            (("x*", "tiny", "none"), "Model 'none' is not in the catalogue"),
            (("x", "fast"), "'fast' is an alias list: use one of its models, tiny."),
            (("9", "tiny"), "looks like an id: add a letter"),
            (("none",), "There is no alias 'none': 'gglib alias none MODEL' adds one."),
            (("--rm", "none"), "There is no alias 'none': 'gglib alias' lists the aliases."),
            (("--rm", "tiny"), "'tiny' is the name of a model: 'gglib alias' lists the aliases."),
        ],
    )
    def test_a_command_is_refused_in_one_sentence(
        self, twice: Home, words: tuple[str, ...], reason: str
    ) -> None:
        """Nothing changes."""
        twice.set('[aliases]\nfast = ["tiny"]')
        before = rows_of(twice), config_of(twice)
        assert reason in twice.refused("alias", *words)
        assert (rows_of(twice), config_of(twice)) == before

    @pytest.mark.parametrize("words", [("--rm",), ("--rm", "a", "b")])
    def test_wrong_words_show_the_usage(self, twice: Home, words: tuple[str, ...]) -> None:
        """Exit code 2, as for every command."""
        done = twice.run("alias", *words)
        assert done.returncode == 2
        assert "gglib alias --rm NAME" in done.stderr


class TestOutput:
    def test_the_table_has_models_and_sources(self, twice: Home) -> None:
        """Missing models and ignored entries are marked."""
        twice.set('[aliases]\nfast = ["none", "tiny"]\ntiny = "Org/other:Q4"')
        twice.ok("alias", "chat", "tiny")
        lines = [line.split("  ") for line in twice.ok("alias").splitlines()]
        assert [[cell.strip() for cell in line if cell.strip()] for line in lines] == [
            ["ALIAS", "MODELS", "FROM"],
            ["chat", "tiny", "catalogue"],
            ["fast", "none (missing), tiny", "config.toml"],
            ["tiny", "ignored: a model has this name", "config.toml"],
            [IN_MEMORY_ALIAS, "the model in memory, else the default model", "built-in"],
        ]
        assert twice.ok("alias", "FAST").splitlines()[1].startswith("fast")

    def test_changes_as_json(self, twice: Home) -> None:
        """For scripts."""
        twice.ok("alias", "fast", "1", "2")
        assert json.loads(twice.ok("alias", "fast", "tiny", "--json")) == {
            "name": "fast",
            "models": ["tiny"],
            "previous_models": ["tiny", "Org/other:Q4"],
        }
        assert json.loads(twice.ok("alias", "--rm", "fast", "--json")) == {
            "removed": "fast",
            "models": ["tiny"],
        }

    def test_list_and_show_have_the_lists_of_a_model(self, twice: Home) -> None:
        """Beside its own aliases, in tables and in JSON."""
        twice.ok("alias", "chat", "tiny")
        twice.set('[aliases]\nfast = ["tiny", "Org/other:Q4"]\n"gpt-*" = "Org/other:Q4"')
        tiny, other = json.loads(twice.ok("list", "--json"))
        assert (tiny["aliases"], tiny["alias_lists"]) == (["chat"], ["fast"])
        assert (other["aliases"], other["alias_lists"]) == ([], ["fast", "gpt-*"])
        assert json.loads(twice.ok("show", "2", "--json")) == other
        assert "chat, fast" in twice.ok("list")
        assert "Alias lists:  fast, gpt-*\n" in twice.ok("show", "Org/other:Q4")
        assert json.loads(twice.ok("pin", "2", "--json"))["alias_lists"] == ["fast", "gpt-*"]


class TestServer:
    def test_a_running_server_applies_a_pattern_without_a_reload(self, twice: Home) -> None:
        """It watches the file; an alias of a model is known at once. A chat takes both."""
        with twice.serving():
            twice.ok("alias", "gpt-*", "tiny")
            wait_until(lambda: "reloaded the settings: aliases" in log_of(twice))
            assert twice.ok("run", "gpt-4o", "Hello").strip() == ANSWER
            twice.ok("alias", "gpt-4o", "2")
            assert "Loaded 'Org/other:Q4'" in twice.ok("load", "gpt-4o")
            assert "Loaded 'tiny'" in twice.ok("load", "gpt-5")
            assert twice.ok("unload", "gpt-5") == "Unloaded tiny.\n"
        assert "matches the alias 'gpt-*': use one of its models, tiny." in twice.refused("rm", "gpt-5")
        assert twice.ok("run", "gpt-6", "Hello").strip() == ANSWER  # without a server

    def test_requests_for_claude_use_the_engine_that_runs(self, twice: Home) -> None:
        """One engine is started, although no model has these names and the default is the other model."""
        twice.set('default_model = "tiny"')
        with twice.serving() as server:
            twice.ok("load", "2")
            for name in ("claude-opus-4-8", "claude-haiku-4-5"):
                assert status_of_chat(server.url, name) == 200
            started = [event for event in read_record(twice.record) if event["event"] == "start"]
            assert len(started) == 1
            assert "tiny" not in twice.ok("ps")


def status_of_chat(url: str, model: str) -> int:
    """Return the status of a chat."""
    import http.client
    from contextlib import closing
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}]}
    with closing(connection):
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        return connection.getresponse().status


@pytest.fixture
def here() -> Iterator[Home]:
    """Yield the home of the machine that the commands run on."""
    path = Path(tempfile.mkdtemp(prefix="gg-"))
    world = Home(path)
    world.variables = {"GGLIB_REMOTE_KEY": KEY, "GGLIB_ALIASES": "mine=none"}
    yield world
    assert not (path / "gglib.db").exists(), "the catalogue of this machine is not opened"
    rmtree(path)


class TestRemote:
    def test_aliases_of_models_are_changed_on_the_server(self, twice: Home, here: Home) -> None:
        """With the same output as there, and its table has the lists of its settings."""
        twice.set(f'[api_keys]\nalice = "{KEY}"\n[aliases]\nfast = ["none", "tiny"]\n"gpt-*" = "tiny"')
        (twice.path / "config.toml").chmod(0o600)
        with twice.serving() as server:
            url = ("--url", server.url)

            def ok(*words: str) -> str:
                done = here.process(*url, *words)
                assert done.returncode == 0, done.stderr
                return done.stdout

            def refused(*words: str) -> str:
                done = here.process(*url, *words)
                assert done.returncode == 1
                return done.stderr.splitlines()[-1].removeprefix("Error: ")

            assert ok("alias", "chat", "tiny") == "'chat' is now tiny.\n"
            assert ok("alias", "chat", "tiny") == "'chat' is now tiny.\n"
            assert ok("alias", "small", "1") == "'small' is now tiny.\n"
            assert ok("alias", "Chat", "2") == "'Chat' is now Org/other:Q4. It was tiny.\n"
            assert ok("alias") == twice.ok("alias")
            assert ok("alias", "--json") == twice.ok("alias", "--json")
            assert ok("list") in twice.ok("list")
            assert "Alias lists:  fast, gpt-*" in ok("show", "tiny")
            assert ok("alias", "--rm", "small") == "Removed the alias 'small' of tiny.\n"
            assert rows_of(twice) == {
                "Chat": ("catalogue", ["Org/other:Q4"]),
                "fast": ("config", ["none", "tiny"]),
                "gpt-*": ("config", ["tiny"]),
                **BUILT_IN,
            }
            where = "Lists and patterns are in the config.toml of the server's machine: run "
            assert refused("alias", "x*", "1") == f"{where}\"gglib alias 'x*' 1\" there."
            assert refused("alias", "x", "1", "2") == f"{where}'gglib alias x 1 2' there."
            assert refused("alias", "--rm", "gpt-*") == f"{where}\"gglib alias --rm 'gpt-*'\" there."
            assert "There is no alias 'none'" in refused("alias", "--rm", "none")
            assert "'tiny' is the name of a model" in refused("alias", "TINY", "2")
            assert "Model 'none' is not in the catalogue" in refused("alias", "x", "none")
            assert ok("run", "gpt-4", "Hello").strip() == ANSWER
