"""Parsing YAML: values by YAML 1.2, places, and bounds."""

from typing import Any

import pytest

from gglib.core.errors import InvalidSettingError
from gglib.library.importers.configurations.files.documents import Mark, json_value
from gglib.library.importers.configurations.files.yaml_files import MAX_DEPTH, MAX_VALUES, read_yaml


def values(text: str) -> dict[str, Any]:
    """Return the values of a document."""
    return {key: json_value(node) for key, node in read_yaml(text, "c.yaml").nodes.items()}


def refusal(text: str) -> str:
    """Return the sentence with which a document is refused."""
    with pytest.raises(InvalidSettingError) as caught:
        read_yaml(text, "c.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-3", -3),
        ("0x1F", 31),
        ("0o17", 15),
        ("017", 17),
        ("1.5e3", 1500.0),
        (".5", 0.5),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("on", "on"),
        ("yes", "yes"),
        ("12:30", "12:30"),
        ("2026-11-30", "2026-11-30"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1_000", "1_000"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("!!str 12", "12"),
        ("!!int '12'", 12),
        ("[1, [a, {b: c}]]", [1, ["a", {"b": "c"}]]),
        ("9" * 500, "9" * 500),
    ],
)
def test_scalars_have_the_types_of_yaml_1_2(text: str, value: object) -> None:
    """Words such as ``on``, times and dates are texts; quotes make a text of everything."""
    (found,) = values(f"a: {text}").values()
    assert (found, type(found)) == (value, type(value))


def test_blocks_and_folded_texts() -> None:
    """Line breaks are kept in a block, and become spaces in a folded text."""
    assert values("a: |\n  x\n  # y\nb: >-\n  x\n  y\n") == {"a": "x\n# y\n", "b": "x y"}


def test_anchors_aliases_and_merges() -> None:
    """An alias is the value of its anchor; own keys precede merged ones, and the first merged mapping the next."""
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: *a\nd: {<<: [*a, *b], x: 9}\ne: {<<: *b}\n"
    found = values(text)
    assert found["c"] == {"x": 1, "y": 1}
    assert found["d"] == {"x": 9, "y": 1, "z": 2}
    assert found["e"] == {"y": 2, "z": 2}


def test_keys_are_texts() -> None:
    """A key that looks like a number keeps its digits."""
    assert values("{1.10: a, true: b, ~: c}") == {"1.10": "a", "true": "b", "~": "c"}


def test_each_value_has_its_place() -> None:
    """Lines and columns begin with 1."""
    fields = read_yaml("a:\n  b: 1\n", "c.yaml")
    assert fields.nodes["a"].mark == Mark(2, 3)
    assert fields.fields("a").nodes["b"].mark == Mark(2, 6)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [1", "c.yaml, line 2, column 1: it is not valid YAML (did not find expected ',' or ']')."),
        (
            "a: b: c",
            "c.yaml, line 1, column 5: it is not valid YAML (mapping values are not allowed in this context).",
        ),
        ("a: 1\na: 2", "c.yaml, line 2, column 1: the key 'a' is there twice: keep one."),
        ("x:\n  b: 1\n  b: 2", "c.yaml, line 3, column 3: the key 'b' is there twice: keep one."),
        ("a: *b", "c.yaml, line 1, column 4: the anchor 'b' is not defined above."),
        ("a: &a [*a]", "c.yaml, line 1, column 8: the anchor 'a' is not defined above."),
        ("- 1", "c.yaml, line 1, column 1: the file must be a mapping of fields."),
        ("text", "c.yaml, line 1, column 1: the file must be a mapping of fields."),
        ("# nothing", "c.yaml has no content but comments: name a configuration file."),
        (
            "a: 1\n---\nb: 2",
            "c.yaml, line 2, column 1: it has a second document: keep one document in the file.",
        ),
        ("? [a]\n: 1", "c.yaml, line 1, column 3: a key must be a text."),
        ("a: {<<: 1}", "c.yaml, line 1, column 9: '<<' must merge a mapping."),
        (
            "a: !!python/object/apply:os.system [id]",
            (
                "c.yaml, line 1, column 4: the tag 'tag:yaml.org,2002:python/object/apply:os.system' has no meaning "
                "here: remove it."
            ),
        ),
        ("a: !secret x", "c.yaml, line 1, column 4: the tag '!secret' has no meaning here: remove it."),
    ],
)
def test_faults_are_one_sentence_with_their_place(text: str, sentence: str) -> None:
    """Nothing is guessed, and no tag makes anything but data."""
    assert refusal(text) == sentence


def test_a_key_cannot_imitate_a_line_of_the_terminal() -> None:
    """Its control characters are escaped."""
    assert "'b\\x1b[2J\\n'" in refusal('{"b\\e[2J\\n": 1, "b\\e[2J\\n": 2}')


@pytest.mark.parametrize("text", ["a: \x07", "%YAML 3.0\n---\na: 1", "a: 'x", "\t- a"])
def test_other_faults_name_the_file(text: str) -> None:
    """The words are those of the parser."""
    assert refusal(text).startswith("c.yaml")


def test_aliases_cannot_multiply_without_a_bound() -> None:
    """Each level has ten times the values of the one before it; what is expanded is counted, not stored."""
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert f"more than {MAX_VALUES} values, aliases included" in refusal("\n".join(levels))


def test_the_depth_is_bounded() -> None:
    """The deepest accepted value is read, the next one refused, and a very deep one does not exhaust the stack."""
    assert values(f"a: {'[' * MAX_DEPTH}{']' * MAX_DEPTH}")
    assert f"nested more than {MAX_DEPTH} deep" in refusal(
        f"a: {'[' * (MAX_DEPTH + 1)}{']' * (MAX_DEPTH + 1)}"
    )
    assert refusal(f"a: {'[' * 50_000}").startswith("c.yaml")


def test_an_escaped_nul_is_refused_with_its_place() -> None:
    """No name of a file, no variable and no word of a command can have one."""
    assert refusal('a:\n  - "x\\0y"') == "c.yaml, line 2, column 5: it has a NUL character: remove it."
