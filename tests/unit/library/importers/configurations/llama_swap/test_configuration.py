"""llama-swap's configuration as a whole."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.backends import CommandBackend, UrlBackend
from gglib.core.errors import InvalidSettingError
from gglib.core.priority import Priority
from gglib.library.importers.configurations.files.field_rules import UNKNOWN
from gglib.library.importers.configurations.files.yaml_files import read_yaml
from gglib.library.importers.configurations.llama_swap import rules
from gglib.library.importers.configurations.llama_swap.configuration import read_llama_swap
from gglib.library.importers.configurations.plan import Configuration, HubModel, LocalFile, WantedSetting

EXAMPLE = Path(__file__).parents[5] / "support" / "configurations" / "llama-swap.yaml"
ENVIRONMENT = {"SWAP_MODELS": "/m", "CLOUD_KEY": "sk-never-shown-4"}

TOP_FIELDS = """healthCheckTimeout globalTTL unloadTimeout logLevel logTimeFormat metricsMaxInMemory captureBuffer store
ui performance startPort sendLoadingState includeAliasesInList macros profiles models groups matrix hooks logToStdout
apiKeys peers upstream routing"""
MODEL_FIELDS = """macros cmd cmdStop name description env proxy aliases checkEndpoint ttl unloadTimeout useModelName
filters metadata concurrencyLimit sendLoadingState unlisted timeouts capabilities"""
"""The fields of llama-swap's ``config-schema.json`` (2026-11-30)."""


def read(text: str, **environment: str) -> Configuration:
    """Return what a text describes."""
    return read_llama_swap(text, "c.yaml", environment=environment, directory=Path("/etc/swap"))


@pytest.fixture(name="example", scope="module")
def read_example() -> Configuration:
    """Return the configuration with every field."""
    return read_llama_swap(
        EXAMPLE.read_text(encoding="utf-8"), "c.yaml", environment=ENVIRONMENT, directory=Path("/etc/swap")
    )


def test_every_field_of_the_schema_has_a_rule() -> None:
    """And no rule is for a field that does not exist, except ``logRequests``, which the program still reads."""
    assert rules.TOP_RULES.keys() == {*TOP_FIELDS.split(), "logRequests"}
    assert rules.MODEL_RULES.keys() == set(MODEL_FIELDS.split())
    assert rules.FILTER_RULES.keys() == {"stripParams", "strip_params", "setParams", "setParamsByID"}
    assert rules.PEER_RULES.keys() == {"proxy", "models", "apiKey", "filters", "timeouts"}


def test_the_example_has_every_field() -> None:
    """Groups and matrix exclude each other, and are below ``routing`` in it."""
    document = read_yaml(EXAMPLE.read_text(encoding="utf-8"), "c.yaml")
    assert document.nodes.keys() == rules.TOP_RULES.keys() - {"groups", "matrix"}
    models = document.tables("models").values()
    assert {name for model in models for name in model.nodes} == rules.MODEL_RULES.keys()
    peers = document.tables("peers").values()
    assert {name for peer in peers for name in peer.nodes} == rules.PEER_RULES.keys()


def test_every_field_without_a_counterpart_is_listed(example: Configuration) -> None:
    """And nothing is unknown."""
    listed = {each.where for each in example.leftovers}
    lacking = {name for name, rule in rules.TOP_RULES.items() if rule.reason is not None}
    assert lacking <= listed
    of_models = {name for name, rule in rules.MODEL_RULES.items() if rule.reason is not None}
    assert of_models - {"sendLoadingState"} <= {
        where.split(".")[2] for where in listed if where.count(".") > 1
    }
    assert UNKNOWN not in {each.reason for each in example.leftovers}


def test_the_models_of_the_example(example: Configuration) -> None:
    """Files, commands, URLs and models of the hub; one with a fixed port is listed."""
    served = {model.name: model.served for model in example.models}
    assert served["chat"] == LocalFile(Path("/m/chat.gguf"))
    assert served["hub"] == HubModel("example/tiny-GGUF:Q4_K_M")
    assert isinstance(served["boxed"], CommandBackend)
    assert served["elsewhere"] == UrlBackend(
        base_url="https://box.example:8443/engine/v1", model="example/large"
    )
    assert "models.fixed-port" in {each.where for each in example.leftovers}


def test_settings_of_models(example: Configuration) -> None:
    """The macro of the model counts; persistent models are pinned unless an idle time unloads them."""
    models = {model.name: model for model in example.models}
    assert models["chat"].settings.context == 1024
    assert models["chat"].description == "Chat of chat: For talking"
    assert models["embed"].settings.is_pinned
    assert not models["speech"].settings.is_pinned
    assert models["speech"].settings.priority is Priority.BATCH
    assert models["hub"].settings.idle_ttl_s == 900.0


