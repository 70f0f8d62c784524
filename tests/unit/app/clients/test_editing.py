"""Editors of configuration files keep everything that is the user's."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from gglib.app.clients.client import ConfigFile, ConfigFormat
from gglib.app.clients.editing import edited_text, json_text, toml_text
from gglib.app.clients.merged_values import merged
from gglib.app.clients.snippets import config_text

JSON, TOML, YAML = ConfigFormat


def file_of(
    form: ConfigFormat,
    values: Any,
    *,
    identity: tuple[str, ...] = (),
    defaults: dict[str, object] | None = None,
) -> ConfigFile:
    """Return a file with these values."""
    return ConfigFile(path=Path("f"), format=form, values=values, identity=identity, defaults=defaults or {})


ZED = file_of(
    JSON, {"models": {"gglib": {"url": "u", "list": [{"name": "m", "size": 1}]}}}, identity=("name",)
)
NESTED = """{
  "models": {
    "gglib": {
      "url": "u",
      "list": [
        {
          "name": "m",
          "size": 1
        }
      ]
    }
  }
}
"""


@pytest.mark.parametrize("text", ["", "  \n", "{}", "{\n}\n"])
def test_an_empty_object_gets_the_values(text: str) -> None:
    """An empty file, too."""
    assert edited_text(text, ZED).strip() == NESTED.strip()


def test_comments_order_and_commas_stay() -> None:
    """JSON as Zed writes it: new members stand behind the last one and its comment."""
    text = """// Zed settings
{
    "theme": "One Dark", // mine
    /* more */
    "models": {
        "other": { "x": 1.50 }, // kept
        // nothing more
    },
    "vim": true // on
    // end
}
"""
    assert (
        edited_text(text, ZED)
        == """// Zed settings
{
    "theme": "One Dark", // mine
    /* more */
    "models": {
        "other": { "x": 1.50 }, // kept
        // nothing more
        "gglib": {
            "url": "u",
            "list": [
                {
                    "name": "m",
                    "size": 1
                }
            ]
        },
    },
    "vim": true // on
    // end
}
"""
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}', '{"a": 1, "n": 2}'),
        ('{"a": 1,}', '{"a": 1, "n": 2,}'),
        ('{"a": 1 /* c */ }', '{"a": 1, /* c */ "n": 2 }'),
        ("{ // c\n}", '{ // c\n  "n": 2\n}'),
        ('{\n\t"a": 1\n}', '{\n\t"a": 1,\n\t"n": 2\n}'),
        ('{"n": 1, "a": 0}', '{"n": 2, "a": 0}'),
        ('{"n": 2}', '{"n": 2}'),
        ('\ufeff{"n": 1}', '\ufeff{"n": 2}'),
        ('{\r\n  "a": 1\r\n}\r\n', '{\r\n  "a": 1,\r\n  "n": 2\r\n}\r\n'),
    ],
)
def test_json_is_edited_in_place(text: str, expected: str) -> None:
    """In the style of the text: one line, tabs, trailing commas, line ends, a byte order mark."""
    assert edited_text(text, file_of(JSON, {"n": 2})) == expected


def test_an_item_of_a_list_is_found_by_its_identity() -> None:
    """What the user added to it stays."""
    text = '{"models": {"gglib": {"list": [{"name": "x"}, {"name": "m", "size": 0, "mine": true}], "url": "old"}}}'
    value = json.loads(edited_text(text, ZED))["models"]["gglib"]
    assert value == {"list": [{"name": "x"}, {"name": "m", "size": 1, "mine": True}], "url": "u"}


def test_an_item_that_a_list_lacks_is_added_to_it() -> None:
    """In one line, where the list is."""
    changed = edited_text('{"models": {"gglib": {"url": "u", "list": [{"name": "x"}]}}}', ZED)
    assert changed == '{"models": {"gglib": {"url": "u", "list": [{"name": "x"}, {"name": "m", "size": 1}]}}}'


def test_a_text_of_another_meaning_is_refused() -> None:
    """The check behind each edit of JSON."""
    json_text.check_meaning('{"a": 1, /* c */}', {"a": 1})
    with pytest.raises(ValueError, match="unusual"):
        json_text.check_meaning('{"a": 2}', {"a": 1})


def test_a_list_without_identity_is_replaced() -> None:
    """Longer and shorter ones."""
    for text in ('{"n": [1, 2, 3]}', '{"n": []}', '{"n": null}', '{"n": [{"a": 1}]}'):
        assert json.loads(edited_text(text, file_of(JSON, {"n": [7, 8]}))) == {"n": [7, 8]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "line 1"),
        ('{\n"a": yes\n}', "line 2"),
        ('{"a": 1} x', "line 1"),
        ('{"a" 1}', "line 1"),
        ('{"a": [1 2]}', "line 1"),
        ('{"a": "\\x"}', "line 1"),
        ("[]", "the file is not an object"),
        ('{"models": 1}', "'models' is not an object"),
        ('{"models": {"gglib": {"list": {}}}}', "'list' is not a list"),
        ('{"models": {"gglib": {"url": {}}}}', "'url' is an object"),
        ('{"a": 1, "a": 2}', "sets 'a' twice"),
        ('{"a": ' + "[" * 200 + "]" * 200 + "}", "nested too deeply"),
        ('{\r\n"a": 1\n}', "line ends of both kinds"),
    ],
)
def test_other_json_is_refused_with_a_reason(text: str, reason: str) -> None:
    """Instead of being repaired."""
    with pytest.raises(ValueError, match=reason):
        edited_text(text, ZED)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)
json_objects = st.dictionaries(st.text(max_size=2), json_values, max_size=3)


@example({"": [[{"": None}]]}, {"": [[{}]]}, None)
@given(json_objects, json_objects, st.sampled_from([None, 1, 2, "\t"]))
def test_any_json_is_merged_exactly(before: dict[str, Any], values: dict[str, Any], indent: Any) -> None:
    """The result means the merged values, and a second edit changes nothing; or the text is refused."""
    file, text = file_of(JSON, values), json.dumps(before, indent=indent)
    try:
        expected = merged(before, file)
    except ValueError:
        with pytest.raises(ValueError, match="object"):
            edited_text(text, file)
        return
    changed = edited_text(text, file)
    assert json.loads(changed) == expected
    assert edited_text(changed, file) == changed


@given(json_objects, st.text('{}[],:"\\/* \n\t1atrue', max_size=12), st.integers(0, 200))
def test_damaged_json_is_an_error_or_keeps_its_meaning(before: dict[str, Any], noise: str, at: int) -> None:
    """No text makes the editor fail in another way."""
    text = json.dumps(before, indent=1)
    damaged = text[: at % len(text)] + noise + text[at % len(text) :]
    try:
        changed = edited_text(damaged, file_of(JSON, {"n": 2}))
    except ValueError:
        return
    assert json_text.parse(changed).value["n"] == 2


CODEX = file_of(TOML, {"model": "m", "p": {"g": {"url": "u", "n": 1}}})


def test_toml_of_another_meaning_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The result is parsed and compared: a fault of the editor must not reach the client's file."""
    monkeypatch.setattr(toml_text, "set_value", lambda text, *_: text)
    with pytest.raises(ValueError, match="unusual"):
        edited_text("model = 'x'\n", CODEX)


