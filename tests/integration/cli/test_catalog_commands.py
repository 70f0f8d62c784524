"""add, list, show, set and rm on a real catalogue."""

import json
from pathlib import Path

import pytest

from .conftest import Home


def test_a_file_is_added_listed_shown_and_forgotten(home: Home) -> None:
    """A model is in the catalogue from add to rm, and its file stays in place."""
    added = home.ok("add", str(home.model_file), "--alias", "t1", "--alias", "t2", "--ctx", "2048")
    assert "'tiny' (id 1)" in added
    (model,) = json.loads(home.ok("list", "--json"))
    assert (model["name"], model["aliases"], model["context"]) == ("tiny", ["t1", "t2"], 2048)
    assert model["paths"] == [str(home.model_file)]
    assert model["state"] is None
    assert json.loads(home.ok("show", "t2", "--json")) == model
    assert "2048" in home.ok("show", "TINY")
    assert str(home.model_file) in home.ok("rm", "t1")
    assert home.model_file.is_file()
    assert json.loads(home.ok("list", "--json")) == []


def test_an_empty_catalogue_says_what_to_do(home: Home) -> None:
    """The list of an empty catalogue names the two ways to get a first model."""
    listed = home.run("list")
    assert (listed.returncode, listed.stdout) == (0, "")
    assert "gglib up" in listed.stderr


def test_a_table_for_a_pipe_is_not_cut(home: Home) -> None:
    """In a pipe the table contains long names in full."""
    name = "n" * 150
    home.ok("add", str(home.model_file), "--name", name)
    assert name in home.ok("list")


def test_the_same_file_again_is_refused(stocked: Home) -> None:
    """Adding a file twice names the existing model."""
    assert (
        stocked.refused("add", str(stocked.model_file)) == "tiny.gguf is already in the catalogue as 'tiny'."
    )


def test_what_is_no_model_is_refused_with_the_reason(home: Home, tmp_path: Path) -> None:
    """A missing file and a text file each have their own message; a directory is imported."""
    (tmp_path / "text.gguf").write_text("hello", encoding="utf-8")
    assert "does not exist" in home.refused("add", str(tmp_path / "none.gguf"))
    assert "text.gguf: not a GGUF file" in home.ok("add", str(tmp_path))
    assert "not a GGUF file" in home.refused("add", str(tmp_path / "text.gguf"))
    assert "must be a number of tokens" in home.refused("add", str(home.model_file), "--ctx", "lots")


def test_a_setting_is_changed_and_taken_back(stocked: Home) -> None:
    """``set`` changes only the named fields."""
    stocked.ok("set", "tiny", "--ctx", "1024", "--alias", "x")
    stocked.ok("set", "x", "--ctx", "512")
    changed = json.loads(stocked.ok("show", "tiny", "--json"))
    assert (changed["context"], changed["aliases"]) == (512, ["x"])
    stocked.ok("set", "tiny", "--ctx", "default", "--no-alias")
    changed = json.loads(stocked.ok("show", "tiny", "--json"))
    assert (changed["context"], changed["aliases"]) == (None, [])


def test_context_beyond_the_trained_one_is_a_warning(stocked: Home) -> None:
    """The setting stays, because another file of the model may allow it; without --ctx nothing is repeated."""
    trained = json.loads(stocked.ok("show", "tiny", "--json"))["trained_context"]
    assert stocked.run("set", "tiny", "--ctx", str(trained)).stderr == ""
    assert f"trained for {trained} tokens" in stocked.run("set", "tiny", "--ctx", str(trained + 1)).stderr
    assert stocked.run("set", "tiny", "--ctx", "max").stderr == ""
    assert stocked.run("set", "tiny", "--alias", "x").stderr == ""
    replaced = stocked.run("set", "tiny", "--alias", "y").stderr
    assert replaced == "'x' is no alias any more: 'gglib set --add-alias x tiny' adds it again.\n"
    assert stocked.run("set", "tiny").returncode == 2


