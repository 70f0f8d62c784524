"""Names as users type them, several files and models at once, renaming, and JSON, on real catalogues and a server."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gglib.testing import write_tiny_gguf
from gglib.testing.local_hub import LocalHub

from .conftest import Home


@pytest.fixture
def shelf(home: Home) -> Home:
    """Yield a home with the models ``coder``, ``coder-large`` and ``chat``, whose files are in ``files``."""
    directory = home.path / "files"
    directory.mkdir()
    names = ("coder", "coder-large", "chat")
    files = [write_tiny_gguf(directory / f"{name}.gguf", seed=seed) for seed, name in enumerate(names)]
    home.ok("add", *map(str, files))
    return home


@pytest.fixture
def elsewhere() -> Iterator[Home]:
    """Yield the home of another machine, for ``--url``."""
    path = Path(tempfile.mkdtemp(prefix="gg-"))
    yield Home(path)
    shutil.rmtree(path)


def names(home: Home) -> list[str]:
    """Return the names in the catalogue."""
    return [model["name"] for model in parsed(home, "list")]


def parsed(home: Home, *command: str) -> Any:
    """Run a command that must succeed, and parse its JSON."""
    return json.loads(home.ok(*command, "--json"))


class TestAdd:
    def test_several_files_are_added_and_reported_one_by_one(self, shelf: Home) -> None:
        """Known files are no failure; what cannot be added is, and does not affect the others."""
        files = shelf.path / "files"
        new = write_tiny_gguf(files / "new.gguf", seed=7)
        done = shelf.run("add", str(files / "chat.gguf"), str(new))
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines() == [
            f"Already added: {files / 'chat.gguf'} is 'chat'.",
            f"Added 'new' (id 4): {new}",
        ]
        (files / "page.gguf").write_text("<!DOCTYPE html>")
        other = write_tiny_gguf(files / "other.gguf", seed=8)
        done = shelf.run("add", *sorted(str(file) for file in files.glob("*.gguf")), "--ctx", "512", "--json")
        assert done.returncode == 1
        assert done.stderr == (
            "Error: page.gguf cannot be added: not a GGUF file: it is a web page: its download needs a login, or "
            "another link.\n"
        )
        items = {Path(item["path"]).name: item for item in json.loads(done.stdout)}
        assert {name: item["state"] for name, item in items.items()} == {
            **dict.fromkeys(("chat.gguf", "coder.gguf", "coder-large.gguf", "new.gguf"), "known"),
            "other.gguf": "added",
            "page.gguf": "failed",
        }
        assert items["other.gguf"]["model"] == parsed(shelf, "show", "other")
        assert (items["other.gguf"]["model"]["context"], items["new.gguf"]["model"]["context"]) == (512, None)
        assert str(other) in shelf.ok("show", "other")

    def test_options_of_one_model_are_refused_for_several(self, shelf: Home) -> None:
        """Instead of being applied to the first."""
        files = [str(shelf.path / "files" / f"{name}.gguf") for name in ("coder", "chat")]
        for option in ("--name", "--alias", "--mmproj"):
            done = shelf.run("add", *files, option, "x")
            assert done.returncode == 2
            assert "are for one model" in done.stderr
        assert "Several arguments must be files" in shelf.run("add", *files, "owner/name").stderr
        assert "options are for one file" in shelf.run("add", "owner/name", "--ctx", "1").stderr

    def test_a_directory_is_imported(self, shelf: Home) -> None:
        """With the output of ``import``."""
        directory = str(shelf.path / "files")
        write_tiny_gguf(shelf.path / "files" / "new.gguf", seed=7)
        assert f"'gglib import --yes {directory}'" in shelf.refused("add", directory)
        assert shelf.ok("import", "--dry-run", directory) in shelf.ok("add", "--yes", directory)
        assert "new" in names(shelf)
        assert shelf.ok("add", directory) == shelf.ok("import", directory)
        assert parsed(shelf, "add", directory) == parsed(shelf, "import", directory)

    def test_a_model_of_the_hub_is_pulled(self, home: Home) -> None:
        """As by ``pull``, with its options; a URL that is no model says what to do."""
        content = write_tiny_gguf(home.path / "x.gguf").read_bytes()
        with LocalHub() as hub:
            hub.add_repository("ada/tiny", {"tiny-Q4_K_M.gguf": content})
            home.variables = {
                "HF_ENDPOINT": hub.url,
                "NO_PROXY": "127.0.0.1,localhost",
                "HF_HOME": str(home.path),
            }
            assert "'mine'" in home.ok("add", "hf://ada/tiny", "--name", "mine", "--yes")
            assert "ada/none" in home.refused("add", "ada/none:Q4_K_M")
            events = [json.loads(line) for line in home.ok("add", "ada/tiny", "--json").splitlines()]
            assert events[-1]["event"] == "done"
        assert parsed(home, "show", "mine")["source"]["repo"] == "ada/tiny"
        assert "download the file and add it" in home.refused("add", "https://example.org/model.zip")

    def test_a_name_that_is_a_number_says_which_option_to_use(self, home: Home) -> None:
        """A number would be taken for an id."""
        file = write_tiny_gguf(home.path / "7.gguf")
        assert home.refused("add", str(file)) == (
            "7.gguf cannot be added as '7', which would be taken for an id: choose another name with --name NAME."
        )
        assert "Added 'seven'" in home.ok("add", str(file), "--name", "seven")


class TestPrefixes:
    def test_a_unique_beginning_is_enough(self, shelf: Home) -> None:
        """For each command that takes a model, also as the target of an alias and of a profile."""
        assert "Name:         chat\n" in shelf.ok("show", "CH")
        assert shelf.ok("set", "coder-l", "--ctx", "512") == "Changed 'coder-large'.\n"
        assert parsed(shelf, "pin", "ch")["name"] == parsed(shelf, "unpin", "ch")["name"] == "chat"
        assert "chat: chat.gguf" in shelf.ok("verify", "ch")
        assert "'chat' has not run" in shelf.run("logs", "ch").stderr
        assert shelf.ok("alias", "best", "coder-l") == "'best' is now coder-large.\n"
        assert "'chat:brief'" in shelf.ok("profile", "set", "brief", "--model", "ch", "--top-k", "1")
        assert "Model:       chat\n" in shelf.ok("profile", "show", "brief", "--model", "ch")
        assert shelf.ok("run", "ch:brief", "Hello").strip() == "t0 t1 t2"

    @pytest.mark.parametrize("command", [("show",), ("rm",), ("run",), ("logs",), ("set", "--ctx", "1")])
    def test_candidates_of_an_ambiguous_beginning_are_listed(
        self, shelf: Home, command: tuple[str, ...]
    ) -> None:
        """And a whole name precedes those that it begins."""
        sentence = shelf.refused(*command, "cod")
        assert sentence == "Model 'cod' is ambiguous: use one of coder, coder-large."
        assert "Name:         coder\n" in shelf.ok("show", "coder")

    def test_a_pattern_for_all_names_hides_no_candidates(self, shelf: Home) -> None:
        """It is for requests; a command on one model cannot use it."""
        shelf.set('[aliases]\n"*" = "chat"')
        assert shelf.refused("show", "cod") == "Model 'cod' is ambiguous: use one of coder, coder-large."
        assert "Name:         coder-large\n" in shelf.ok("show", "coder-l")


class TestRemove:
    def test_several_models_are_removed_at_once(self, shelf: Home) -> None:
        """One line each, a model that is named twice once."""
        files = shelf.path / "files"
        assert shelf.ok("rm", "chat", "3", "coder").splitlines() == [
            f"Removed '{name}'. Its file stays: {files / name}.gguf" for name in ("chat", "coder")
        ]
        assert names(shelf) == ["coder-large"]

    def test_an_unknown_name_removes_nothing(self, shelf: Home) -> None:
        """All names are looked up first."""
        assert "'none' is not in the catalogue" in shelf.refused("rm", "chat", "none")
        assert len(names(shelf)) == 3

    def test_files_are_not_deleted_by_a_beginning_without_a_prompt(self, shelf: Home) -> None:
        """A script that removes a model twice must not delete another one."""
        shelf.ok("rm", "coder", "--files")
        assert shelf.refused("rm", "coder", "--files", "--yes") == (
            "'coder' is only the beginning of a name: without a prompt, 'gglib rm --files' needs whole names "
            "(coder-large)."
        )
        assert shelf.ok("rm", "coder").startswith("Removed 'coder-large'.")

    def test_removals_for_programs(self, shelf: Home) -> None:
        """The objects of the API; the total of the freed space is for readers."""
        done = parsed(shelf, "rm", "chat", "coder", "--files")
        assert [item["removed"]["name"] for item in done] == ["chat", "coder"]
        assert [item["freed_bytes"] for item in done] == [0, 0]
        assert done[0]["kept"][0]["reason"] == "gglib did not download it"
        shelf.ok("add", *(str(shelf.path / "files" / f"{name}.gguf") for name in ("chat", "coder")))
        last = shelf.ok("rm", "chat", "coder", "--files").splitlines()[-1]
        assert last == "Freed nothing of disk in total."


class TestRename:
    def test_a_model_gets_another_name(self, shelf: Home) -> None:
        """No model has the old name any more, and the settings that have it are listed."""
        shelf.set('preload = ["chat"]\n[aliases]\nfast = ["chat", "coder"]')
        done = shelf.run("set", "chat", "--name", "talk", "--ctx", "512")
        assert (done.returncode, done.stdout) == (0, "Renamed 'chat' to 'talk'.\n")
        assert done.stderr.splitlines() == [
            "These settings still name 'chat': preload, aliases 'fast'.",
            "Requests for 'chat' fail from now on: 'gglib set --add-alias chat talk' keeps the name.",
        ]
        shown = parsed(shelf, "show", "talk")
        assert (shown["name"], shown["id"], shown["context"]) == ("talk", 3, 512)
        assert "is not in the catalogue" in shelf.refused("show", "chat")
        done = shelf.run("set", "talk", "--name", "chat", "--add-alias", "talk")
        assert done.stderr == ""
        assert parsed(shelf, "show", "talk")["name"] == "chat"

    @pytest.mark.parametrize(
        ("name", "sentence"),
        [
            ("coder", "The name 'coder' is taken by model 'coder': choose another name."),
            ("7", "The model name '7' looks like an id: add a letter to it."),
            ("", "A model name must not be empty or begin or end with whitespace."),
        ],
    )
    def test_a_name_that_cannot_be_used_changes_nothing(self, shelf: Home, name: str, sentence: str) -> None:
        """As for a new model."""
        assert shelf.refused("set", "chat", "--name", name, "--ctx", "512") == sentence
        assert parsed(shelf, "show", "chat")["context"] is None

    def test_the_changed_model_for_programs(self, shelf: Home) -> None:
        """As ``show --json`` prints it."""
        changed = parsed(shelf, "set", "chat", "--name", "talk", "--add-alias", "chat")
        assert changed == parsed(shelf, "show", "talk")
        assert changed["aliases"] == ["chat"]


def test_a_running_server_here_and_from_elsewhere(shelf: Home, elsewhere: Home) -> None:
    """Beginnings of names, renaming and removal by the server, and its logs for programs."""
    shelf.set('[aliases]\nlist = ["coder", "chat"]')
    with shelf.serving() as server:
        there = ("--url", server.url)
        assert elsewhere.ok(*there, "run", "ch", "Hello").strip() == "t0 t1 t2"
        assert elsewhere.ok(*there, "load", "coder-l").startswith("Loaded 'coder-large'")
        assert shelf.ok("stop", "coder-l") == "Unloaded coder-large.\n"
        assert elsewhere.ok(*there, "set", "ch", "--ctx", "512") == "Changed 'chat'.\n"
        assert "'cod' is ambiguous" in elsewhere.refused(*there, "unload", "cod")
        assert "'cod' is ambiguous" in elsewhere.refused(*there, "show", "cod")
        assert "'list' is an alias list" in elsewhere.refused(*there, "rm", "list")
        assert "looks like an id" in elsewhere.refused(*there, "set", "chat", "--name", "7")
        done = elsewhere.run(*there, "set", "chat", "--name", "talk")
        assert done.stdout == "Renamed 'chat' to 'talk'.\n"
        assert "Requests for 'chat' fail" in done.stderr
        assert shelf.ok("run", "talk", "Hello").strip() == "t0 t1 t2"
        changed = parsed(elsewhere, *there, "set", "talk", "--idle-ttl", "1h")
        assert {**changed, "state": None} == {**parsed(shelf, "show", "talk"), "state": None}
        removed = parsed(elsewhere, *there, "rm", "talk", "coder")
        assert [item["removed"]["name"] for item in removed] == ["talk", "coder"]
        file = str(shelf.path / "files" / "chat.gguf")
        (item,) = parsed(elsewhere, *there, "add", file)
        assert item == {
            "path": file,
            "state": "added",
            "reason": None,
            "model": parsed(shelf, "show", "chat"),
        }
        lines = [json.loads(line) for line in shelf.ok("logs", "--json").splitlines()]
        assert any(
            line["level"] == "info" and "POST /v1/chat/completions" in line["message"] for line in lines
        )
        assert parsed(shelf, "stop", "--server")["server"]["url"] == server.url
