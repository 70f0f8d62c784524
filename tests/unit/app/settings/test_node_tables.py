"""The setting ``nodes``: valid values, and errors that name the entry and never show a key."""

from pathlib import Path

import pytest

from gglib.app.settings.alias_lists import InvalidEntryError
from gglib.app.settings.node_tables import (
    TABLE_FORM,
    TEXT_FORM,
    NodeSetting,
    is_node_name,
    name_of,
    parse_nodes,
)
from gglib.app.settings.parsers import InvalidValueError

BOX = NodeSetting(url="http://box:8080")


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ({}, {}),
        ({"box": "box"}, {"box": BOX}),
        ({"box": {"url": "http://box:8080/"}}, {"box": BOX}),
        (" box = box , tower=https://tower", {"box": BOX, "tower": NodeSetting(url="https://tower")}),
        (
            {"box": {"url": "box", "key_env": "BOX_KEY", "ca": "/etc/ca.pem", "drain": True}},
            {
                "box": NodeSetting(
                    url="http://box:8080", key_env="BOX_KEY", ca=Path("/etc/ca.pem"), is_drained=True
                )
            },
        ),
    ],
)
def test_a_table_and_a_text_mean_the_same(value: object, parsed: dict[str, NodeSetting]) -> None:
    """In their order; a listing of all settings shows the address."""
    assert parse_nodes(value) == parsed
    assert [str(node) for node in parse_nodes(value).values()] == [node.url for node in parsed.values()]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("box", "has an entry without '='"),
        ("box=box,", "has an entry without '='"),
        ("=box", "has a node with the name ''"),
        ("box=a,box=b", "has 'box' twice"),
        ("box=ftp://x", "has the node 'box' with an address that is not valid"),
    ],
)
def test_a_text_that_is_not_valid_names_the_entry(text: str, reason: str) -> None:
    """And shows the form."""
    with pytest.raises(InvalidEntryError) as caught:
        parse_nodes(text)
    assert str(caught.value) == f"{reason}: write it like {TEXT_FORM}."


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ({"url": "http://box"}, "has 'url' in the place of a node's name"),
        ({"a b": "box"}, "has a node with the name 'a b'"),
        ({"box": 8080}, "has the node 'box' without a 'url'"),
        ({"box": {}}, "has the node 'box' without a 'url'"),
        ({"box": {"url": "box", "port": 1}}, "has the node 'box' with the unknown entry 'port'"),
        ({"box": "http://user:SECRET@box"}, "has the node 'box' with an address that is not valid"),
        (
            {"box": {"url": "box", "key_env": "sk-SECRET"}},
            "has the node 'box' with a 'key_env' that is no name of an environment variable",
        ),
        (
            {"box": {"url": "box", "key_env": 3}},
            "has the node 'box' with a 'key_env' that is no name of an environment variable",
        ),
        ({"box": {"url": "box", "ca": "ca.pem"}}, "has the node 'box' with a 'ca' that is no absolute path"),
        ({"box": {"url": "box", "ca": 3}}, "has the node 'box' with a 'ca' that is no absolute path"),
        (
            {"box": {"url": "box", "drain": "yes"}},
            "has the node 'box' with a 'drain' that is neither true nor false",
        ),
    ],
)
def test_a_table_that_is_not_valid_names_the_entry(table: dict[str, object], reason: str) -> None:
    """And no secret."""
    with pytest.raises(InvalidEntryError) as caught:
        parse_nodes(table)
    assert str(caught.value) == f"{reason}: write it like {TABLE_FORM}."
    assert "SECRET" not in str(caught.value)


def test_another_type_is_not_valid() -> None:
    """The caller knows what is expected."""
    with pytest.raises(InvalidValueError):
        parse_nodes(["http://box"])


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://box:8080", "box"),
        ("https://gpu-1.example.org", "gpu-1"),
        ("http://192.168.1.20:8080", "node-192-168-1-20"),
        ("http://[fe80::1]:8080", "node-fe80-1"),
        ("http://7:8080", "node-7"),
        (f"http://{'x' * 100}:8080", "x" * 64),
    ],
)
def test_a_node_is_named_after_its_host(url: str, name: str) -> None:
    """By its first label, or its address."""
    assert name_of(url) == name
    assert is_node_name(name)