def test_toml_keeps_comments_and_tables() -> None:
    """Values are replaced in their lines, new ones stand at the end of their table."""
    text = """# mine
model = "x"   # my "#1"
[p.g]  # ours
url = 'old'

# about z
[z]
a = [
  1,
]
"""
    assert (
        edited_text(text, CODEX)
        == """# mine
model = "m"   # my "#1"
[p.g]  # ours
url = "u"
n = 1

# about z
[z]
a = [
  1,
]
"""
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 'model = "m"\n\n[p.g]\nurl = "u"\nn = 1\n'),
        ("x = 1", 'x = 1\nmodel = "m"\n\n[p.g]\nurl = "u"\nn = 1\n'),
        ("[z]\na = 1\n\n\n", 'model = "m"\n\n[z]\na = 1\n\n[p.g]\nurl = "u"\nn = 1\n'),
        ('model = "a#b" # c\n[p.g]\nurl = "u"\nn = 1\n', 'model = "m" # c\n[p.g]\nurl = "u"\nn = 1\n'),
        ('"model" = "x"\n[p]\n', '"model" = "m"\n[p]\n\n[p.g]\nurl = "u"\nn = 1\n'),
        ("p = {g = {url = 'x'}}", 'p = {g = {url = "u", n = 1}}\nmodel = "m"\n'),
        ("p.g.url = 'x'", 'p.g.url = "u"\np.g.n = 1\nmodel = "m"\n'),
        ('model = """\nmodel = 1"""\n', 'model = "m"\n\n[p.g]\nurl = "u"\nn = 1\n'),
        ("a = [\n[1],\n]\n", 'a = [\n[1],\n]\nmodel = "m"\n\n[p.g]\nurl = "u"\nn = 1\n'),
    ],
)
def test_toml_gets_missing_values_and_tables(text: str, expected: str) -> None:
    """At the begin for the root, at the end for a new table."""
    assert edited_text(text, CODEX) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("model = ", "not TOML"),
        ("p = 1", "'p' is not an object"),
        ("x = nan\n", "unusual"),
        ("a = " + "[" * 2000, "nested too deeply|not TOML"),
    ],
)
def test_other_toml_is_refused_with_a_reason(text: str, reason: str) -> None:
    """A form in which a line would have another meaning."""
    with pytest.raises(ValueError, match=reason):
        edited_text(text, CODEX)


