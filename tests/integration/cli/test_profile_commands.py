"""``gglib profile``, and profiles in ``show``, ``rm``, ``backup`` and ``restore``."""

import json
from typing import Any

import pytest

from .conftest import Home


@pytest.fixture(name="profiled")
def make_profiled(stocked: Home) -> Home:
    """Return a home with the model ``tiny`` and two profiles."""
    stocked.ok(
        "profile", "set", "precise", "--model", "tiny", "--temperature", "0.2", "--stop", "END", "--stop", "X"
    )
    stocked.ok(
        "profile", "set", "capped", "--max-tokens", "9", "--strip", "max_tokens", "--description", "Short"
    )
    return stocked


PRECISE: dict[str, Any] = {
    "name": "precise",
    "model": "tiny",
    "description": "",
    "system": None,
    "defaults": {"temperature": 0.2, "stop": ["END", "X"]},
    "template_kwargs": {},
    "strip": [],
}


def test_list_shows_all_profiles(profiled: Home) -> None:
    """As a table, and as JSON."""
    precise, capped = json.loads(profiled.ok("profile", "list", "--json"))
    assert precise == PRECISE
    assert (capped["model"], capped["strip"], capped["description"]) == (None, ["max_tokens"], "Short")
    table = profiled.ok("profile", "list")
    assert "temperature, stop" in table
    assert "all models" in table


def test_list_without_profiles_names_the_command(stocked: Home) -> None:
    """An empty list says how to add one, on stderr in a pipe."""
    listed = stocked.run("profile", "list")
    assert (listed.returncode, listed.stdout) == (0, "")
    assert "gglib profile set NAME" in listed.stderr
    assert json.loads(stocked.ok("profile", "list", "--json")) == []


def test_set_changes_only_what_is_given(profiled: Home) -> None:
    """Other values stay; ``--unset``, an empty prompt and ``--no-strip`` remove values."""
    prompt = profiled.path / "prompt.txt"
    prompt.write_text("Be brief.\nBe kind.\n", encoding="utf-8")
    said = profiled.ok(
        *("profile", "set", "precise", "--model", "tiny", "--system", f"@{prompt}", "--unset", "stop"),
        *("--set", "mirostat=2", "--template-kwargs", '{"enable_thinking": false}', "--strip", "top_p"),
    )
    assert said == "Set the profile: use it as 'tiny:precise'.\n"
    shown = json.loads(profiled.ok("profile", "show", "precise", "--model", "tiny", "--json"))
    assert shown == {
        **PRECISE,
        "system": "Be brief.\nBe kind.",
        "defaults": {"temperature": 0.2, "mirostat": 2},
        "template_kwargs": {"enable_thinking": False},
        "strip": ["top_p"],
    }
    text = profiled.ok("profile", "show", "precise", "--model", "1")
    assert "temperature:" in text
    assert "top_p" in text
    profiled.ok("profile", "set", "precise", "--model", "tiny", "--system", "", "--no-strip")
    shown = json.loads(profiled.ok("profile", "show", "precise", "--model", "tiny", "--json"))
    assert (shown["system"], shown["strip"], shown["defaults"]["mirostat"]) == (None, [], 2)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("a:b", "--seed", "1"), "cannot name a profile"),
        (("latest", "--seed", "1"), "is the model itself"),
        (("a", "--temperature", "-1"), "'temperature' must be a number from 0 to 5"),
        (("a", "--set", "x"), "FIELD=JSON"),
        (("a", "--set", "model=3"), "cannot set 'model'"),
        (("a", "--set", "id_slot=3"), "allowed_engine_fields"),
        (("a", "--template-kwargs", "[]"), "must be a JSON object"),
        (("a", "--strip", "messages"), "cannot strip"),
        (("a", "--unset", "seed"), "has no default 'seed': it has none"),
        (("capped", "--unset", "seed"), "it has max_tokens"),
        (("a", "--system", "@missing.txt"), "missing.txt cannot be read"),
        (("a", "--model", "none"), "not in the catalogue"),
    ],
)
def test_set_refuses_in_one_sentence(profiled: Home, options: tuple[str, ...], reason: str) -> None:
    """Nothing is stored."""
    before = profiled.ok("profile", "list", "--json")
    assert reason in profiled.refused("profile", "set", *options)
    assert profiled.ok("profile", "list", "--json") == before


def test_set_allows_a_field_that_the_setting_allows(profiled: Home) -> None:
    """The same setting as for requests."""
    profiled.set('allowed_engine_fields = ["id_slot"]')
    profiled.ok("profile", "set", "slot", "--set", "id_slot=1")


def test_a_prompt_that_is_not_text_is_refused(profiled: Home) -> None:
    """The message names the file."""
    file = profiled.path / "prompt.bin"
    file.write_bytes(b"\xff\xfe")
    assert "prompt.bin is not UTF-8 text" in profiled.refused("profile", "set", "a", "--system", f"@{file}")


def test_rm_removes_one_profile(profiled: Home) -> None:
    """The other stays; an unknown one is an error that names those that exist."""
    assert "Model 'tiny' has no profile 'none'. It has precise." in profiled.refused(
        "profile", "rm", "none", "--model", "tiny"
    )
    assert "no profile 'precise' of all models: 'gglib profile list' shows" in profiled.refused(
        "profile", "rm", "precise"
    )
    assert "has no profile" in profiled.refused("profile", "show", "capped", "--model", "tiny")
    assert profiled.ok("profile", "rm", "precise", "--model", "tiny") == "Removed the profile 'precise'.\n"
    assert [found["name"] for found in json.loads(profiled.ok("profile", "list", "--json"))] == ["capped"]


def test_show_names_the_profiles_of_a_model(profiled: Home) -> None:
    """Its own, then those of all models, as clients name them."""
    assert "tiny:precise, tiny:capped" in profiled.ok("show", "tiny")


def test_profiles_follow_their_model_and_the_backup(profiled: Home) -> None:
    """``rm`` removes the model's profiles, and ``restore`` brings them back."""
    before = profiled.ok("profile", "list", "--json")
    backup = profiled.path / "saved.db"
    profiled.ok("backup", str(backup))
    profiled.ok("rm", "tiny")
    assert [found["name"] for found in json.loads(profiled.ok("profile", "list", "--json"))] == ["capped"]
    profiled.ok("restore", str(backup))
    assert profiled.ok("profile", "list", "--json") == before


def test_run_chats_with_a_profile(profiled: Home) -> None:
    """The server gets the full name; an unknown profile is an error that names those that exist."""
    assert profiled.ok("run", "tiny:precise", "Hello").strip()
    assert "It has precise, capped." in profiled.process("run", "tiny:none", "Hello").stderr
