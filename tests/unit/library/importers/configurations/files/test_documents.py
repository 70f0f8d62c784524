"""Typed access to the values of a document."""

from collections.abc import Callable

import pytest

from gglib.core.errors import InvalidSettingError
from gglib.library.importers.configurations.files.documents import Fields
from gglib.library.importers.configurations.files.yaml_files import read_yaml

TEXT = """
text: 1.10
number: 7
negative: -2
flag: yes
off: off
list: [a, 1.0]
mapping: {x: {y: 1}}
nothing:
lists: [a, [secret]]
mappings: [{secret: 1}, a]
"""


@pytest.fixture(name="fields")
def make_fields() -> Fields:
    """Return the fields of a document."""
    return read_yaml(TEXT, "c.yaml")


def test_values_have_the_type_that_is_asked_for(fields: Fields) -> None:
    """A text keeps its digits; YAML 1.1's words are booleans where a boolean is expected."""
    assert fields.text("text") == "1.10"
    assert fields.integer("number") == 7
    assert fields.integer("negative", minimum=-2) == -2
    assert (fields.boolean("flag"), fields.boolean("off")) == (True, False)
    assert fields.texts("list") == ("a", "1.0")
    assert fields.values("mapping") == {"x": {"y": 1}}
    assert fields.fields("mapping").fields("x").where == "mapping.x"


@pytest.mark.parametrize("name", ["nothing", "absent"])
def test_null_is_missing(fields: Fields, name: str) -> None:
    """A field without a value is as if it were not there."""
    assert fields.text(name) is None
    assert fields.integer(name) is None
    assert fields.boolean(name) is None
    assert fields.texts(name) == ()
    assert fields.values(name) == {}
    assert fields.tables(name) == {}


@pytest.mark.parametrize(
    ("read", "sentence"),
    [
        (
            lambda f: f.integer("text"),
            "c.yaml, line 2, column 7: 'text' must be a whole number of at least 0.",
        ),
        (
            lambda f: f.integer("negative"),
            "c.yaml, line 4, column 11: 'negative' must be a whole number of at least 0.",
        ),
        (lambda f: f.boolean("number"), "c.yaml, line 3, column 9: 'number' must be true or false."),
        (lambda f: f.text("list"), "c.yaml, line 7, column 7: 'list' must be a text, not a list."),
        (lambda f: f.text("mapping"), "c.yaml, line 8, column 10: 'mapping' must be a text, not a mapping."),
        (lambda f: f.texts("number"), "c.yaml, line 3, column 9: 'number' must be a list."),
        (lambda f: f.texts("lists"), "c.yaml, line 10, column 12: 'lists[1]' must be a text, not a list."),
        (
            lambda f: f.texts("mappings"),
            "c.yaml, line 11, column 12: 'mappings[0]' must be a text, not a mapping.",
        ),
        (lambda f: f.fields("list"), "c.yaml, line 7, column 7: 'list' must be a mapping, not a list."),
        (
            lambda f: f.tables("mapping")["x"].tables("y"),
            "c.yaml, line 8, column 18: 'mapping.x.y' must be a mapping.",
        ),
    ],
)
def test_another_type_is_one_sentence(
    fields: Fields, read: Callable[[Fields], object], sentence: str
) -> None:
    """With its place, and without the value, which may be a secret."""
    with pytest.raises(InvalidSettingError) as caught:
        read(fields)
    assert str(caught.value) == sentence