def test_engine_arguments_are_set_shown_and_checked(stocked: Home) -> None:
    """Allowed engine arguments of a model are stored; others are refused in one sentence."""
    name = "tiny"
    assert stocked.run("set", name, "--engine-args", "--threads 1 --temp=0.5").returncode == 0
    assert "--threads 1 --temp=0.5" in stocked.run("show", name).stdout
    refused = stocked.run("set", name, "--engine-args", "--host 0.0.0.0")
    assert refused.returncode == 1
    assert "'--host'" in refused.stderr
    assert "--threads 1" in stocked.run("show", name).stdout
    assert stocked.run("set", name, "--engine-args", "").returncode == 0
    assert "--threads" not in stocked.run("show", name).stdout


def test_an_idle_time_is_set_shown_and_taken_back(home: Home) -> None:
    """A model is unloaded after the idle time given to add or set; an invalid duration changes nothing."""
    home.ok("add", str(home.model_file), "--idle-ttl", "10m")
    assert json.loads(home.ok("show", "tiny", "--json"))["idle_ttl_s"] == 600
    home.ok("set", "tiny", "--idle-ttl", "90m")
    assert home.refused("set", "tiny", "--idle-ttl", "soon") == (
        "--idle-ttl is 'soon', but it must be a time like 30s, 10m or 2h, or 'off'."
    )
    home.ok("set", "tiny", "--ctx", "512")
    assert "Idle TTL:     1 h 30 min\n" in home.ok("show", "tiny")
    home.ok("set", "tiny", "--idle-ttl", "off")
    assert json.loads(home.ok("show", "tiny", "--json"))["idle_ttl_s"] is None
    assert "Idle TTL" not in home.ok("show", "tiny")
    assert "--idle-ttl is ''" in home.refused("add", str(home.model_file), "--idle-ttl", "")


@pytest.mark.parametrize(
    "command", [("show",), ("rm",), ("logs",), ("verify",), ("pin",), ("set", "--ctx", "512")]
)
def test_commands_for_one_model_name_the_models_of_an_alias_list(
    stocked: Home, command: tuple[str, ...]
) -> None:
    """The user chooses one of those in the catalogue."""
    (stocked.path / "config.toml").write_text('[aliases]\nfast = ["none", "tiny"]\n')
    verb, *options = command
    assert "'fast' is an alias list: use one of its models, tiny." in stocked.refused(verb, "fast", *options)
    assert "Model 'none' is not in the catalogue." in stocked.refused(verb, "none", *options)


def test_an_unknown_name_suggests_similar_names(stocked: Home) -> None:
    """For an unknown name every command suggests similar names."""
    for command in (["show"], ["rm"], ["run"], ["logs"], ["set", "--no-alias"]):
        assert "Did you mean tiny?" in stocked.refused(*command, "tinny")


def test_a_repository_that_is_not_downloaded_names_the_pull_command(stocked: Home) -> None:
    """A chat with it prints the pull command; a name that cannot be a repository is only reported as not found."""
    for name in ("ada/coder-GGUF", "ada/coder-GGUF:Q4_K_M"):
        assert stocked.refused("run", name, "hi") == (
            f"Model '{name}' is not in the catalogue: 'gglib pull {name}' downloads it."
        )
    assert "gglib pull" not in stocked.refused("run", "coder", "hi")
    assert "gglib pull" not in stocked.refused("run", "../coder", "hi")


def test_a_wrong_setting_is_one_sentence(home: Home) -> None:
    """An error in config.toml stops commands that change something, with the file and the key in the message."""
    (home.path / "config.toml").write_text("prot = 1", encoding="utf-8")
    assert "'prot'" in home.refused("verify")


def test_a_catalogue_that_is_damaged_is_one_sentence(home: Home) -> None:
    """A file that is not a database causes one sentence and no traceback."""
    (home.path / "gglib.db").write_bytes(b"this is not a database, but long enough to be taken for one" * 50)
    assert home.refused("verify")