def test_peers_name_the_variable_of_their_key(example: Configuration) -> None:
    """Its value is not read; a key in the file is left out."""
    models = {model.name: model.served for model in example.models}
    assert models["large/one"] == UrlBackend(base_url="https://api.example.com/v1", key_env="CLOUD_KEY")
    assert models["box-model"] == UrlBackend(base_url="http://192.0.2.7:8080/v1")
    assert "peers.second-box.apiKey" in {each.where for each in example.leftovers}


def test_no_secret_is_kept(example: Configuration) -> None:
    """Neither of the file nor of the environment."""
    assert "never-shown" not in repr(example)


def test_settings_of_the_example(example: Configuration) -> None:
    """Three settings of gglib."""
    assert example.settings == (
        WantedSetting("logLevel", "log_level", "warning"),
        WantedSetting("routing.router.settings.groups", "max_models", 3),
        WantedSetting("hooks.on_startup.preload", "preload", ["chat", "hub"]),
    )


def test_a_minimal_configuration() -> None:
    """Nothing is listed, and no setting is wanted."""
    found = read("models: {m: {cmd: 'llama-server --port ${PORT} -m m.gguf'}}")
    assert len(found.models) == 1
    assert (found.settings, found.leftovers) == ((), ())


def test_a_peer_that_cannot_be_imported_is_listed() -> None:
    """The others are imported."""
    found = read(
        "peers: {a: {models: [x]}, b: {proxy: '${nope}', models: [y]}, c: {proxy: 'http://c', models: [z]}}"
    )
    assert [model.name for model in found.models] == ["z"]
    assert [each.where for each in found.leftovers] == ["peers.a", "peers.b"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("port: 1", "c.yaml has neither 'models' nor 'peers': name a configuration of llama-swap."),
        ("models: []", "c.yaml, line 1, column 9: 'models' must be a mapping, not a list."),
        ("models: {m: x}", "c.yaml, line 1, column 13: 'models.m' must be a mapping."),
        (
            "models: {}\nlogLevel: loud",
            "c.yaml, line 2, column 11: 'logLevel' must be one of debug, info, warn, error.",
        ),
        ("models: {}\nlogLevel: ${x}", "c.yaml: the macro '${x}' is not defined."),
        (
            "models: {}\nhooks: {on_startup: {preload: a}}",
            "c.yaml, line 2, column 31: 'hooks.on_startup.preload' must be a list.",
        ),
        (
            "peers: {p: {proxy: 'http://p', models: [m], apiKey: [never-shown]}}",
            "c.yaml, line 1, column 53: 'peers.p.apiKey' must be a text, not a list.",
        ),
    ],
)
def test_another_form_is_refused(text: str, sentence: str) -> None:
    """One sentence, with the place."""
    with pytest.raises(InvalidSettingError) as caught:
        read(text)
    assert str(caught.value) == sentence


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(("${PORT}", "${x}", "m:x")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from((*TOP_FIELDS.split(), "x"))
MODEL_NAMES = st.sampled_from((*MODEL_FIELDS.split(), "x"))
MODELS = st.dictionaries(st.text(max_size=4), st.dictionaries(MODEL_NAMES, VALUES, max_size=4), max_size=2)


def read_or_refused(text: str) -> Configuration | str:
    """Return what a text describes, or the sentence with which it is refused."""
    try:
        return read(text)
    except InvalidSettingError as error:
        return str(error)


@given(st.dictionaries(NAMES, VALUES, max_size=4), MODELS)
def test_any_values_are_read_or_refused_in_one_sentence(
    fields: dict[str, Any], models: dict[str, Any]
) -> None:
    """No other error is raised, and every model is planned or listed."""
    found = read_or_refused(json.dumps({**fields, "models": models}))
    if isinstance(found, str):
        assert found.isprintable()
        return
    named = {model.name for model in found.models if model.where.startswith("models.")}
    listed = {each.where for each in found.leftovers}
    assert all(name in named or f"models.{name}" in listed for name in models)


def test_unknown_fields_are_listed() -> None:
    """At every level."""
    found = read(
        "models: {m: {cmd: 'x ${PORT}', new: 1, filters: {new: 1}}}\nnew: 1\nhooks: {new: 1, on_startup: {new: 1}}"
    )
    assert [each.where for each in found.leftovers if each.reason == UNKNOWN] == [
        "new",
        "models.m.new",
        "models.m.filters.new",
        "hooks.new",
        "hooks.on_startup.new",
    ]