toml_scalars = st.booleans() | st.integers(-9, 9) | st.text(max_size=4)
toml_names = st.sampled_from(["a", "b", "ü c", 'q"', "1.2"])
toml_tables = st.dictionaries(
    toml_names, toml_scalars | st.dictionaries(toml_names, toml_scalars, min_size=1, max_size=3), max_size=3
)


@given(toml_tables, toml_tables)
def test_any_toml_is_merged_exactly_or_refused(before: dict[str, Any], values: dict[str, Any]) -> None:
    """The result means the merged values, and a second edit changes nothing."""
    file = file_of(TOML, values)
    text = config_text(before, TOML)
    assert tomllib.loads(text) == before
    try:
        changed = edited_text(text, file)
    except ValueError:
        return
    assert tomllib.loads(changed) == merged(before, file)
    assert edited_text(changed, file) == changed


MODEL = {"name": "m", "model": "m", "options": {"size": 1}}
CONTINUE = file_of(YAML, {"models": [MODEL]}, identity=("model",), defaults={"name": "gglib", "schema": "v1"})
LLM = file_of(YAML, [{"model_id": "g/m", "url": "u"}], identity=("model_id",))


@pytest.mark.parametrize(
    ("text", "expected_models"),
    [
        ("", [MODEL]),
        ("# mine\n", [MODEL]),
        (
            "---\nname: x\nmodels:\n  - name: a\n    model: b # c\nrules:\n  - r\n",
            [{"name": "a", "model": "b"}, MODEL],
        ),
        (
            "name: x\nmodels:\n- name: a\n  text: |\n    # no comment\n\nrules: []\n",
            [{"name": "a", "text": "# no comment\n"}, MODEL],
        ),
        ("name: x\nmodels: []\n", [MODEL]),
        ("name: x\nmodels:\nrules: []\n", [MODEL]),
        ("name: x\nmodels:   # none yet\n", [MODEL]),
        ("name: x\n", [MODEL]),
        ("models:\n  - {name: a}\n", [{"name": "a"}, MODEL]),
        (
            "models:\n  - name: a\n  # c\n  - name: old\n    model: 'm'\n    options:\n      size: 0\n",
            [{"name": "a"}, MODEL],
        ),
        ("'models':\n    -   name: a\n        model: b\n", [{"name": "a", "model": "b"}, MODEL]),
    ],
)
def test_yaml_lists_get_the_item(text: str, expected_models: list[Any]) -> None:
    """In block style; the other lines stay, and a second edit changes nothing."""
    changed = edited_text(text, CONTINUE)
    value, before = yaml.safe_load(changed), yaml.safe_load(text) or {}
    assert value["models"] == expected_models
    assert {**before, "models": 0} == {name: value[name] for name in before} | {"models": 0}
    assert {"name", "schema"} <= value.keys()
    assert edited_text(changed, CONTINUE) == changed
    kept = [
        line for line in text.splitlines() if line.strip() and "old" not in line and "size: 0" not in line
    ]
    assert all(line in changed or line.startswith("models:") or "'m'" in line for line in kept)


