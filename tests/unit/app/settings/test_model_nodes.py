"""The setting ``model_nodes``: a table, or a line."""

import pytest

from gglib.app.settings.alias_lists import InvalidEntryError
from gglib.app.settings.model_nodes import parse_model_nodes, parse_patterns
from gglib.app.settings.parsers import InvalidValueError
from gglib.core.errors import InvalidSettingError


def test_a_table_has_names_and_lists() -> None:
    """Without duplicates."""
    table = {"qwen-70b": ["gpu*", "tower", "gpu*"], "llama": "box", "phi": "a,b"}
    assert parse_model_nodes(table) == {"qwen-70b": ("gpu*", "tower"), "llama": ("box",), "phi": ("a", "b")}


def test_a_line_has_the_same_form_as_aliases() -> None:
    """Models are separated by semicolons."""
    found = parse_model_nodes("qwen-70b=gpu*, tower; llama=box")
    assert found == {"qwen-70b": ("gpu*", "tower"), "llama": ("box",)}


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"m": 1}, "neither a name nor a list"),
        ({"m": [1]}, "neither a name nor a list"),
        ({"m": []}, "the model 'm' without a node"),
        ({"m": "a b"}, "'a b' is not the name of a node"),
        ({" m": "a"}, "an entry for ' m' that is not valid"),
        ("m", "the entry 'm', which has no '='"),
        ("m=a; m=b", "has 'm' twice"),
        ("m=", "without a node"),
    ],
)
def test_an_invalid_entry_is_explained(value: object, sentence: str) -> None:
    """With a valid form."""
    with pytest.raises(InvalidEntryError, match=r"write it like qwen-70b") as refused:
        parse_model_nodes(value)
    assert sentence in str(refused.value)


def test_another_type_is_refused() -> None:
    """The caller knows the form."""
    with pytest.raises(InvalidValueError):
        parse_model_nodes(3)


def test_patterns_of_a_command_may_be_lists() -> None:
    """An empty text clears them."""
    assert parse_patterns(["gpu*", "a, b"]) == ("gpu*", "a", "b")
    assert parse_patterns([""]) == ()
    with pytest.raises(InvalidSettingError, match="'gpu!' is not the name of a node"):
        parse_patterns(["gpu!"])
