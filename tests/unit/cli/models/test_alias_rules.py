"""What ``gglib alias`` may do."""

import pytest

from gglib.cli.models.alias_rules import (
    alias_owner,
    check_alias,
    is_for_config,
    own_spelling,
    pattern_note,
    unknown_alias,
    without_alias,
)
from gglib.core.errors import InvalidSettingError
from gglib.core.models import ModelSummary

CHAT = ModelSummary(id=1, name="chat", aliases=("gpt-4", "caf\u00e9"))
CODER = ModelSummary(id=2, name="Org/Coder")
MODELS = (CHAT, CODER)


@pytest.mark.parametrize(
    ("name", "models", "is_one"),
    [("fast", ["a"], False), ("fast", ["a", "b"], True), ("gpt-*", ["a"], True), ("*", ["a", "b"], True)],
)
def test_lists_and_patterns_are_for_the_file(name: str, models: list[str], *, is_one: bool) -> None:
    """A model has aliases of its own only."""
    assert is_for_config(name, models) is is_one


@pytest.mark.parametrize("name", ["fast", "gpt-*", "*", "gpt-4", "chats", "1x"])
def test_other_names_may_be_aliases(name: str) -> None:
    """Also one that a model has as an alias: it moves."""
    check_alias(name, MODELS)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("chat", "'chat' is the name of a model"),
        ("CHAT", "'chat' is the name of a model"),
        (
            "org/coder",
            "'Org/Coder' is the name of a model, which precedes every alias: choose another alias.",
        ),
        ("7", "looks like an id"),
        ("", "must not be empty"),
        (" a", "must not be empty or begin or end with whitespace"),
        ("a\x1b", "cannot be printed"),
        ("a" * 201, "too long"),
    ],
)
def test_an_alias_that_could_not_be_used_is_refused(name: str, reason: str) -> None:
    """With the reason and what to do."""
    with pytest.raises(InvalidSettingError, match=reason):
        check_alias(name, MODELS)


@pytest.mark.parametrize(
    ("name", "owner"),
    [("gpt-4", CHAT), ("GPT-4", CHAT), ("cafe\u0301", CHAT), ("chat", None), ("gpt-*", None), ("x", None)],
)
def test_the_owner_of_an_alias_is_found(name: str, owner: ModelSummary | None) -> None:
    """Ignoring case and Unicode form, as names resolve."""
    assert alias_owner(name, MODELS) == owner


def test_the_spelling_in_use_is_found() -> None:
    """An entry is replaced under its own key."""
    assert own_spelling("GPT-*", ["fast", "gpt-*"]) == "gpt-*"
    assert own_spelling("gpt-4", ["fast", "gpt-*"]) is None


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("gpt-5*", None),
        ("chat", None),
        ("gpt-*", "It also matches names in the catalogue, which keep their models: gpt-4."),
        (
            "*C*",
            "It also matches names in the catalogue, which keep their models: chat, caf\u00e9, Org/Coder.",
        ),
    ],
)
def test_a_pattern_that_matches_names_of_the_catalogue_says_so(name: str, note: str | None) -> None:
    """It is no mistake: the names keep their meaning."""
    assert pattern_note(name, MODELS) == note


def test_a_note_names_a_few_of_many() -> None:
    """Like errors with the names of the catalogue."""
    many = [ModelSummary(id=number, name=f"m{number}") for number in range(12)]
    assert str(pattern_note("*", many)).endswith("m8, m9 and 2 more.")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Chat", "'Chat' is the name of a model: 'gglib alias' lists the aliases."),
        (
            "CLAUDE-*",
            "'claude-*' is built in and cannot be removed: \"gglib alias 'claude-*' MODEL\" replaces it.",
        ),
        ("gpt-44", "There is no alias 'gpt-44': did you mean gpt-4 or gpt-*?"),
        ("zzz", "There is no alias 'zzz': 'gglib alias' lists the aliases."),
    ],
)
def test_an_unknown_alias_has_a_next_step(name: str, message: str) -> None:
    """Similar aliases, or the command that lists them."""
    assert str(unknown_alias(name, ["fast", "gpt-4", "gpt-*"], MODELS)) == message


def test_an_alias_is_removed_in_any_case() -> None:
    """The model has it in another spelling; an unknown one changes nothing."""
    assert without_alias(("gpt-4", "Coder"), "coder") == ("gpt-4",)
    assert without_alias(("gpt-4",), "coder") == ("gpt-4",)