def test_yaml_list_at_the_root_gets_the_item() -> None:
    """The file of llm: its items stay, and one with the same id is replaced if it is of the same form."""
    text = "# mine\n- model_id: a\n  x: 1\n\n# old\n- model_id: g/m\n  url: http://old\n"
    changed = edited_text(text, LLM)
    assert changed == '# mine\n- model_id: a\n  x: 1\n\n# old\n- model_id: "g/m"\n  url: "u"\n'
    between = "- model_id: g/m\n  url: old\n# next\n\n- model_id: a\n"
    assert edited_text(between, LLM) == '- model_id: "g/m"\n  url: "u"\n# next\n\n- model_id: a\n'
    assert edited_text("- model_id: a\n", LLM) == '- model_id: a\n- model_id: "g/m"\n  url: "u"\n'


@pytest.mark.parametrize(
    ("text", "file", "reason"),
    [
        ("models: [{name: a}]\n", CONTINUE, "not a list in block style"),
        ("models: &a\n  - name: x\n", CONTINUE, "not a list in block style"),
        ("models:\n  a: 1\n", CONTINUE, "'models' is not a list"),
        ("models:\n  - a\nmodels:\n  - b\n", CONTINUE, "sets 'models' twice"),
        ("{models: [],\nname: x}\n", CONTINUE, "unusual"),
        ("name: x\n---\nname: y\n", CONTINUE, "unusual"),
        ("\tname: x\n", CONTINUE, "unusual"),
        ("  name: x\n", CONTINUE, "unusual"),
        ("- a\n", CONTINUE, "unusual"),
        ("models:\n  - model: m\n    extra: 1\n", CONTINUE, "this model already"),
        ("a: 1\n", LLM, "unusual"),
        ('[{"model_id": "a"}]\n', LLM, "unusual"),
        ("name: x\n", file_of(YAML, {"models": {}}), "unusual"),
    ],
)
def test_other_yaml_is_refused_with_a_reason(text: str, file: ConfigFile, reason: str) -> None:
    """There is no parser, so only plain block style is changed."""
    with pytest.raises(ValueError, match=reason):
        edited_text(text, file)


yaml_items = st.dictionaries(
    st.sampled_from(["name", "model", "text", "sub"]),
    st.text(max_size=6)
    | st.integers(0, 9)
    | st.lists(st.text(max_size=3), max_size=2)
    | st.dictionaries(st.sampled_from(["a", "b"]), st.text(max_size=3), max_size=2),
    min_size=1,
    max_size=4,
)


@given(
    st.lists(yaml_items, max_size=3),
    st.dictionaries(st.sampled_from(["name", "rules", "x"]), yaml_items, max_size=2),
    st.booleans(),
)
def test_yaml_of_a_real_writer_is_merged_exactly_or_refused(
    models: list[Any],
    others: dict[str, Any],
    is_first: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    """Whatever PyYAML writes in block style: quoted, folded and literal scalars, empty lists in one line."""
    before = {"models": models, **others} if is_first else {**others, "models": models}
    text = yaml.safe_dump(before, sort_keys=False, allow_unicode=True)
    file = file_of(YAML, {"models": [MODEL]}, identity=("model",))
    try:
        changed = edited_text(text, file)
    except ValueError:
        return
    value, before = (
        yaml.safe_load(changed),
        yaml.safe_load(text),
    )  # PyYAML reads not all texts as it writes them
    assert {**value, "models": 0} == {**before, "models": 0}
    others_kept = [model for model in before["models"] if model.get("model") != "m"]
    assert [model for model in value["models"] if model != MODEL] == others_kept
    assert MODEL in value["models"]
