"""Names of settings as users type them, and values for ``config.toml``."""

from typing import Any

import pytest

from gglib.app.settings.entries import config_value, find_entry, is_setting, value_of
from gglib.core.errors import InvalidSettingError

KEYS = {"api_keys": {"jobs": {"key": "12345678"}, "a.b": {"key": "12345679"}, "root": "1234567890"}}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("port", ("port",)),
        ("aliases", ("aliases",)),
        ("aliases.fast", ("aliases", "fast")),
        ("aliases.gpt-3.5*", ("aliases", "gpt-3.5*")),
        ("memory.gpu0", ("memory", "gpu0")),
        ("api_keys.jobs", ("api_keys", "jobs")),
        ("api_keys.a.b.models", ("api_keys", "a.b", "models")),
        ("api_keys.a.b", ("api_keys", "a.b")),
    ],
)
def test_a_name_is_a_setting_or_an_entry_of_its_table(name: str, path: tuple[str, ...]) -> None:
    """Only the first dot separates: names of models and keys may have more."""
    entry = find_entry(name)
    assert (entry.path, entry.spec.key, entry.name) == (path, path[0], name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("prot", "There is no setting 'prot': did you mean port or"),
        ("max_modles", "did you mean max_models"),
        ("port.x", "'port' is not a table: it has no entry 'x'."),
        ("aliases.", "There is no setting 'aliases.': did you mean aliases"),
        ("home", "There is no setting 'home'"),
    ],
)
def test_an_unknown_name_is_refused_with_similar_ones(name: str, message: str) -> None:
    """One sentence."""
    with pytest.raises(InvalidSettingError) as refused:
        find_entry(name)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("port", "9000", 9000),
        ("ctx", "max", "max"),
        ("ctx", "4096", 4096),
        ("max_models", "auto", "auto"),
        ("ollama_port", "off", "off"),
        ("cluster_address", "Off", "off"),
        ("cluster_address", "[fd00::1]:6379", "[fd00::1]:6379"),
        ("insecure", "yes", True),
        ("heartbeat_s", "2.5", 2.5),
        ("host", " box.lan ", "box.lan"),
        ("engine", "embedded", "embedded"),
        ("engine", "/opt/llama-server", "/opt/llama-server"),
        ("allowed_hosts", "box, box.local,box", ["box", "box.local"]),
        ("memory", "20G", "20G"),
        ("memory", "ram=20GiB, GPU0=8G", {"ram": "20GiB", "gpu0": "8G"}),
        ("memory.gpu0", "8G", "8G"),
        ("aliases.fast", "a, b", ["a", "b"]),
        ("aliases.fast", "a", "a"),
        ("api_keys.jobs.models", "chat*,embed", ["chat*", "embed"]),
        ("api_keys.jobs.admin", "true", True),
        ("api_keys.a.b.priority", "batch", "batch"),
        ("api_keys.jobs.rpm", "60", 60),
        ("model_nodes.qwen2.5", "gpu*", "gpu*"),
        ("model_nodes.m", "gpu*, box", ["gpu*", "box"]),
    ],
)
def test_a_text_becomes_a_value_of_toml(name: str, text: str, value: object) -> None:
    """Numbers without quotes, lists as lists, words as they are."""
    assert config_value(find_entry(name), text, KEYS) == value


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("port", "70000", "'port' is '70000', but it must be a whole number from 0 to 65535."),
        ("insecure", "maybe", "'insecure' is 'maybe', but it must be true or false."),
        ("allowed_hosts", "http://box", "it must be a list of names or addresses without a port"),
        ("memory.cpu", "8G", "it must be a size like 20G"),
        ("aliases.a b ", "c", "'aliases' has 'a b ' as an alias"),
        ("aliases.fast", "1", "with the number '1' instead of a model's name"),
        ("aliases", "fast=a", "'gglib config set aliases.NAME MODEL'"),
        ("model_nodes", "m=box", "'gglib set MODEL --nodes PATTERN'"),
        ("model_nodes.m", "a b", "'a b' is not the name of a node"),
        ("nodes", "box=http://box:8080", "'gglib node add URL' adds a node"),
        ("nodes.box", "http://box:8080", "'gglib node add URL' adds a node"),
        ("api_keys", "s3cret-of-hers", "'gglib key new NAME' generates one"),
        ("api_keys.jobs", "s3cret-of-hers", "'gglib key new NAME' generates one"),
        ("api_keys.jobs.key", "s3cret-of-hers", "'gglib key new NAME' generates one"),
        ("api_keys.none.models", "a", "The key 'none' does not exist"),
        ("api_keys.root.models", "a", "The key 'root' has no table"),
        ("api_keys.jobs.priority", "high", "must have one of"),
        ("api_keys.jobs.rpm", "many", "whole number from 1 to 1,000,000 as 'rpm'"),
        ("api_keys.jobs.rpm", "0", "whole number from 1 to 1,000,000 as 'rpm'"),
        ("api_keys.jobs.admin", "perhaps", "'api_keys.jobs.admin' cannot be 'perhaps'."),
    ],
)
def test_an_invalid_value_is_refused(name: str, text: str, message: str) -> None:
    """As in the file; a key is neither taken nor repeated."""
    with pytest.raises(InvalidSettingError) as refused:
        config_value(find_entry(name), text, KEYS)
    assert message in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_memory_budget_of_one_size_gets_no_device() -> None:
    """The message has the whole value to set."""
    with pytest.raises(InvalidSettingError, match="'gglib config set memory ram=20G,gpu0=8G' sets both"):
        config_value(find_entry("memory.gpu0"), "8G", {"memory": "20G"})


@pytest.mark.parametrize(
    ("path", "value"),
    [(("api_keys", "jobs", "key"), "12345678"), (("api_keys", "x", "y"), None), (("port",), None)],
)
def test_a_value_is_found_at_its_path(path: tuple[str, ...], value: Any) -> None:
    """None for everything that is missing."""
    assert value_of(KEYS, path) == value


def test_an_entry_of_a_table_is_no_setting() -> None:
    """Only the keys of the file itself are."""
    assert is_setting("aliases")
    assert not is_setting("aliases.fast")
    assert not is_setting("prot")
